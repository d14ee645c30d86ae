"""A stream of bytes in chunks of any size, read by need: so many bytes, or as many as are there."""

from collections.abc import AsyncIterator

from filmroll.archives.trail import Trail
from filmroll.errors import BrokenArchive

_PIECE = 256 * 1024  # bytes; a chunk of the stream that is larger goes on in pieces


class Feed:
    """What is in hand of a stream: little more than the chunk that came last."""

    def __init__(self, chunks: AsyncIterator[bytes], trail: Trail) -> None:
        self._chunks = chunks
        self._trail = trail
        self._data = b""
        self._at = 0
        self._came = 0

    @property
    def offset(self) -> int:
        """How many bytes were taken."""
        return self._came - len(self._data) + self._at

    async def have(self, count: int) -> bool:
        """Wait until so many bytes are in hand; False if the stream ends before."""
        if len(self._data) - self._at < count:
            await self._fill(count)
        return len(self._data) - self._at >= count

    def peek(self, count: int) -> bytes:
        """Return so many bytes without taking them, or as many as are in hand."""
        return self._data[self._at : self._at + count]

    async def take(self, count: int) -> bytes:
        """Take exactly so many bytes. Raises BrokenArchive if the stream ends before."""
        if not await self.have(count):
            raise self._cut()
        self._at += count
        return self._data[self._at - count : self._at]

    async def some(self, most: int = _PIECE) -> bytes:
        """Take one byte at least, and at most so many. Raises BrokenArchive if there are none."""
        if not await self.have(1):
            raise self._cut()
        piece = self.peek(min(most, _PIECE))
        self._at += len(piece)
        return piece

    def give_back(self, data: bytes) -> None:
        """Undo the taking of the last bytes, which are these."""
        if len(data) > self._at:
            self._data = data + self._data[self._at :]
            self._at = 0
        else:
            self._at -= len(data)

    async def skip(self, count: int) -> None:
        """Take so many bytes and let them go. Raises BrokenArchive if the stream ends before."""
        while count:
            if not await self.have(1):
                raise self._cut()
            step = min(count, len(self._data) - self._at)
            self._at += step
            count -= step

    async def drain(self) -> None:
        """Let go of all that comes until the stream ends."""
        while await self.have(1):
            self._at = len(self._data)

    def broken(self, what: str) -> BrokenArchive:
        """Return the fault that ends the reading, at this place."""
        return self._trail.broken(f"{what} (byte {self.offset}).")

    async def _fill(self, count: int) -> None:
        parts = [self._data[self._at :]]
        held = len(parts[0])
        async for chunk in self._chunks:
            parts.append(chunk)
            held += len(chunk)
            self._came += len(chunk)
            self._trail.bound(self._came)
            if held >= count:
                break
        self._data = b"".join(parts)
        self._at = 0

    def _cut(self) -> BrokenArchive:
        return self._trail.broken(f"The archive is cut short: it ends at byte {self._came}.")


class Stretch:
    """The next ``left`` bytes of a feed, as the content of a member."""

    __slots__ = ("_feed", "left")

    def __init__(self, feed: Feed, left: int) -> None:
        self._feed = feed
        self.left = left

    async def read(self) -> bytes:
        """Return the next bytes; none at the end. Raises BrokenArchive if the stream ends."""
        if not self.left:
            return b""
        piece = await self._feed.some(self.left)
        self.left -= len(piece)
        return piece

    async def skip(self) -> None:
        """Pass over what is left."""
        left, self.left = self.left, 0
        await self._feed.skip(left)
