"""``filmroll init``: make the stores that the settings name."""

import asyncio

import typer
from rich.table import Table

from filmroll.cli.console import faults_in_one_line, load_settings, show


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def init() -> None:
        """Make bucket, table and queues where they are not there yet; twice is harmless."""
        from filmroll.wiring import create_stores

        with faults_in_one_line():
            settings = load_settings()
            made = asyncio.run(create_stores(settings))
        if not made:
            typer.echo(f"nothing to do: the stores in {settings.data} make themselves")
            return
        table = Table("store", "state", "remark")
        for store in made:
            table.add_row(store.url, "[green]ready[/green]", store.remark)
        show(table)
