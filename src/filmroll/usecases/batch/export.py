"""A whole batch on its way out: its images in the ledger's order, ready to be sent."""

import asyncio
import hashlib
import time
import zlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import BinaryIO

from filmroll.archives.writers import File
from filmroll.errors import (
    REFUSALS,
    Deleted,
    FilmrollError,
    InternalError,
    NotFound,
    Overloaded,
    StoreUnavailable,
)
from filmroll.instructions import Instructions
from filmroll.model import Batch, Image, Line
from filmroll.usecases.batch.batches import Batches
from filmroll.usecases.batch.naming import Names, safe_path, with_extension
from filmroll.usecases.download import Asset, Downloads
from filmroll.usecases.hot import LARGEST_BYTES
from filmroll.usecases.images import Images

_AHEAD = 4  # items made ready while one is sent: engines have work while bytes flow
_PATIENCE_SECONDS = 60.0  # with engines that have no place for an item
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Exported:
    """A file of the archive; its bytes are what they should be. Whoever gets it closes it."""

    file: File
    body: bytes | BinaryIO

    def close(self) -> None:
        """Let go of the bytes."""
        if not isinstance(self.body, bytes):
            self.body.close()


@dataclass(frozen=True, slots=True)
class Omitted:
    """An item that cannot be had as it is wanted, and why."""

    ref: str
    image: str
    problem: FilmrollError

    def close(self) -> None:
        """Do nothing: there are no bytes."""


_Ready = Exported | Omitted | None  # None: the image is deleted


class Export:
    """Makes whole batches ready to be sent, a few items at a time."""

    def __init__(self, *, batches: Batches, images: Images, downloads: Downloads) -> None:
        self._batches = batches
        self._images = images
        self._downloads = downloads

    async def items(
        self, batch: Batch, instructions: Instructions | None
    ) -> AsyncGenerator[Exported | Omitted]:
        """Yield the originals, or a variant of each; without those that were deleted.

        Of ``format=auto`` the one that any program opens: files outlive whoever asked for them.
        Raises what is the service's own fault: bytes that are lost or damaged, a store out of
        reach, engines that have had no place for an item for a minute.
        """
        names = Names()
        if instructions is not None:
            instructions = instructions.resolved("auto-basic")
        async with aclosing(self._ready(batch, instructions)) as ready:
            async for item in ready:
                if isinstance(item, Exported):
                    yield _named(item, names)
                elif item is not None:
                    yield item

    async def _ready(
        self, batch: Batch, instructions: Instructions | None
    ) -> AsyncGenerator[_Ready]:
        """Yield what becomes of each line, in order, while the next ones are made ready."""
        flights: deque[asyncio.Task[_Ready]] = deque()
        try:
            async for line in self._lines(batch):
                flights.append(asyncio.create_task(self._item(line, instructions)))
                if len(flights) > _AHEAD:
                    yield await _landed(flights)
            while flights:
                yield await _landed(flights)
        finally:
            await _abandon(flights)

    async def _lines(self, batch: Batch) -> AsyncIterator[Line]:
        async for page in self._batches.lines(batch.id, None):
            for line in page:
                if line.image is not None:
                    yield line

    async def _item(self, line: Line, instructions: Instructions | None) -> _Ready:
        assert line.image is not None, "only lines with an image come here"
        try:
            return await self._exported(line.ref, line.image, instructions)
        except (NotFound, Deleted):
            return None
        except REFUSALS as fault:
            return Omitted(line.ref, line.image, fault)
        except InternalError as fault:
            raise InternalError(f"The image {line.image} cannot be read.") from fault

    async def _exported(
        self, ref: str, image_id: str, instructions: Instructions | None
    ) -> Exported:
        name = safe_path(ref)
        if instructions is None:
            asset = await self._downloads.original(image_id)
            created_at = asset.created_at
        else:
            image = await self._images.get(image_id)
            created_at = image.created_at
            asset = await self._variant(image, instructions)
            name = with_extension(name, asset.format)
        asset, body, crc = await self._opened(asset)
        file = File(name=name, bytes=asset.bytes, crc=crc, modified_at=created_at)
        return Exported(file, body)

    async def _variant(self, image: Image, instructions: Instructions) -> Asset:
        """Describe a variant; wait if need be until engines have a place for it."""
        self._images.require_possible(image, [instructions])
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return await self._downloads.variant(image, instructions, lasting=False)
            except StoreUnavailable:
                raise
            except Overloaded as fault:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(fault.figures.get("retry_after", 1))

    async def _opened(self, asset: Asset) -> tuple[Asset, bytes | BinaryIO, int]:
        """Open the bytes and hold them against their digest; return their CRC-32 with them.

        Before the first one is sent: what is found to be damaged then spoils nothing.
        """
        if asset.bytes <= LARGEST_BYTES:
            asset, data = await self._downloads.read(asset)
            return asset, data, zlib.crc32(data)
        asset, file = await self._downloads.open(asset)
        try:
            return asset, file, await _checksum(file, asset.sha256)
        except BaseException:
            file.close()
            raise


async def _landed(flights: deque[asyncio.Task[_Ready]]) -> _Ready:
    """Wait for the first item; it leaves the line only when it is in the caller's hands."""
    item = await flights[0]
    flights.popleft()
    return item


async def _abandon(flights: Sequence[asyncio.Task[_Ready]]) -> None:
    """End what nobody waits for any more."""
    for flight in flights:
        flight.cancel()
    for item in await asyncio.gather(*flights, return_exceptions=True):
        if isinstance(item, Exported):
            item.close()


def _named(item: Exported, names: Names) -> Exported:
    name = names.take(item.file.name)
    return item if name == item.file.name else replace(item, file=replace(item.file, name=name))


async def _checksum(file: BinaryIO, sha256: str) -> int:
    """Return the CRC-32 of a file; raise InternalError if it has another sha256 (hex)."""
    digest, crc, more = hashlib.sha256(), 0, True
    file.seek(0)
    while more:
        crc, more = await asyncio.to_thread(_add_piece, file, digest, crc)
    if digest.hexdigest() != sha256:
        raise InternalError("The bytes are not those that were stored.")
    return crc


def _add_piece(file: BinaryIO, digest: "hashlib._Hash", crc: int) -> tuple[int, bool]:
    piece = file.read(_PIECE_BYTES)
    digest.update(piece)
    return zlib.crc32(piece, crc), bool(piece)
