"""Writes on one key, one after the other, in the order in which they were asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable

from filmroll.errors import StoreUnavailable


class Order:
    """Knows of each key the last write that is under way on it. All belong to one event loop."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    async def write(self, keys: Collection[str], work: Callable[[], Awaitable[None]]) -> None:
        """Do what concerns some keys once all has ended that was asked for on them before.

        It goes on if the caller is cancelled: of a request that is called off nobody knows whether
        the store has taken it, and it could still overtake the next one.
        """
        if self._closed:
            raise StoreUnavailable("The store is closed: this process is ending.")
        earlier = {self._last[key] for key in keys if key in self._last}
        task = asyncio.create_task(_follow(earlier, work))
        self._last.update(dict.fromkeys(keys, task))
        task.add_done_callback(lambda _: self._forget(keys, task))
        await asyncio.shield(task)

    async def close(self) -> None:
        """Take no more, and wait for what is under way. Twice is harmless."""
        self._closed = True
        while self._last:
            await asyncio.wait(set(self._last.values()))

    def _forget(self, keys: Iterable[str], task: asyncio.Task[None]) -> None:
        for key in keys:
            if self._last.get(key) is task:
                del self._last[key]


async def _follow(
    earlier: Collection[asyncio.Task[None]], work: Callable[[], Awaitable[None]]
) -> None:
    if earlier:
        await asyncio.wait(earlier)
    await work()
