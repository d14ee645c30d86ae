"""What ports.Catalog promises of information about images, and of those that look alike."""

import asyncio
import random
from dataclasses import replace

import pytest

from filmroll.model import MAX_DISTANCE, distance
from filmroll.ports import ImageFilter, Similar
from tests.contract.records import image, info, variant

PHASH = "c4a3964c2bd72a5d"


def flipped(phash: str, *bits: int) -> str:
    """Return a hash with some of its bits, counted from the lowest, turned over."""
    return f"{int(phash, 16) ^ sum(1 << bit for bit in bits):016x}"


async def added(catalog, phash: str | None = PHASH, **fields):
    record = image(**fields)
    await catalog.add_image(record, None)
    assert await catalog.put_info(record.id, info(phash=phash))
    return record.id


async def found(catalog, most: int, phash: str = PHASH, limit: int = 100, **where) -> list[str]:
    """Return the ids of all pages, one after the other."""
    like = ImageFilter(similar=Similar(phash=phash, distance=most), **where)
    ids, cursor = [], None
    while True:
        page = await catalog.list_images(like, limit, cursor)
        ids += [item.id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return ids


async def test_information_comes_back_as_it_was(catalog):
    record, flat = image(), image()
    told, bare = info(), info(phash=None, palette=(), exif={}, icc_profile=None)
    await catalog.add_image(record, None)
    await catalog.add_image(flat, None)
    assert await catalog.get_info(record.id) is None
    assert await catalog.put_info(record.id, told)
    assert await catalog.put_info(flat.id, bare)
    assert await catalog.get_info(record.id) == told
    assert await catalog.get_info(flat.id) == bare
    assert await catalog.get_image(record.id) == record
    assert await catalog.list_variants(record.id) == []


async def test_an_image_that_is_not_there_has_none(catalog):
    assert not await catalog.put_info("nobody", info())
    assert await catalog.get_info("nobody") is None
    assert await found(catalog, MAX_DISTANCE) == []


async def test_information_goes_with_its_image(catalog):
    gone, left = await added(catalog), await added(catalog)
    await catalog.put_variants(gone, [variant(image=gone)])
    assert not await catalog.drop_variants(gone)  # of a living one nothing is dropped
    assert await catalog.get_info(gone) is not None
    await catalog.bury_image(gone, 1.0)
    assert await found(catalog, 0) == [left]
    assert await catalog.drop_variants(gone) == ["r1"]
    assert await catalog.get_info(gone) is None
    assert not await catalog.put_info(gone, info())
    assert await catalog.get_info(gone) is None
    assert await found(catalog, 0) == [left]


async def test_of_a_burial_and_information_at_once_nothing_is_left(catalog):
    for _ in range(20):
        record = image()
        await catalog.add_image(record, None)
        await asyncio.gather(
            catalog.put_info(record.id, info()), catalog.bury_image(record.id, 1.0)
        )
        await catalog.drop_variants(record.id)
        assert await catalog.get_info(record.id) is None
    assert await found(catalog, 0) == []


async def test_new_information_takes_the_place_of_old(catalog):
    other = "1234567812345678"
    mine, before = await added(catalog), await added(catalog)
    await catalog.put_info(mine, info(phash=other, width=7))
    assert (await catalog.get_info(mine)).width == 7
    assert await found(catalog, 0) == [before]
    assert await found(catalog, 0, other) == [mine]
    await catalog.put_info(mine, info(phash=None))
    assert await found(catalog, 0, other) == []


@pytest.mark.parametrize(
    "bits",
    [(), (0,), (63,), (15, 16), (0, 16, 32), (0, 1, 2), (0, 16, 32, 48), (1, 2, 17, 18, 33, 34)],
)
async def test_a_near_hash_is_found_from_its_distance_on(catalog, bits):
    near = await added(catalog, flipped(PHASH, *bits))
    for most in range(MAX_DISTANCE + 1):
        assert await found(catalog, most) == ([near] if most >= len(bits) else [])


async def test_every_near_hash_is_found_and_no_other(catalog):
    """Wherever the bits lie: held against each distance counted one by one."""
    dice = random.Random(20)
    hashes = {}
    for count in range(MAX_DISTANCE + 5):
        for _ in range(4):
            phash = flipped(PHASH, *dice.sample(range(64), count))
            hashes[await added(catalog, phash)] = phash
    for most in (0, 3, 4, MAX_DISTANCE):
        near = {id_ for id_, phash in hashes.items() if distance(phash, PHASH) <= most}
        assert set(await found(catalog, most)) == near


async def test_pages_are_newest_first_and_hold_each_once(catalog):
    ids = [
        await added(catalog, flipped(PHASH, number), created_at=1000.0 + number)
        for number in range(12)
    ]
    await added(catalog, flipped(PHASH, *range(30)), created_at=1005.5)
    for limit in (1, 5, 12):
        assert await found(catalog, 1, limit=limit) == ids[::-1]


async def test_likeness_is_one_condition_among_others(catalog):
    await added(catalog, created_at=10.0)
    tagged = await added(catalog, tags=("sea",), batch="b1", created_at=20.0)
    await added(catalog, flipped(PHASH, *range(20)), tags=("sea",), batch="b1", created_at=30.0)
    assert await found(catalog, 2, tag="sea") == [tagged]
    assert await found(catalog, 2, batch="b1") == [tagged]
    assert await found(catalog, 2, created_after=15.0) == [tagged]
    assert await found(catalog, 2, sha256="cd" * 32) == []


async def test_a_change_of_the_image_leaves_its_likeness(catalog):
    mine = await added(catalog, tags=("old",))
    record = await catalog.get_image(mine)
    await catalog.update_image(replace(record, tags=("new",), version=record.version + 1))
    assert await found(catalog, 0, tag="new") == [mine]
