"""Who may have an engine now: a bounded waiting line, in which people come before bulk."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from filmroll.errors import Overloaded
from filmroll.model import Lane


class Admission:
    """Hands out slots. Bulk leaves one of them free, so that interactive work starts at once."""

    def __init__(self, slots: int, line: int) -> None:
        """``slots`` may work at once (bulk: one less); ``line`` more are let in to wait."""
        self._free = slots
        self._line = line
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {lane: deque() for lane in Lane}

    @property
    def full(self) -> bool:
        """Whether the next interactive caller would be refused."""
        return len(self._waiting[Lane.INTERACTIVE]) >= self._line and self._free == 0

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
            self._free += 1
            self._wake()

    async def _take(self, lane: Lane) -> None:
        if self._free > self._reserve(lane) and not self._waiting[lane]:
            self._free -= 1
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
            self._free += 1
            self._wake()
        elif turn in self._waiting[lane]:
            self._waiting[lane].remove(turn)

    def _wake(self) -> None:
        for lane in (Lane.INTERACTIVE, Lane.BULK):
            while self._waiting[lane] and self._free > self._reserve(lane):
                turn = self._waiting[lane].popleft()
                if not turn.done():
                    self._free -= 1
                    turn.set_result(None)

    @staticmethod
    def _reserve(lane: Lane) -> int:
        return 1 if lane is Lane.BULK else 0
