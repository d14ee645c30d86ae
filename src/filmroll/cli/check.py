"""``filmroll check``: are the stores writable and durable, is the engine alive."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import typer
from rich.table import Table

from filmroll.cli.console import faults_in_one_line, load_settings, show
from filmroll.errors import FilmrollError
from filmroll.ports import Clock
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

# Leases and expiries are moments, which all machines must read alike; a lease lasts a minute. (S3
# itself refuses what was signed a quarter of an hour away from its own time.)
_MOST_SKEW = 5.0  # s


async def _check(settings: Settings) -> list[_Row]:
    from filmroll.engine.pool import EnginePool
    from filmroll.wiring import open_stores

    engine = EnginePool(size=1)
    try:
        async with open_stores(settings) as stores:
            return [
                await _timed("blobs", stores.blobs.check, stores.blobs),
                await _timed("catalog", stores.catalog.check, stores.catalog),
                await _timed("queue", stores.queue.check, stores.queue),
                await _timed("engine", engine.check, engine),
            ]
    finally:
        await engine.close()


async def _timed(name: str, check: Callable[[], Awaitable[Any]], part: object) -> _Row:
    started = time.perf_counter()
    fault = ""
    found: dict[str, str] = {}
    try:
        found |= await check() or {}
        if isinstance(part, Clock):
            fault, found["clock"] = _compared(await clock_skew(part))
    except FilmrollError as error:
        fault = error.detail
    remark = ", ".join(f"{key}: {value}" for key, value in found.items())
    return name, fault, time.perf_counter() - started, remark


async def clock_skew(store: Clock) -> float:
    """Return by how many seconds a store's clock is ahead of this machine's, at the least.

    Its answer names a whole second and took a moment; 0 where that leaves room for no difference.
    """
    before = time.time()
    there = await store.time()
    after = time.time()
    return max(there - after, 0.0) or min(there + 1 - before, 0.0)


def _compared(skew: float) -> tuple[str, str]:
    """Return what is wrong with this machine's clock, if anything, and how far it is off."""
    way = "behind" if skew > 0 else "ahead"
    told = f"{abs(skew):.0f} s {way}" if abs(skew) >= 1 else "right"
    if abs(skew) <= _MOST_SKEW:
        return "", told
    return f"This machine's clock is {told} of the store's: let NTP set it.", told
