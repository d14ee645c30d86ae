"""``filmroll check``: are the stores writable and durable, is the engine alive."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import typer
from rich.table import Table

from filmroll.cli.console import faults_in_one_line, load_settings, show
from filmroll.errors import FilmrollError
from filmroll.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def check() -> None:
        """Write, read and remove in every store; pass an image through an engine."""
        with faults_in_one_line():
            settings = load_settings()
            rows = asyncio.run(_check(settings))
        table = Table("part", "state", "time", "remark", title=f"data in {settings.data.resolve()}")
        for name, fault, seconds, remark in rows:
            state = "[red]failed[/red]" if fault else "[green]ok[/green]"
            table.add_row(name, state, f"{seconds * 1000:.1f} ms", fault or remark)
        show(table)
        if any(fault for _, fault, _, _ in rows):
            raise typer.Exit(1)


_Row = tuple[str, str, float, str]


async def _check(settings: Settings) -> list[_Row]:
    from filmroll.engine.pool import EnginePool
    from filmroll.wiring import open_stores

    engine = EnginePool(size=1)
    try:
        async with open_stores(settings) as stores:
            return [
                await _timed("blobs", stores.blobs.check),
                await _timed("catalog", stores.catalog.check),
                await _timed("queue", stores.queue.check),
                await _timed("engine", engine.check),
            ]
    finally:
        await engine.close()


async def _timed(name: str, check: Callable[[], Awaitable[Any]]) -> _Row:
    started = time.perf_counter()
    fault, remark = "", ""
    try:
        found = await check()
    except FilmrollError as error:
        fault = error.detail
    else:
        remark = ", ".join(f"{key}: {value}" for key, value in (found or {}).items())
    return name, fault, time.perf_counter() - started, remark
