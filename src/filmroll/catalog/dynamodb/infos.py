"""Information about images, and the index by which those that look alike are found.

A hash stands in the table once for each of its bands, under a partition of its own: a search reads
the few bands of which each near hash has at least one, see ``near_bands``.
"""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import AsyncIterator

from filmroll.catalog import rules
from filmroll.catalog.dynamodb.merging import merged
from filmroll.catalog.dynamodb.part import Part
from filmroll.catalog.dynamodb.record import pack, unpack
from filmroll.catalog.dynamodb.schema import RECORD, moment
from filmroll.catalog.dynamodb.table import Item, Key, text, together
from filmroll.model import Image, Info, bands, distance, near_bands
from filmroll.ports import Similar


class Infos(Part):
    """The part of the catalog that knows what pictures look like."""

    async def get_info(self, image: str) -> Info | None:
        item = await self._table.get(_key(image))
        return None if item is None else unpack(Info, item["info"])

    async def put_info(self, image: str, info: Info) -> bool:
        record = (await self._read(image)).image
        if record is None or not rules.live(record):
            return False
        kept = await self.get_info(image)
        places = _places(record, info)
        # First the places: if this ends half-way, the image is found, and described once more.
        added = [
            {"pk": text(pk), "sk": text(sk), "phash": text(info.phash or "")} for pk, sk in places
        ]
        await together([self._table.put(item) for item in added])
        await self._table.put({"pk": text(_key(image)), "sk": text(RECORD), "info": pack(info)})
        if kept is not None:
            await self._table.delete_all(sorted({*_places(record, kept)} - {*places}))
        # Looked at afterwards: whoever buries it from now on finds them.
        if rules.live((await self._read(image)).image):
            return True
        await self._drop_info(record)
        return False

    async def _drop_info(self, image: Image) -> None:
        kept = await self.get_info(image.id)
        if kept is not None:
            await self._table.delete_all([*_places(image, kept), (_key(image.id), RECORD)])

    def _looking_like(
        self, similar: Similar, first: str, last: str, limit: int
    ) -> AsyncIterator[tuple[str, str]]:
        """Yield places and ids of images whose hash is near enough, newest first.

        ``limit`` is how many are read of a band at a time.
        """
        near = near_bands(similar.phash, similar.distance)
        pages = [
            self._table.query(_band(band), first, last, backwards=True, limit=limit)
            for band in near
        ]
        return _once(merged([_alike(page, similar) for page in pages]))


async def _alike(items: AsyncIterator[Item], similar: Similar) -> AsyncIterator[tuple[str, str]]:
    async for item in items:
        if distance(item["phash"]["S"], similar.phash) <= similar.distance:
            place = item["sk"]["S"]
            yield place, place.partition("#")[2]


async def _once(places: AsyncIterator[tuple[str, str]]) -> AsyncIterator[tuple[str, str]]:
    """Yield what comes several times in a row, out of several bands, once."""
    last = None
    async for place in places:
        if place != last:
            yield place
        last = place


def _places(image: Image, info: Info) -> list[Key]:
    """Return where the index has an image that looks so."""
    if info.phash is None:
        return []
    place = moment(image.created_at, image.id)
    return [(_band(band), place) for band in bands(info.phash)]


def _band(band: int) -> str:
    return f"looks#{band:05x}"


def _key(image: str) -> str:
    return f"info#{image}"
