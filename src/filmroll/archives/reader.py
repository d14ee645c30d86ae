"""Which kind of archive a stream is, by its first bytes, and the reader for it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from filmroll.archives.feed import Feed
from filmroll.archives.items import ArchiveLimits, Item
from filmroll.archives.tar import read_tar
from filmroll.archives.tar_headers import BLOCK, END, is_header
from filmroll.archives.trail import Trail
from filmroll.archives.unpack import GZIP, ZSTD, Frames
from filmroll.archives.zip import read_zip
from filmroll.archives.zip_headers import END as ZIP_END
from filmroll.archives.zip_headers import LOCAL
from filmroll.errors import UnsupportedMedia


async def read_archive(
    stream: AsyncIterator[bytes], limits: ArchiveLimits
) -> AsyncGenerator[Item, None]:
    """Yield what a tar, tar.gz, tar.zst or zip holds, in order, while it streams.

    A member whose ``chunks`` are not read to the end before the next item is asked for is passed
    over. The stream is read to its end, also behind the end of the archive; a second archive
    there is not looked at. What the stream raises passes through.

    Raises UnsupportedMedia if it is none of these kinds; BrokenArchive if it is cut short, damaged
    between members, or over the limits, once everything that came before has been yielded.
    """
    trail = Trail(limits)
    async with aclosing(await _open(Feed(stream, trail), limits, trail)) as items:
        async for item in items:
            trail.pass_member(item.name)
            yield item
            if trail.fault:  # met while the member was read, and told to its reader only
                raise trail.fault


async def _open(feed: Feed, limits: ArchiveLimits, trail: Trail) -> AsyncGenerator[Item, None]:
    await feed.have(BLOCK)
    head = feed.peek(BLOCK)
    if head.startswith((LOCAL, ZIP_END)):
        return read_zip(feed, limits, trail)
    for compression in (GZIP, ZSTD):
        if compression.magic.match(head):
            feed = Feed(Frames(feed, compression, trail), trail)
            await feed.have(BLOCK)
            head = feed.peek(BLOCK)
            break
    if len(head) == BLOCK and (head == END or is_header(head)):
        return read_tar(feed, limits)
    raise UnsupportedMedia("These bytes are not a tar, tar.gz, tar.zst or zip.")
