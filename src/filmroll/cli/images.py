"""``filmroll put`` and ``filmroll get``: a running service, from the shell."""

import itertools
import json
import mimetypes
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from filmroll.cli.console import err, fail, out

_URL = "FILMROLL_URL"
_KEY = "FILMROLL_KEY"
_DEFAULT_URL = "http://127.0.0.1:8000"
_TIMEOUT = httpx.Timeout(120, connect=5)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(put)
    app.command()(get)


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
    failed = 0
    with _client() as client:
        for file in files:
            answer = _upload(client, file, variant or [], tag or [], later=later)
            failed += answer.is_error
            _report(file, answer, as_json=as_json)
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
    if "://" in image and not image.startswith(f"{_url()}/"):
        fail(f"{image} is not an address of {_url()}; {_URL} names the service to ask")
    path = image if "://" in image else f"/i/{image}"
    if instructions:
        path = f"{path}/{instructions}"
    with _client() as client, client.stream("GET", path) as answer:
        if answer.is_error:
            answer.read()
            fail(_problem(answer))
        kind = answer.headers.get("content-type", "")
        target = output or _free_name(path, kind)
        with _target(target) as file:
            for chunk in answer.iter_bytes():
                file.write(chunk)
    if str(target) != "-":
        out.print(str(target), markup=False, soft_wrap=True)


@contextmanager
def _client() -> Iterator[httpx.Client]:
    """A client of the service that FILMROLL_URL names, with the key in FILMROLL_KEY."""
    url = _url()
    key = os.environ.get(_KEY)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT) as client:
            yield client
    except httpx.ConnectError:
        fail(f"nobody answers at {url}. Is `filmroll serve` running? {_URL} says where.")
    except httpx.HTTPError as fault:
        fail(f"{url}: {fault}")


def _url() -> str:
    return os.environ.get(_URL, _DEFAULT_URL).rstrip("/")


def _upload(
    client: httpx.Client, file: Path, variants: list[str], tags: list[str], *, later: bool
) -> httpx.Response:
    params: list[tuple[str, str | int | float | bool | None]] = [("name", file.name)]
    params += [("variant", one) for one in variants] + [("tag", one) for one in tags]
    headers = {"Content-Type": "application/octet-stream"}
    if later:
        headers["Prefer"] = "respond-async"
    try:
        with file.open("rb") as body:
            headers["Content-Length"] = str(file.stat().st_size)
            return client.post("/v1/images", params=params, headers=headers, content=body)
    except OSError as fault:
        fail(f"{file}: {fault.strerror}")


def _report(file: Path, answer: httpx.Response, *, as_json: bool) -> None:
    if answer.is_error:
        if as_json:
            typer.echo(json.dumps({"file": str(file), "problem": _body(answer)}))
        err.print(f"filmroll: {file}: {_problem(answer)}", markup=False, soft_wrap=True)
        return
    image = answer.json()
    if as_json:
        typer.echo(json.dumps({"file": str(file), **image}))
        return
    out.print(f"{file}\n  {image['url']}", markup=False, soft_wrap=True)
    for one in image["variants"]:
        out.print(f"  {one['url']}  ({_state(one)})", markup=False, soft_wrap=True)


def _state(variant: dict[str, Any]) -> str:
    if variant["state"] != "ready":
        return str(variant["state"])
    return f"{variant['width']}×{variant['height']}, {variant['bytes']} bytes"


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        return dict(answer.json())
    except ValueError:
        return {"status": answer.status_code, "detail": answer.reason_phrase}


def _problem(answer: httpx.Response) -> str:
    problem = _body(answer)
    pointer = f" (at {problem['pointer']})" if problem.get("pointer") else ""
    return f"{problem.get('title', answer.status_code)}: {problem.get('detail', '')}{pointer}"


def _free_name(path: str, kind: str) -> Path:
    """Return a name in this folder that says which picture it is, and that nobody has."""
    image, _, instructions = path.partition("?")[0].rpartition("/i/")[2].partition("/")
    stem = "-".join([image, *re.findall(r"[A-Za-z0-9.]+", instructions)])[:120]
    suffix = mimetypes.guess_extension(kind.partition(";")[0]) or ""
    names = itertools.chain([stem], (f"{stem} ({number})" for number in itertools.count(2)))
    targets = (Path(name + suffix) for name in names)
    return next(target for target in targets if not target.exists())


@contextmanager
def _target(path: Path) -> Iterator[Any]:
    """Open what to write to; a file appears under its name only when it is whole."""
    if str(path) == "-":
        yield sys.stdout.buffer
        return
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        shutil.move(part, path)
    except OSError as fault:
        fail(f"{path}: {fault.strerror}")
    finally:
        part.unlink(missing_ok=True)
