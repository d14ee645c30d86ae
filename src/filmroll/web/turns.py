"""Requests that write to one thing: whoever comes later has the turn."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from filmroll.errors import Overloaded

_PATIENCE_SECONDS = 20.0


@dataclass(eq=False, slots=True)
class _Turn:
    stop: Callable[[], None]
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Turns:
    """Who is writing what, in this process."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}

    async def free(self, name: str) -> None:
        """Let whoever writes there stop, and wait for it; raise Overloaded if that takes long."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while turn := self._turns.get(name):
                    turn.stop()
                    await turn.over.wait()
        except TimeoutError:
            raise Overloaded("An earlier request is still being written to the disk.") from None

    @asynccontextmanager
    async def take(self, name: str, stop: Callable[[], None]) -> AsyncIterator[None]:
        """Have the turn, until ``stop`` is called and the block is left; raise as ``free``."""
        await self.free(name)
        turn = self._turns[name] = _Turn(stop)
        try:
            yield
        finally:
            del self._turns[name]
            turn.over.set()
