"""How many requests go to one host, or to the name servers of one domain, at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Places:
    """So many places per host; a host whom nobody asks or waits for is forgotten."""

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def at(self, host: str) -> AsyncIterator[None]:
        """Wait for a place and hold it."""
        async with self.of(host):
            yield

    def of(self, host: str) -> asyncio.Semaphore:
        """Return the places of a host, for who has to give one back elsewhere."""
        return self._hosts.setdefault(host, asyncio.Semaphore(self._per_host))
