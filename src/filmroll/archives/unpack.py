"""What is packed, unpacked in small steps: gzip and zstd streams, and the two ways of a zip.

A step takes 16 KiB at most and gives 64 KiB at most, so that nothing that unpacks to a thousand
times its size can take memory, or the event loop for long.
"""

import asyncio
import re
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from filmroll.archives.feed import Feed
from filmroll.archives.trail import Trail

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

STEP_IN = 16 * 1024  # bytes
STEP_OUT = 64 * 1024  # bytes

# What RFC 8878 asks every decoder to take; enough for what zstd makes up to level 19.
_ZSTD_WINDOW = 23  # log2 of bytes: 8 MiB


class Unpacker(Protocol):
    """Unpacks one frame or member. What follows its end waits in ``unused_data``."""

    @property
    def eof(self) -> bool: ...  # noqa: D102 - as in the standard library
    @property
    def needs_input(self) -> bool: ...  # noqa: D102 - as in the standard library
    @property
    def unused_data(self) -> bytes: ...  # noqa: D102 - as in the standard library

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take in ``data``, none unless ``needs_input``; return what comes of it so far."""


class Inflate:
    """zlib with the manners of zstd: what it could not yet take in waits inside."""

    def __init__(self, wbits: int) -> None:
        self._zlib = zlib.decompressobj(wbits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """Whether the end was reached."""
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        """What came after the end."""
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Unpack ``data``, or go on with what waits inside. Raises zlib.error."""
        piece = self._zlib.decompress(data or self._zlib.unconsumed_tail, max_length)
        self.needs_input = not self._zlib.unconsumed_tail and len(piece) < max_length
        return piece


@dataclass(frozen=True, slots=True)
class Compression:
    """A way to compress a whole tar: how a frame begins, and what unpacks it."""

    magic: re.Pattern[bytes]
    begin: Callable[[], Unpacker]


# Both verify the checksums of their frames. The second magic of zstd is that of a skippable frame.
GZIP = Compression(re.compile(rb"\x1f\x8b\x08"), lambda: Inflate(zlib.MAX_WBITS + 16))
ZSTD = Compression(
    re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    lambda: ZstdDecompressor(options={DecompressionParameter.window_log_max: _ZSTD_WINDOW}),
)


class Frames:
    """The bytes that a compressed stream holds, over all its frames.

    Zeros after a frame are padding. Whatever else comes after the last one is let go, as gzip
    and tar do.
    """

    def __init__(self, packed: Feed, compression: Compression, trail: Trail) -> None:
        self._packed = packed
        self._compression = compression
        self._trail = trail
        self._frame = compression.begin()

    def __aiter__(self) -> "Frames":
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece. Raises BrokenArchive for a damaged or cut stream, or a bomb."""
        await asyncio.sleep(0)  # others' turn: few packed bytes may hold work for seconds
        while not self._frame.eof or await self._next_frame():
            piece = await self._step()
            self._trail.weigh(len(piece), self._packed.offset)
            if piece:
                return piece
        raise StopAsyncIteration

    async def _step(self) -> bytes:
        packed = await self._packed.some(STEP_IN) if self._frame.needs_input else b""
        try:
            piece = self._frame.decompress(packed, STEP_OUT)
        except zlib.error as exc:
            raise self._packed.broken("The gzip stream is damaged") from exc
        except ZstdError as exc:
            what = "The zstd stream is damaged, or made with a window above 8 MiB (--long, --ultra)"
            raise self._packed.broken(what) from exc
        if self._frame.eof:
            self._packed.give_back(self._frame.unused_data)
        return piece

    async def _next_frame(self) -> bool:
        padding = True
        while padding and await self._packed.have(1):
            piece = (await self._packed.some()).lstrip(b"\0")
            self._packed.give_back(piece)
            padding = not piece
        await self._packed.have(4)
        if self._compression.magic.match(self._packed.peek(4)):
            self._frame = self._compression.begin()
            return True
        await self._packed.drain()
        return False
