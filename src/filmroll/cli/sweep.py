"""``filmroll sweep``: do once what the workers do all the time."""

import asyncio

import typer

from filmroll.cli.console import faults_in_one_line, load_settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def sweep() -> None:
        """Send lost jobs again, end deletions and uploads, remove what belongs to nothing."""
        with faults_in_one_line():
            done = asyncio.run(_sweep())
        for duty, count in done.items():
            typer.echo(f"{duty:16} {count}")


async def _sweep() -> dict[str, int]:
    from filmroll.wiring import open_housekeeping

    async with open_housekeeping(load_settings()) as duties:
        return {
            "jobs sent": await duties.resend_overdue(),
            "deletions": await duties.purge_deleted(),
            "batches": await duties.expire_batches(),
            "uploads": await duties.sweep_uploads(),
            "half done": await duties.settle_catalog(),
            "orphans": await duties.collect_orphans(),
        }
