"""Bytes that go on where an upload's last ones ended."""

import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

from filmroll.errors import ChecksumMismatch, IncompleteBody, TooLarge
from filmroll.model import Upload
from filmroll.usecases.spool import Spool, Spools
from filmroll.usecases.uploads.parts import Parts
from filmroll.usecases.uploads.sizes import MAX_PART_BYTES, MAX_PARTS, most_bytes

# A crash costs no more than was sent in this time.
_PIECE_SECONDS = 10.0


class Digester(Protocol):
    """What makes a digest, as the objects of ``hashlib`` do."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """Return the digest of all of them."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a client says that its bytes hash to."""

    digester: Digester
    announced: bytes


class Appending:
    """Appends to uploads; each stretch becomes a part of its own."""

    def __init__(self, parts: Parts, spools: Spools) -> None:
        self._parts = parts
        self._spools = spools

    async def append(self, upload: Upload, chunks: AsyncIterator[bytes]) -> None:
        """Keep bytes at the end of an upload, durable on return.

        They become parts as they come, and where they break off what came is kept. Raises
        TooLarge, and what Parts.take raises: OffsetMismatch if others append, too.
        """
        more = True
        while more:
            with closing(self._spool(upload, room(upload))) as spool:
                more = await _fill(spool, chunks, upload.part_bytes or 0)
                upload = await self._keep(upload, spool)

    async def append_checked(
        self, upload: Upload, chunks: AsyncIterator[bytes], checksum: Checksum
    ) -> None:
        """Keep all of the bytes, if their checksum is right, or none; else as ``append``.

        Raises ChecksumMismatch, and IncompleteBody where they break off.
        """
        limit = min(room(upload), MAX_PART_BYTES)
        with closing(self._spool(upload, limit)) as spool:
            spool.feed(checksum.digester)
            async for chunk in chunks:
                await spool.write(chunk)
            await spool.seal()
            if checksum.digester.digest() != checksum.announced:
                raise ChecksumMismatch(
                    "The bytes that arrived have another checksum than was announced. Send them "
                    "again."
                )
            await self._keep(upload, spool)

    def _spool(self, upload: Upload, limit: int) -> Spool:
        if upload.parts >= MAX_PARTS:
            detail = f"An upload comes in {MAX_PARTS} pieces at most: begin again with larger ones."
            raise TooLarge(detail, limit=MAX_PARTS)
        return self._spools.limited(limit, too_long)

    async def _keep(self, upload: Upload, spool: Spool) -> Upload:
        """Make a part of what came; return the upload as that leaves it."""
        if spool.bytes == 0:
            return upload
        part = await self._parts.take(upload, upload.parts + 1, spool, upload.received)
        return replace(upload, parts=part.number, received=upload.received + part.bytes)


def room(upload: Upload) -> int:
    """Return how many more bytes an upload takes."""
    whole = most_bytes(upload.purpose) if upload.bytes is None else upload.bytes
    return whole - upload.received


def too_long(limit: int, actual: int) -> TooLarge:
    """Return the error for more bytes than there is room for."""
    detail = f"There is room for {limit} bytes here: by the announced length, or by the limits."
    return TooLarge(detail, limit=limit, actual=actual)


async def _fill(spool: Spool, chunks: AsyncIterator[bytes], enough: int) -> bool:
    """Read bytes into a spool, and seal it once they are enough, or it takes long.

    False if no more will come.
    """
    until = time.monotonic() + _PIECE_SECONDS
    more = False
    try:
        async for chunk in chunks:
            await spool.write(chunk)
            more = spool.bytes >= enough or time.monotonic() >= until
            if more:
                break
    except IncompleteBody:
        more = False
    await spool.seal()
    return more
