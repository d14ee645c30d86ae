"""``filmroll put``, ``get`` and ``info``: a running service, from the shell."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from filmroll.cli.connection import connected
from filmroll.cli.console import err, fail, out

if TYPE_CHECKING:
    from filmroll.client import ApiError, ImageView, VariantView


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(put)
    app.command()(get)
    app.command()(info)


def put(
    files: Annotated[list[Path], typer.Argument(help="Images.", metavar="FILE…")],
    variant: Annotated[
        list[str] | None, typer.Option(help="Instructions or a preset; repeatable.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; repeatable.")] = None,
    later: Annotated[bool, typer.Option("--async", help="Do not wait for the variants.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Upload images and print their URLs."""
    from filmroll.client import ApiError

    failed = 0
    with connected() as client:
        for file in files:
            try:
                image = client.put(file, variants=variant or (), tags=tag or (), later=later)
            except OSError as fault:
                fail(f"{file}: {fault.strerror}")
            except ApiError as fault:
                failed += 1
                _complain(file, fault, as_json=as_json)
            else:
                _report(file, image, as_json=as_json)
    if failed:
        raise typer.Exit(1)


def get(
    image: Annotated[str, typer.Argument(help="The id of an image, or its URL.")],
    instructions: Annotated[
        str | None, typer.Argument(help="Instructions or a preset; none for the original.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Where to write; - for standard output; default: a new file in this folder.",
        ),
    ] = None,
) -> None:
    """Download an original or a variant."""
    with connected() as client:
        if str(output) == "-":
            sys.stdout.buffer.write(client.get(image, instructions))
            return
        try:
            target = client.get(image, instructions, to=output or Path())
        except OSError as fault:
            fail(f"{output or Path()}: {fault.strerror}")
        out.print(str(target), markup=False, soft_wrap=True)


def info(
    image: Annotated[str, typer.Argument(help="The id of an image.")],
    exif: Annotated[
        list[str] | None, typer.Option(help="An EXIF tag, all, or gps; repeatable.")
    ] = None,
) -> None:
    """Tell what is known of a picture, as JSON: colours, previews, a hash of its looks, EXIF."""
    with connected() as client:
        typer.echo(json.dumps(client.info(image, exif or ()), indent=2, ensure_ascii=False))


def _complain(file: Path, fault: "ApiError", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"file": str(file), "problem": fault.problem}))
    err.print(f"filmroll: {file}: {fault}", markup=False, soft_wrap=True)


def _report(file: Path, image: "ImageView", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"file": str(file), **image}))
        return
    out.print(f"{file}\n  {image['url']}", markup=False, soft_wrap=True)
    for one in image["variants"]:
        out.print(f"  {one['url']}  ({_state(one)})", markup=False, soft_wrap=True)


def _state(variant: "VariantView") -> str:
    if variant["state"] != "ready":
        return str(variant["state"])
    return f"{variant['width']}×{variant['height']}, {variant['bytes']} bytes"
