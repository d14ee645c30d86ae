"""Zip, as it streams: by the local headers, for the directory at the end comes too late.

A member whose packed size is known costs only itself, whatever is wrong with it. Where the size
comes after the content (a data descriptor), the content itself has to tell where it ends: deflate
does, and a stored one ends where a descriptor fits all that came before it. The directory is
walked all the same: without its end the archive is cut, and it must list as many members as came.

Symlinks are marked in the directory only. Here they are files with a path in them, so no images.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from struct import Struct

from filmroll.archives.feed import Feed
from filmroll.archives.items import ArchiveLimits, Item, Member, Refused, Skipped
from filmroll.archives.names import printable, screen
from filmroll.archives.trail import Trail
from filmroll.archives.zip_content import ZipContent
from filmroll.archives.zip_headers import (
    CENTRAL,
    END,
    LOCAL,
    ZIP64_END,
    ZIP64_LOCATOR,
    Entry,
    read_entry,
)
from filmroll.errors import CorruptMember, RefusedMember, TooLarge

_SMALL = 1024 * 1024  # bytes; what is handed out in one piece

_LENGTHS = Struct("<24x3H12x")  # of name, extra and comment, in the directory
_END = Struct("<16xH")  # the length of the comment
_ZIP64_LOCATOR_SIZE = 16


async def read_zip(feed: Feed, limits: ArchiveLimits, trail: Trail) -> AsyncGenerator[Item, None]:
    """Yield the members of a zip, and read the stream to its end."""
    count = 0
    while (signature := await feed.take(4)) == LOCAL:
        entry = await read_entry(feed)
        content = ZipContent(feed, entry, limits, trail)
        verdict = _judge(entry, limits)
        yield await _member(verdict, entry, content) if isinstance(verdict, str) else verdict
        await content.skip()
        count += 1
    await _pass_directory(feed, signature, count)
    await feed.drain()


def _judge(entry: Entry, limits: ArchiveLimits) -> str | Skipped | Refused:
    if entry.is_directory:
        return Skipped(printable(entry.name), "directory")
    verdict = screen(entry.name, entry.size, limits)
    if not isinstance(verdict, str):
        return verdict
    if entry.encrypted:
        return Refused(verdict, RefusedMember("It is encrypted."))
    if not entry.is_readable:
        return Refused(verdict, RefusedMember("Members may be stored or deflated, not otherwise."))
    return verdict


async def _member(name: str, entry: Entry, content: ZipContent) -> Member | Refused:
    if entry.size is None or entry.size > _SMALL:
        return Member(name, entry.size, content)
    try:
        body = b"".join([piece async for piece in _pieces(content)])
    except (CorruptMember, TooLarge) as problem:
        return Refused(name, problem)
    return Member(name, entry.size, body)


async def _pieces(content: ZipContent) -> AsyncIterator[bytes]:
    while piece := await content.read():
        yield piece


async def _pass_directory(feed: Feed, signature: bytes, count: int) -> None:
    listed = 0
    while signature == CENTRAL:
        await feed.skip(sum(_LENGTHS.unpack(await feed.take(_LENGTHS.size))))
        listed += 1
        signature = await feed.take(4)
    if signature == ZIP64_END:
        await feed.skip(int.from_bytes(await feed.take(8), "little"))
        signature = await feed.take(4)
    if signature == ZIP64_LOCATOR:
        await feed.skip(_ZIP64_LOCATOR_SIZE)
        signature = await feed.take(4)
    if signature != END:
        raise feed.broken("There is neither a member nor the directory where one should be")
    (comment,) = _END.unpack(await feed.take(_END.size))
    await feed.skip(comment)
    if listed != count:
        raise feed.broken(f"The directory lists {listed} members, but {count} are there")
