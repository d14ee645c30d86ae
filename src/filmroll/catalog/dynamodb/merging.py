"""Listings that are spread over several partitions, read as one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

Entry = TypeVar("Entry")
Record = TypeVar("Record")
Place = TypeVar("Place", bound=tuple[object, ...])


async def merged(streams: Sequence[AsyncIterator[Place]]) -> AsyncIterator[Place]:
    """Yield what streams hold, the largest first, as each of them does."""
    begun = await asyncio.gather(*(anext(stream, None) for stream in streams))
    heads = [(head, it) for head, it in zip(begun, streams, strict=True) if head is not None]
    while heads:
        largest = max(range(len(heads)), key=lambda one: heads[one][0])
        head, stream = heads[largest]
        yield head
        following = await anext(stream, None)
        if following is None:
            del heads[largest]
        else:
            heads[largest] = following, stream


async def first(entries: AsyncIterator[Entry], count: int) -> list[Entry]:
    """Return so many entries, or as many as there are; no more are asked for."""
    if count < 1:
        return []
    async for page in pages(entries, count):
        return page
    return []


async def pages(entries: AsyncIterator[Entry], size: int) -> AsyncIterator[list[Entry]]:
    """Yield entries so many at a time."""
    page: list[Entry] = []
    async for entry in entries:
        page.append(entry)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


async def found(
    entries: AsyncIterator[Entry],
    fetch: Callable[[list[Entry]], Awaitable[list[Record]]],
    count: int,
) -> list[Record]:
    """Return the first ``count`` of what ``fetch`` makes of entries, and perhaps leaves out."""
    records: list[Record] = []
    async for some in pages(entries, count):
        records += await fetch(some)
        if len(records) >= count:
            break
    return records[:count]
