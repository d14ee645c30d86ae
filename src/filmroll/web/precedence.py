"""Who looks at pictures goes before who brings them, where both share one event loop."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from filmroll.usecases.spool import IN_MEMORY_BYTES

AT_ONCE = 6  # enough to share a barrier on the disk, too few to fill the event loop
LOOKING_SECONDS = 0.25


class Precedence:
    """While pictures are handed out, only a few uploads are kept at a time; the others wait.

    Thirty at once are a tenth or two faster, but whoever asks for a picture meanwhile waits behind
    all of them. Without anybody who looks, or where uploads wait for stores elsewhere and not for
    the event loop (``shared`` is false), there is no limit.
    """

    def __init__(self, *, shared: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._clock = clock
        self._looked = -math.inf
        self._few = asyncio.Semaphore(AT_ONCE)

    def looked(self) -> None:
        """Take note that somebody asks for a picture."""
        self._looked = self._clock()

    def turn(self, size: int) -> AbstractAsyncContextManager[None, bool | None]:
        """Return what to wait for, and to hold, while an upload of ``size`` bytes is kept."""
        looking = self._clock() - self._looked < LOOKING_SECONDS
        # What is larger takes the disk's time, and leaves the event loop to others by itself.
        crowding = self._shared and looking and size <= IN_MEMORY_BYTES
        return self._few if crowding else nullcontext()
