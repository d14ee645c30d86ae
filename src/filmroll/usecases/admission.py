"""Who may have an engine now: each lane has slots of its own, and people a bounded line."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from filmroll.errors import Overloaded
from filmroll.model import Lane


class Admission:
    """Hands out slots."""

    def __init__(self, slots: Mapping[Lane, int], line: int) -> None:
        """``slots`` of a lane may work at once; ``line`` more people are let in to wait."""
        self._free = dict(slots)
        self._line = line
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {lane: deque() for lane in slots}

    @property
    def full(self) -> bool:
        """Whether the next interactive caller would be refused."""
        return (
            len(self._waiting[Lane.INTERACTIVE]) >= self._line and not self._free[Lane.INTERACTIVE]
        )

    def refuse_if_full(self, lane: Lane) -> None:
        """Raise Overloaded if somebody who waits for an answer had better come again."""
        if lane is Lane.INTERACTIVE and self.full:
            raise Overloaded(
                "All engines are busy and the waiting line is full. Try again in a second.",
                retry_after=1,
                limit=self._line,
            )

    @asynccontextmanager
    async def slot(self, lane: Lane) -> AsyncIterator[None]:
        """Wait for a slot and hold it."""
        await self._take(lane)
        try:
            yield
        finally:
            self._give_back(lane)

    async def _take(self, lane: Lane) -> None:
        if self._free[lane]:
            self._free[lane] -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._give_up(lane, turn)
            raise

    def _give_up(self, lane: Lane, turn: "asyncio.Future[None]") -> None:
        if turn.done() and not turn.cancelled():  # the slot came just as the caller left
            self._give_back(lane)
        elif turn in self._waiting[lane]:
            self._waiting[lane].remove(turn)

    def _give_back(self, lane: Lane) -> None:
        """Pass a slot on to who has waited the longest, if anybody has."""
        while self._waiting[lane]:
            turn = self._waiting[lane].popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free[lane] += 1
