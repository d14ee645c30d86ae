"""The content of one member of a zip: unpacked, summed up, and compared with what was promised."""

import zlib

from filmroll.archives.feed import Feed
from filmroll.archives.items import ArchiveLimits
from filmroll.archives.trail import Trail
from filmroll.archives.unpack import STEP_IN, STEP_OUT, Inflate, Unpacker
from filmroll.archives.zip_headers import (
    DEFLATED,
    DESCRIPTOR,
    LONGEST_DESCRIPTOR,
    Entry,
    read_descriptor,
    signed_descriptors,
)
from filmroll.errors import CorruptMember, FilmrollError, TooLarge


class ZipContent:
    """Reads a member to its end, or passes over it; the feed stands at the next record then."""

    def __init__(self, feed: Feed, entry: Entry, limits: ArchiveLimits, trail: Trail) -> None:
        self._feed = feed
        self._entry = entry
        self._most = limits.member_bytes
        self._trail = trail
        self._unpacker = _unpacker(entry)
        self._start = feed.offset
        self._left = entry.packed
        self._crc = 0
        self._size = 0
        self._closed = False

    async def read(self) -> bytes:
        """Return the next bytes; none at the end.

        Raises CorruptMember if they are not what was promised, TooLarge if they are more than
        allowed. Raises BrokenArchive if nothing tells any more where the next member is.
        """
        if self._closed:
            return b""
        while not self._unpacker.eof:
            piece = await self._step()
            self._check_size()
            if piece:
                return piece
        await self._finish()
        return b""

    async def skip(self) -> None:
        """Pass over what is left. Raises BrokenArchive if nothing tells where it ends."""
        if self._closed:
            return
        if self._left is None:
            if not self._entry.is_readable:
                raise self._feed.broken("A member cannot be unpacked and does not say its size")
            while not self._unpacker.eof:
                await self._step()
        await self._close()

    async def _step(self) -> bytes:
        packed = await self._packed() if self._unpacker.needs_input else b""
        try:
            piece = self._unpacker.decompress(packed, STEP_OUT)
        except zlib.error as exc:
            raise self._fault("The packed bytes of a member are damaged") from exc
        self._trail.weigh(len(piece), self._feed.offset)
        self._crc = zlib.crc32(piece, self._crc)
        self._size += len(piece)
        return piece

    async def _packed(self) -> bytes:
        if self._left is None:
            return await self._feed.some(STEP_IN)
        if not self._left:
            raise self._fault("The packed bytes of a member end too early")
        piece = await self._feed.some(min(STEP_IN, self._left))
        self._left -= len(piece)
        return piece

    def _fault(self, what: str) -> FilmrollError:
        return self._feed.broken(what) if self._left is None else CorruptMember(f"{what}.")

    def _check_size(self) -> None:
        if self._entry.size is not None and self._size > self._entry.size:
            raise CorruptMember(
                f"It says that it has {self._entry.size} bytes, but there are more."
            )
        if self._size > self._most:
            raise TooLarge(
                f"It unpacks to more than the {self._most} bytes that are taken.", limit=self._most
            )

    async def _finish(self) -> None:
        packed = self._feed.offset - self._start - len(self._unpacker.unused_data)
        found = (self._crc, packed, self._size)
        if await self._close() != found:
            raise CorruptMember("Its checksum or its size is not what the archive says.")

    async def _close(self) -> tuple[int, int | None, int | None]:
        """Go to the end of the member; return the checksum and the sizes that were promised."""
        self._closed = True
        if self._left is None:
            self._feed.give_back(self._unpacker.unused_data)
        else:
            await self._feed.skip(self._left)
        if self._entry.described:
            return await read_descriptor(self._feed)
        return self._entry.crc, self._entry.packed, self._entry.size


class _Stored:
    """Nothing was packed: the content is so many bytes."""

    needs_input = True
    unused_data = b""

    def __init__(self, size: int) -> None:
        self._left = size

    @property
    def eof(self) -> bool:
        return not self._left

    def decompress(self, data: bytes, max_length: int) -> bytes:  # noqa: ARG002 - as others do
        self._left -= len(data)
        return data


class _StoredUntilDescriptor:
    """Nothing was packed, and the size was not known when the header was written.

    The content ends where a data descriptor follows that has the checksum and the size of all
    that came before it. A descriptor inside the content, of a zip within the zip, fits another.
    """

    needs_input = True

    def __init__(self) -> None:
        self.eof = False
        self.unused_data = b""
        self._held = b""
        self._crc = 0
        self._size = 0

    def decompress(self, data: bytes, max_length: int) -> bytes:  # noqa: ARG002 - as others do
        data = self._held + data
        end = self._pass_content(data)
        if self.eof:
            self.unused_data = data[end:]
        else:
            self._held = data[end:]
        return data[:end]

    def _pass_content(self, data: bytes) -> int:
        """Return how far the data is content for sure."""
        at = 0
        while (found := data.find(DESCRIPTOR, at)) >= 0:
            self._sum(data[at:found])
            if len(data) - found < LONGEST_DESCRIPTOR:
                return found
            if data.startswith(signed_descriptors(self._crc, self._size), found):
                self.eof = True
                return found
            at = found + 1
            self._sum(data[found:at])
        end = max(at, len(data) - len(DESCRIPTOR) + 1)
        self._sum(data[at:end])
        return end

    def _sum(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)


def _unpacker(entry: Entry) -> Unpacker:
    if entry.method == DEFLATED:
        return Inflate(-zlib.MAX_WBITS)
    return _StoredUntilDescriptor() if entry.packed is None else _Stored(entry.packed)
