"""Waiting for a message that this process or another one sends."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from filmroll.ports import Delivery

_POLL = 0.2  # s; how late a message of another process, or the end of a lease, may be seen


class Bell:
    """Wakes all who wait in this event loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake those who wait now."""
        self._event.set()
        self._event.clear()

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109 - it is no error to wait in vain
        """Return at the next ring, or after ``timeout`` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._event.wait()


async def first(
    take: Callable[[], Awaitable[Sequence[Delivery]]], bell: Bell, wait: float
) -> Sequence[Delivery]:
    """Take messages as soon as there are some, for at most ``wait`` seconds."""
    deadline = time.monotonic() + wait
    while not (taken := await take()):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        await bell.wait(min(left, _POLL))
    return taken
