"""Tar, as it streams: a header, the content, the next header.

Members up to 1 MiB come with their bytes, in one piece of the buffer. What is no regular file is
passed over by its size. A header whose checksum is wrong ends the reading, for nothing tells where
the next one is; so does a stream that ends without the two empty blocks that end a tar.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from filmroll.archives.feed import Feed, Stretch
from filmroll.archives.items import ArchiveLimits, Item, Member, Refused, Skipped
from filmroll.archives.names import printable, screen
from filmroll.archives.tar_headers import BLOCK, END, Header, amend, decode, records

_SMALL = 1024 * 1024  # bytes; what is handed out in one piece
_LONGEST_EXTENSION = 64 * 1024  # bytes; a pax header or a long name
_MOST_EXTENSIONS = 8  # of one member

_FILES = (b"0", b"\0", b"7")
_REASONS = {
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "device",
    b"4": "device",
    b"5": "directory",
    b"6": "fifo",
    b"D": "directory",
    b"S": "sparse",
}
_WITHOUT_CONTENT = b"123456"  # whatever size their headers name

_Pax = dict[bytes, bytes]


async def read_tar(feed: Feed, limits: ArchiveLimits) -> AsyncGenerator[Item, None]:
    """Yield the members of a tar, and read the stream to its end."""
    shared: _Pax = {}
    while header := await _next_header(feed, shared):
        content = Stretch(feed, 0 if header.kind in _WITHOUT_CONTENT else header.size)
        padding = -content.left % BLOCK
        verdict = _judge(header, limits)
        if isinstance(verdict, str):
            yield await _member(verdict, feed, content)
        else:
            yield verdict
        await content.skip()
        await feed.skip(padding)
    await feed.drain()


async def _member(name: str, feed: Feed, content: Stretch) -> Member:
    size = content.left
    if size > _SMALL:
        return Member(name, size, content)
    body = await feed.take(size)
    content.left = 0
    return Member(name, size, body)


def _judge(header: Header, limits: ArchiveLimits) -> str | Skipped | Refused:
    if header.kind not in _FILES:
        return Skipped(printable(header.name), _REASONS.get(header.kind, "special"))
    if header.name.endswith(b"/"):  # how a v7 tar marks them
        return Skipped(printable(header.name), "directory")
    return screen(header.name, header.size, limits)


async def _next_header(feed: Feed, shared: _Pax) -> Header | None:
    """Return the next member's header, with all that extends it; None at the end of the tar.

    What global pax headers say is added to ``shared``.
    """
    own: _Pax = {}
    for _ in range(_MOST_EXTENSIONS + 1):
        block = await feed.take(BLOCK)
        if block == END:
            await _pass_end(feed)
            return None
        with _broken_if_out_of_form(feed):
            header = decode(block)
        match header.kind:
            case b"x" | b"X":
                own |= await _pax(feed, header)
            case b"g":
                shared |= await _pax(feed, header)
            case b"L":
                own[b"path"] = (await _extension(feed, header)).partition(b"\0")[0]
            case b"K":
                await _extension(feed, header)
            case _:
                await _pass_sparse_map(feed, header, block)
                with _broken_if_out_of_form(feed):
                    return amend(header, shared | own) if own or shared else header
    raise feed.broken(f"More than {_MOST_EXTENSIONS} headers extend one member")


async def _pass_end(feed: Feed) -> None:
    if await feed.take(BLOCK) != END:
        raise feed.broken("There is a lone empty block where a header should be")


async def _pax(feed: Feed, header: Header) -> _Pax:
    data = await _extension(feed, header)
    with _broken_if_out_of_form(feed):
        return records(data)


@contextmanager
def _broken_if_out_of_form(feed: Feed) -> Iterator[None]:
    try:
        yield
    except ValueError as exc:
        raise feed.broken(f"A header is damaged: {exc}") from exc


async def _extension(feed: Feed, header: Header) -> bytes:
    if header.size > _LONGEST_EXTENSION:
        raise feed.broken(f"A header has an extension of {header.size} bytes")
    data = await feed.take(header.size)
    await feed.skip(-header.size % BLOCK)
    return data


async def _pass_sparse_map(feed: Feed, header: Header, block: bytes) -> None:
    """Pass over the blocks that carry on a GNU sparse header; its size does not count them."""
    more = header.kind == b"S" and block[482]
    while more:
        more = (await feed.take(BLOCK))[504]
