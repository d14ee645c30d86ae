"""Whose turn it is at a host: so that one that is slow, or asked for much, has not all hands."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from filmroll.ports import Catalog
from filmroll.usecases.errands import NotNow, called_off
from filmroll.usecases.outbox import Outbox

PER_HOST = 6  # more than are asked at once, so that the next is at hand when one is done
MOST_WAITING = 100_000  # in this process; whoever comes after them just rests
# What waits is sent again by the sweeper, too, in case that this process dies. Not before so many
# seconds, and of a long line not more than a few each second: mostly it is in vain.
_LEAST_REST = 10.0
_IN_VAIN_PER_SECOND = 20


class Turns:
    """So many jobs at a time may fetch from one host; others wait in a line, and are called.

    Who waits is given back meanwhile, and holds nothing but a place in memory.
    """

    def __init__(self, catalog: Catalog, outbox: Outbox) -> None:
        self._catalog = catalog
        self._outbox = outbox
        self._taken: Counter[str] = Counter()
        self._lines: dict[str, dict[str, None]] = {}  # jobs in order, by host
        self._waiting = 0

    @contextmanager
    def at(self, host: str, job: str) -> Iterator[None]:
        """Hold a turn; raise NotNow if there is none: the job is called when there is."""
        if self._taken[host] >= PER_HOST:
            rest = len(self._lines.get(host, ())) / _IN_VAIN_PER_SECOND
            raise NotNow(max(_LEAST_REST, rest), partial(self._line_up, host, job))
        self._taken[host] += 1
        try:
            yield
        finally:
            self._taken[host] -= 1
            if not self._taken[host]:
                del self._taken[host]
            self._call(host)

    def _line_up(self, host: str, job: str) -> None:
        line = self._lines.setdefault(host, {})
        if job not in line and self._waiting < MOST_WAITING:
            line[job] = None
            self._waiting += 1
        if self._taken[host] < PER_HOST:  # somebody has left since it was refused
            self._call(host)

    def _call(self, host: str) -> None:
        if host in self._lines:
            self._outbox.begin(self._call_next(host))

    async def _call_next(self, host: str) -> None:
        """Send the first in line who is still wanted; who is not would call nobody after it."""
        while line := self._lines.get(host):
            job = next(iter(line))
            del line[job]
            self._waiting -= 1
            if not line:
                del self._lines[host]
            found = await self._catalog.get_job(job)
            if found and not found.state.final and not await called_off(self._catalog, found):
                await self._outbox.send(job)
                return
