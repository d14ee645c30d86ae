"""How a push is getting on: a bar that moves on a terminal, a line now and then elsewhere."""

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from filmroll.cli.console import err

if TYPE_CHECKING:
    from filmroll.client import Tally
    from filmroll.client.views import Counts

_REDRAW_SECONDS, _LINE_SECONDS = 0.25, 5.0
_RECENT_SECONDS = 20.0
_UNITS = ("KiB", "MiB", "GiB", "TiB")
_STEP = 1024


class Pace:
    """How much has been done of late."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int, int]] = deque([(0.0, 0, 0)])

    def add(self, seconds: float, done: int, flown: int) -> None:
        """Note how much is done after so many seconds, and how much of it has gone out (bytes)."""
        self._samples.append((seconds, done, flown))
        while seconds - self._samples[0][0] > _RECENT_SECONDS:
            self._samples.popleft()

    def rates(self) -> tuple[float, float]:
        """Return both a second."""
        (began, *before), (ended, *now) = self._samples[0], self._samples[-1]
        seconds = max(ended - began, 0.001)
        return (now[0] - before[0]) / seconds, (now[1] - before[1]) / seconds


class Progress:
    """Puts a tally into words."""

    def __init__(self, tally: "Tally") -> None:
        self._tally = tally
        self._pace = Pace()

    async def show(self) -> None:
        """Show it on standard error until cancelled."""
        if not err.is_terminal:
            while True:
                await asyncio.sleep(_LINE_SECONDS)
                err.print(f"filmroll: {self.text()}", markup=False, soft_wrap=True)
        with Live(console=err, auto_refresh=False, transient=True) as live:
            while True:
                live.update(self._bar(), refresh=True)
                await asyncio.sleep(_REDRAW_SECONDS)

    def text(self) -> str:
        """Return one line: files, bytes, rate, time left, failures."""
        return " · ".join(self._parts())

    def _parts(self) -> Iterator[str]:
        tally = self._tally
        if counts := self._processing():
            yield f"processing: {counts['succeeded']:,} ready, {counts['processing']:,} to go"
            yield f"{counts['failed']:,} failed"
            return
        done = tally.done_bytes
        self._pace.add(tally.seconds, done, tally.sent_bytes + tally.flying_bytes)
        doing, sending = self._pace.rates()
        total = f"{tally.found:,}" if tally.walked else f"{tally.found:,}+"
        yield f"{tally.settled:,} of {total} files"
        yield f"{size(done)} of {size(tally.found_bytes)}"
        yield f"{size(sending)}/s"
        if tally.walked and doing > 0:
            yield f"{clock((tally.found_bytes - done) / doing)} left"
        yield f"{tally.failed:,} failed"

    def _processing(self) -> "Counts | None":
        batch = self._tally.batch
        return batch["counts"] if batch and self._tally.over else None

    def _bar(self) -> Table:
        tally = self._tally
        done, total = tally.done_bytes, tally.found_bytes
        if counts := self._processing():
            total = counts["declared"]
            done = total - counts["processing"]
        grid = Table.grid(padding=(0, 1))
        grid.add_row(ProgressBar(total=max(total, 1), completed=done, width=30))
        grid.add_row(self.text())
        return grid


@contextmanager
def shown(tally: "Tally", *, quiet: bool) -> Iterator[None]:
    """Show a tally while something else goes on in this event loop."""
    if quiet:
        yield
        return
    task = asyncio.create_task(Progress(tally).show())
    try:
        yield
    finally:
        task.cancel()


def size(count: float) -> str:
    """Return bytes as people read them."""
    if count < _STEP:
        return f"{count:.0f} B"
    power = min(int(math.log(count, _STEP)), len(_UNITS))
    return f"{count / _STEP**power:.1f} {_UNITS[power - 1]}"


def clock(seconds: float) -> str:
    """Return a time span as people read it."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
