"""``filmroll push``: a folder of any size into a running service, as often as it takes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from filmroll.cli.connection import address, refusals_in_one_line
from filmroll.cli.console import fail, out
from filmroll.cli.failures import FailureFile

if TYPE_CHECKING:
    from filmroll.client import AsyncClient, PushSummary, Tally

_PATIENCE_SECONDS = 300.0  # a service may take its time to come back
_UNREACHABLE, _INTERRUPTED = 3, 130
_AGAIN = "The same command goes on from here."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(push)


def push(
    paths: Annotated[
        list[Path], typer.Argument(help="Folders, images, manifests.", metavar="DIR|FILE|NDJSON…")
    ],
    *,
    variant: Annotated[
        list[str] | None, typer.Option(help="Instructions or a preset; repeatable.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; repeatable.")] = None,
    batch: Annotated[
        str | None, typer.Option(help="The batch's name; default: the same for the same folder.")
    ] = None,
    on_duplicate: Annotated[
        Literal["reuse", "new", "reject"],
        typer.Option(help="What becomes of bytes that the service has already."),
    ] = "reuse",
    streams: Annotated[int, typer.Option(help="Connections that send.", min=1, max=32)] = 4,
    no_seal: Annotated[bool, typer.Option("--no-seal", help="Leave the batch open.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Leave its variants to it.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object.")] = False,
    failures: Annotated[
        Path | None,
        typer.Option(help="Where failures go; default: <batch>-failures.ndjson in this folder."),
    ] = None,
) -> None:
    """Send folders of images; what has arrived is never sent twice, however often it breaks off.

    Ends with 0 if all arrived, 1 if something failed, 2 if it was called wrongly, 3 if the service
    cannot be reached.
    """
    from filmroll.client import AsyncClient, Tally

    tally = Tally()
    with FailureFile(failures, tally) as file, refusals_in_one_line(_UNREACHABLE, _AGAIN):
        work = partial(
            AsyncClient.push,
            paths=paths,
            name=batch,
            variants=variant or (),
            tags=tag or (),
            on_duplicate=on_duplicate,
            streams=streams,
            seal=not no_seal,
            wait=not no_wait,
            tally=tally,
        )
        try:
            summary = asyncio.run(_watched(work, tally, quiet=quiet))
        except KeyboardInterrupt:
            fail(_interrupted(tally), code=_INTERRUPTED)
    _report(summary, file.path, as_json=as_json)
    if summary["failed"]:
        raise typer.Exit(1)


async def _watched(
    work: "Callable[[AsyncClient], Awaitable[PushSummary]]", tally: "Tally", *, quiet: bool
) -> "PushSummary":
    from filmroll.cli.progress import shown
    from filmroll.client import AsyncClient

    async with AsyncClient(*address(), patience=_PATIENCE_SECONDS) as client:
        with shown(tally, quiet=quiet):
            return await work(client)


def _interrupted(tally: "Tally") -> str:
    if tally.batch is not None and tally.batch["state"] == "sealed":
        return f"the batch goes on by itself: filmroll batch show {tally.batch['id']}"
    return f"stopped; {tally.sent + tally.had:,} of {tally.found:,} files are safe. {_AGAIN}"


def _report(summary: "PushSummary", failures: Path | None, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**summary, "failures": str(failures) if failures else None}))
        return
    for line in _lines(summary, failures):
        out.print(line, markup=False, soft_wrap=True)


def _lines(summary: "PushSummary", failures: Path | None) -> list[str]:
    from filmroll.cli.progress import size

    seconds = max(summary["seconds"], 0.001)
    lines = [
        f"{summary['found']:,} files in {seconds:.1f} s: {_outcome(summary)}",
        f"  batch {summary['batch']} ({summary['name']}): {summary['state']}",
    ]
    if summary["sent"]:
        rates = f"{size(summary['bytes'] / seconds)}/s, {summary['sent'] / seconds:,.0f} files/s"
        lines.insert(1, f"  {size(summary['bytes'])}, {rates}")
    if round(summary["waited"]):
        lines.append(f"  processed within {summary['waited']:.1f} s after that")
    if failures:
        lines.append(f"  failures: {failures}; push that file when they are mended")
    return lines


def _outcome(summary: "PushSummary") -> str:
    if summary["had"] == summary["found"] and not summary["failed"]:
        return f"all {summary['found']:,} are there"
    parts = {
        "sent": summary["sent"],
        "there before": summary["had"],
        "queued": summary["queued"],
        "failed": summary["failed"],
    }
    return ", ".join(f"{count:,} {name}" for name, count in parts.items() if count)
