"""``filmroll dead``: look at messages that were delivered too often, or let them try again."""

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from filmroll.cli.console import faults_in_one_line, load_settings, show
from filmroll.model import Job

app = typer.Typer(help="Dead letters: jobs that no worker could be rid of.", no_args_is_help=True)
_Limit = Annotated[int, typer.Option(help="How many at most.", min=1)]


@app.command("ls")
def list_dead(limit: _Limit = 100) -> None:
    """List dead letters with their jobs, oldest first."""
    with faults_in_one_line():
        found = asyncio.run(_dead(limit))
    table = Table("job", "kind", "state", "attempts", "image", "problem")
    for name, job in found:
        if job is None:
            table.add_row(name, "", "unknown", "", "", "")
        else:
            problem = job.problem.code if job.problem else ""
            table.add_row(name, job.kind, job.state, str(job.attempts), job.image, problem)
    show(table)


@app.command()
def redrive(
    limit: Annotated[int | None, typer.Option(help="How many at most; all.")] = None,
) -> None:
    """Send dead letters back to their lanes. A job that is done is not done again."""
    with faults_in_one_line():
        moved = asyncio.run(_redrive(limit))
    typer.echo(f"{moved} sent back")


async def _dead(limit: int) -> list[tuple[str, Job | None]]:
    from filmroll.wiring import open_stores

    async with open_stores(load_settings()) as stores:
        names = await stores.queue.dead(limit)
        return [(name, await stores.catalog.get_job(name)) for name in names]


async def _redrive(limit: int | None) -> int:
    from filmroll.wiring import open_stores

    async with open_stores(load_settings()) as stores:
        return await stores.queue.redrive(limit)
