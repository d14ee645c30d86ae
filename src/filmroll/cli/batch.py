"""``filmroll batch``: look at batches, try again what failed, or call the rest off."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from filmroll.cli.connection import connected
from filmroll.cli.console import out, show

if TYPE_CHECKING:
    from filmroll.client import BatchView

app = typer.Typer(help="Batches of a running service.", no_args_is_help=True)
_Id = Annotated[str, typer.Argument(help="The id of the batch.", metavar="ID")]
_Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command("ls")
def list_batches(
    name: Annotated[str | None, typer.Option(help="Only those of this name.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 50,
    as_json: _Json = False,
) -> None:
    """List batches, newest first."""
    table = Table("id", "name", "state", "created", "items", "ready", "to go", "failed")
    with connected() as client:
        for view in client.batches(name=name, limit=limit):
            if as_json:
                typer.echo(json.dumps(view))
            counts = view["counts"]
            table.add_row(
                view["id"],
                view["name"],
                view["state"],
                view["created_at"],
                *(f"{counts[key]:,}" for key in ("declared", "succeeded", "processing", "failed")),
            )
    if not as_json:
        show(table)


@app.command("show")
def show_batch(
    batch: _Id,
    failed: Annotated[
        bool, typer.Option("--failed", help="Its failed lines instead, as NDJSON.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Show a batch as it stands."""
    with connected() as client:
        found = client.batch(batch)
        if failed:
            for line in found.results("failed"):
                typer.echo(json.dumps(line))
            return
        _print(found.view, as_json=as_json)


@app.command()
def retry(batch: _Id, as_json: _Json = False) -> None:
    """Begin failed items anew whose bytes the service has, or fetches itself."""
    with connected() as client:
        _print(client.batch(batch).retry(), as_json=as_json)


@app.command()
def cancel(batch: _Id, as_json: _Json = False) -> None:
    """Take nothing more in and begin nothing more; images that are kept stay."""
    with connected() as client:
        _print(client.batch(batch).cancel(), as_json=as_json)


def _print(view: "BatchView", *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(view))
        return
    table = Table(show_header=False)
    for key in ("id", "name", "state", "on_duplicate", "created_at", "sealed_at", "finished_at"):
        table.add_row(key, view[key])
    for text in view["variants"]:
        table.add_row("variant", text)
    for name, count in view["counts"].items():
        table.add_row(name, f"{count:,}")
    show(table)
