"""Information about images, and the index by which those that look alike are found.

A hash stands in the table once for each of its bands, under a partition of its own: a search reads
the few bands of which each near hash has at least one, see ``near_bands``.
"""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from filmroll.catalog import rules
from filmroll.catalog.dynamodb.merging import merged
from filmroll.catalog.dynamodb.part import Part
from filmroll.catalog.dynamodb.record import pack, unpack
from filmroll.catalog.dynamodb.schema import RECORD, moment
from filmroll.catalog.dynamodb.table import Contested, Item, Key, contest, number, text, together
from filmroll.model import Image, Info, bands, distance, near_bands
from filmroll.ports import Similar


class Infos(Part):
    """The part of the catalog that knows what pictures look like."""

    async def get_info(self, image: str) -> Info | None:
        item = await self._table.get(_key(image))
        return unpack(Info, item["info"]) if item and "info" in item else None

    async def put_info(self, image: str, info: Info) -> bool:
        async def attempt() -> Image | None:
            record = (await self._read(image)).image
            if record is not None and rules.live(record):
                await self._describe(record, info)
            return record

        async with self._turn(_key(image)):
            record = await contest(attempt)
        if record is None:
            return False
        # Looked at afterwards: whoever buries it from now on finds all of it.
        if rules.live(record) and rules.live((await self._read(image)).image):
            return True
        await self._drop_info(record, info.phash)
        return False

    async def _describe(self, image: Image, info: Info) -> None:
        """Write information and its places; Contested if somebody else does so meanwhile.

        First the hash: however this ends, it is known where the image may stand. Then the places:
        if it ends half-way, the image is found, and described once more.
        """
        hashes = _hashes(info.phash)
        noted = await self._note(image.id, hashes)
        places = _places(image, hashes)
        added = [
            {"pk": text(pk), "sk": text(sk), "phash": text(info.phash or "")} for pk, sk in places
        ]
        await together([self._table.put(item) for item in added])
        await self._table.delete_all(sorted({*_places(image, _known(noted))} - {*places}))
        key = {"pk": text(_key(image.id)), "sk": text(RECORD)}
        whole = key | {"rev": noted["rev"], "info": pack(info)} | _attribute(hashes)
        if not await self._table.put(whole, "rev = :rev", rev=noted["rev"]):
            raise Contested

    async def _note(self, image: str, hashes: Sequence[str]) -> Item:
        """Note by which hashes an image is going to stand in the index; return all there is."""
        change = "ADD rev :one, hashes :hashes" if hashes else "ADD rev :one"
        values = {"one": number(1)} | _attribute(hashes)
        noted = await self._table.update((_key(image), RECORD), change, "", values)
        assert noted is not None, "it has no condition"
        return noted

    async def _drop_info(self, image: Image, phash: str | None = None) -> None:
        """Remove the information of an image; ``phash`` is one by which it may stand besides."""
        key = _key(image.id)
        item = await self._table.get(key)
        hashes = {*_known(item or {}), *_hashes(phash)}
        if item is not None or hashes:
            await self._table.delete_all([*_places(image, hashes), (key, RECORD)])

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


def _hashes(phash: str | None) -> Sequence[str]:
    return () if phash is None else (phash,)


def _known(item: Item) -> Sequence[str]:
    """Return the hashes by which the index may have an image."""
    known: Sequence[str] = item.get("hashes", {"SS": ()})["SS"]
    return known


def _attribute(hashes: Sequence[str]) -> dict[str, Any]:
    return {"hashes": {"SS": [*hashes]}} if hashes else {}  # no set is empty


def _places(image: Image, hashes: Iterable[str]) -> list[Key]:
    """Return where the index has an image that looks so."""
    place = moment(image.created_at, image.id)
    return [(_band(band), place) for phash in hashes for band in bands(phash)]


def _band(band: int) -> str:
    return f"looks#{band:05x}"


def _key(image: str) -> str:
    return f"info#{image}"
