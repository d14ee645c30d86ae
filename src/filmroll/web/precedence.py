"""Who looks at pictures goes before who brings them, where both share one event loop."""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from filmroll.usecases.spool import IN_MEMORY_BYTES

AT_ONCE = 6  # enough to share a barrier on the disk, too few to fill the event loop
LOOKING_SECONDS = 0.25


class Precedence:
    """While pictures are handed out, only a few small uploads are kept at a time.

    Thirty at once are faster, but whoever asks for a picture meanwhile waits behind all of them.
    While nobody looks, or where uploads wait for stores elsewhere and not for the event loop
    (``shared`` is false), there is no limit.
    """

    def __init__(self, *, shared: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._clock = clock
        self._looked = -math.inf
        self._kept = 0
        self._line: deque[asyncio.Future[None]] = deque()

    def looked(self) -> None:
        """Take note that somebody was handed a picture."""
        self._looked = self._clock()

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Wait until an upload of ``size`` bytes may be kept, and hold its place meanwhile."""
        # What is larger takes the disk's time, and leaves the event loop to others by itself.
        if not self._shared or size > IN_MEMORY_BYTES:
            yield
            return
        await self._come()
        try:
            yield
        finally:
            self._leave()

    async def _come(self) -> None:
        place = asyncio.get_running_loop().create_future()
        self._line.append(place)
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it had just been called
                self._leave()
            raise

    def _leave(self) -> None:
        self._kept -= 1
        self._admit()

    def _admit(self) -> None:
        """Call who is next: at once, or when one of those leaves who have all the places."""
        looking = self._clock() - self._looked < LOOKING_SECONDS
        while self._line and not (looking and self._kept >= AT_ONCE):
            place = self._line.popleft()
            if not place.done():  # else it was cancelled
                self._kept += 1
                place.set_result(None)
