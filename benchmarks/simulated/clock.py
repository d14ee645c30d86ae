"""What happens next."""

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from math import inf
from typing import Any


class Clock:
    """Events in the order of their times; of one time, in the order in which they were planned."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._serial = 0

    @property
    def planned(self) -> int:
        """How many events there were, and will be."""
        return self._serial

    def at(self, moment: float, do: Callable[..., None], *about: Any) -> None:
        """Plan an event."""
        self._serial += 1
        heappush(self._events, (moment, self._serial, do, about))

    def run(
        self,
        arrivals: Iterator[tuple[float, Any]],
        arrive: Callable[[float, Any], None],
        over: Callable[[], bool],
        end: float,
    ) -> None:
        """Let everything happen until ``over``, at ``end`` at the latest.

        Arrivals come sorted and are merged here: they need no place among the events.
        """
        events = self._events
        coming, what = next(arrivals, (inf, None))
        while events or coming < inf:
            if coming <= (events[0][0] if events else inf):
                self.now = coming
                arrive(coming, what)
                coming, what = next(arrivals, (inf, None))
                continue
            self.now, _, do, about = heappop(events)
            if self.now > end or (coming == inf and over()):
                return
            do(*about)
