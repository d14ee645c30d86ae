"""What ports.Catalog promises of images and variants, of every adapter."""

import asyncio
from dataclasses import replace

import pytest

from filmroll.errors import InvalidRequest
from filmroll.model import ImageState, JobState, VariantState
from filmroll.ports import BatchFilter, ImageFilter
from tests.contract.records import PROBLEM, image, job, variant

EVERYTHING = ImageFilter()


def full_id(name: str) -> str:
    """Return an id that sorts as the name does."""
    return name.ljust(26, "0")


async def listed(catalog, where=EVERYTHING, limit=100):
    page = await catalog.list_images(where, limit, None)
    return [item.id for item in page.items]


async def walked(catalog, where, limit):
    """Return the ids of all pages, one after the other."""
    page = await catalog.list_images(where, limit, None)
    ids = [item.id for item in page.items]
    while page.next_cursor is not None:
        assert len(page.items) == limit
        page = await catalog.list_images(where, limit, page.next_cursor)
        ids += [item.id for item in page.items]
    return ids


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tags": ("a", "ä b", "a,b"), "batch": "b1"},
        {"state": ImageState.FAILED, "problem": PROBLEM, "name": None, "version": 7},
    ],
)
async def test_a_record_comes_back_as_it_was(catalog, fields):
    record = image(**fields)
    assert await catalog.add_image(record, None) == record
    assert await catalog.get_image(record.id) == record
    assert (await catalog.list_images(EVERYTHING, 1, None)).items == (record,)


async def test_an_unknown_image_is_none(catalog):
    assert await catalog.get_image("none") is None


async def test_an_image_brings_its_job(catalog):
    record = image()
    await catalog.add_image(record, job(id=record.id, image=record.id))
    assert await catalog.get_job(record.id) == job(id=record.id, image=record.id)


async def test_an_id_is_added_once(catalog):
    first = image(name="first")
    await catalog.add_image(first, None)
    second = replace(first, name="second", tags=("t",))
    assert await catalog.add_image(second, job(id=first.id, image=first.id)) == first
    assert await catalog.get_image(first.id) == first
    assert await catalog.get_job(first.id) is None
    assert await listed(catalog, ImageFilter(tag="t")) == []


async def test_of_many_that_add_one_id_all_get_the_same(catalog):
    rivals = [image(id="same", name=str(number)) for number in range(64)]
    stored = await asyncio.gather(*(catalog.add_image(rival, None) for rival in rivals))
    assert len(set(map(str, stored))) == 1
    assert await catalog.get_image("same") == stored[0]


async def test_an_update_needs_the_version_before(catalog):
    record = image(tags=("old", "both"))
    await catalog.add_image(record, None)
    following = replace(record, name="new", tags=("both", "new"), version=2)
    assert not await catalog.update_image(replace(following, version=1))
    assert not await catalog.update_image(replace(following, version=3))
    assert await catalog.get_image(record.id) == record
    assert await catalog.update_image(following)
    assert await catalog.get_image(record.id) == following
    assert not await catalog.update_image(image(version=2))
    for tag, ids in {"old": [], "both": [record.id], "new": [record.id]}.items():
        assert await listed(catalog, ImageFilter(tag=tag)) == ids


async def test_of_many_updates_of_one_version_one_wins(catalog):
    record = image()
    await catalog.add_image(record, None)
    rivals = [replace(record, name=str(number), version=2) for number in range(64)]
    won = await asyncio.gather(*(catalog.update_image(rival) for rival in rivals))
    assert sum(won) == 1
    assert await catalog.get_image(record.id) == rivals[won.index(True)]


# ---------------------------------------------------------------------------------- listings


async def test_a_listing_is_newest_first(catalog):
    times = {"c": 3.0, "a": 1.0, "b2": 2.0, "b1": 2.0, "d": 4.5}
    for name, created_at in times.items():
        await catalog.add_image(image(id=full_id(name), created_at=created_at), None)
    newest_first = [full_id(name) for name in ("d", "c", "b2", "b1", "a")]
    assert await listed(catalog) == newest_first
    assert await walked(catalog, EVERYTHING, 2) == newest_first
    assert await walked(catalog, EVERYTHING, 5) == newest_first


async def test_all_conditions_hold_at_once(catalog):
    whole = {"tags": ("x", "y"), "batch": "b", "sha256": "11" * 32, "created_at": 10.0}
    await catalog.add_image(image(id="hit", **whole), None)
    misses = [{"tags": ("xy",)}, {"batch": None}, {"sha256": "22" * 32}, {"created_at": 5.0}]
    for number, miss in enumerate(misses):
        await catalog.add_image(image(id=f"miss{number}", **(whole | miss)), None)
    where = ImageFilter(tag="x", batch="b", sha256="11" * 32, created_after=5.0)
    assert await listed(catalog, where) == ["hit"]
    assert len(await listed(catalog, ImageFilter(tag="y"))) == 4
    assert len(await listed(catalog, ImageFilter(batch="b"))) == 4
    assert len(await listed(catalog, ImageFilter(sha256="11" * 32))) == 4
    assert len(await listed(catalog, ImageFilter(created_after=5.0))) == 4


@pytest.mark.parametrize(
    "where",
    [EVERYTHING, ImageFilter(tag="t"), ImageFilter(batch="b"), ImageFilter(sha256="11" * 32)],
)
async def test_pages_hold_still_while_images_come_and_go(catalog, where):
    same = {"tags": ("t",), "batch": "b", "sha256": "11" * 32}
    ids = [full_id(f"{number:03}") for number in range(30)]
    for number, id_ in enumerate(ids):
        await catalog.add_image(image(id=id_, created_at=1.0 + number // 4, **same), None)
    first = await catalog.list_images(where, 10, None)
    await catalog.add_image(image(created_at=1e9, **same), None)
    await catalog.bury_image(ids[5], 0)
    second = await catalog.list_images(where, 100, first.next_cursor)
    seen = [item.id for item in (*first.items, *second.items)]
    assert seen == [id_ for id_ in reversed(ids) if id_ != ids[5]]


async def test_a_cursor_is_of_one_listing_only(catalog):
    for number in range(5):
        await catalog.add_image(image(tags=("t",), created_at=float(number)), None)
    cursor = (await catalog.list_images(ImageFilter(tag="t"), 2, None)).next_cursor
    foreign = ["", "x", "ä", "{}", "bnVsbA", cursor[:-3], cursor + cursor, "W10", "MQ"]
    for where, wrong in [(EVERYTHING, cursor), *((ImageFilter(tag="t"), each) for each in foreign)]:
        with pytest.raises(InvalidRequest) as caught:
            await catalog.list_images(where, 2, wrong)
        assert caught.value.figures["pointer"] == "/cursor"


async def test_a_cursor_is_what_it_was_before_there_were_more_conditions(catalog):
    ids = ["1" * 26, "0" * 26, "2" * 26]
    for number, id_ in enumerate(ids):
        await catalog.add_image(image(id=id_, created_at=4.0 + number), None)
    written_before = "WzUuMCwgIjAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwIiwgIjdkMzYyMmJhMTc1ZSJd"
    assert (await catalog.list_images(EVERYTHING, 2, None)).next_cursor == written_before
    (left,) = (await catalog.list_images(EVERYTHING, 2, written_before)).items
    assert left.id == ids[0]


@pytest.mark.parametrize("nothing", ["", "x" * 5000])
async def test_what_can_be_no_key_finds_nothing(catalog, nothing):
    await catalog.add_image(image(tags=("t",), batch="b"), None)
    for field in ("tag", "batch", "sha256"):
        assert await listed(catalog, ImageFilter(**{field: nothing})) == []
    assert (await catalog.list_batches(BatchFilter(name=nothing), 9, None)).items == ()
    assert await catalog.find_images([nothing]) == {}
    assert await catalog.get_presets([nothing]) == {}
    assert not await catalog.delete_preset(nothing)
    assert await catalog.get_endpoint(nothing) is None
    assert await catalog.get_image(nothing) is None
    assert await catalog.get_batch(nothing) is None
    assert await catalog.get_variant(nothing, nothing) is None
    assert await catalog.list_variants(nothing) == []
    assert await catalog.get_info(nothing) is None


# ---------------------------------------------------------------------------------- variants


async def test_variants_come_back_as_they_were(catalog):
    record = image()
    await catalog.add_image(record, None)
    late = variant(image=record.id, recipe="r1", created_at=9.0)
    early = variant(image=record.id, recipe="r2", created_at=8.0, state=VariantState.PENDING)
    assert await catalog.put_variants(record.id, [late, early])
    assert await catalog.get_variant(record.id, "r1") == late
    assert await catalog.list_variants(record.id) == [early, late]
    failed = replace(early, state=VariantState.FAILED, problem=PROBLEM)
    assert await catalog.put_variants(record.id, [failed])
    assert await catalog.list_variants(record.id) == [failed, late]
    assert await catalog.get_variant(record.id, "r3") is None
    assert await catalog.get_variant("other", "r1") is None


async def test_no_variant_without_its_image(catalog):
    assert not await catalog.put_variants("none", [variant(image="none")])
    assert await catalog.list_variants("none") == []


# ---------------------------------------------------------------------------------- deletion


async def test_a_tombstone_keeps_nothing_that_a_person_wrote(catalog):
    record = image(tags=("t",), batch="b", problem=PROBLEM)
    await catalog.add_image(record, None)
    assert await catalog.bury_image(record.id, 0)
    tombstone = await catalog.get_image(record.id)
    assert tombstone == replace(
        record,
        state=ImageState.DELETED,
        version=2,
        name=None,
        tags=(),
        metadata={},
        declared=(),
        ref=None,
        problem=None,
    )
    for where in (EVERYTHING, ImageFilter(tag="t"), ImageFilter(batch="b")):
        assert await listed(catalog, where) == []


async def test_an_image_is_buried_once(catalog):
    record = image()
    await catalog.add_image(record, None)
    won = await asyncio.gather(*(catalog.bury_image(record.id, n) for n in range(64)))
    assert sum(won) == 1
    assert not await catalog.bury_image("none", 0)
    assert await catalog.due_purges(won.index(True), 10) == [record.id]


async def test_nothing_can_be_added_to_a_tombstone(catalog):
    record = image()
    running = job(image=record.id)
    await catalog.add_image(record, running)
    attempt = await catalog.claim_job(running.id, 1, 1000)
    await catalog.bury_image(record.id, 0)
    tombstone = await catalog.get_image(record.id)

    ended = replace(attempt, state=JobState.SUCCEEDED)
    assert not await catalog.put_variants(record.id, [variant(image=record.id)])
    assert not await catalog.update_image(replace(record, version=3))
    assert not await catalog.finish_job(ended, record, [variant(image=record.id)])
    assert await catalog.add_image(record, None) == tombstone
    late = job(image=record.id)
    await catalog.add_job(late)

    assert await catalog.get_image(record.id) == tombstone
    assert await catalog.list_variants(record.id) == []
    assert (await catalog.get_job(late.id)).state is JobState.CANCELLED
    assert await catalog.claim_job(late.id, 1, 1) is None


async def test_the_jobs_of_a_buried_image_are_cancelled(catalog):
    record = image()
    queued, running, done = (job(image=record.id) for _ in range(3))
    other = job(image="another")
    await catalog.add_image(record, queued)
    for each in (running, done, other):
        await catalog.add_job(each)
    await catalog.claim_job(running.id, 1, 1000)
    attempt = await catalog.claim_job(done.id, 1, 1000)
    await catalog.finish_job(replace(attempt, state=JobState.SUCCEEDED), None, [])
    await catalog.bury_image(record.id, 0)
    states = [(await catalog.get_job(each.id)).state for each in (queued, running, done, other)]
    assert states == ["cancelled", "cancelled", "succeeded", "queued"]
    assert (await catalog.get_job(queued.id)).finished_at is not None
    assert [each.id for each in await catalog.due_jobs(1e12, 10)] == [other.id]


async def test_the_variants_of_a_tombstone_are_dropped(catalog):
    record = image()
    await catalog.add_image(record, None)
    await catalog.put_variants(record.id, [variant(image=record.id, recipe=r) for r in "abc"])
    assert list(await catalog.drop_variants(record.id)) == []
    await catalog.bury_image(record.id, 0)
    assert sorted(await catalog.drop_variants(record.id)) == ["a", "b", "c"]
    assert list(await catalog.drop_variants(record.id)) == []
    assert await catalog.list_variants(record.id) == []


async def test_tombstones_are_due_twice(catalog):
    for id_, purge_at in {"late": 30.0, "soon": 10.0, "next": 20.0}.items():
        await catalog.add_image(image(id=id_), None)
        await catalog.bury_image(id_, purge_at)
    assert await catalog.due_purges(9.9, 10) == []
    assert await catalog.due_purges(20.0, 10) == ["soon", "next"]
    assert await catalog.due_purges(99.0, 2) == ["soon", "next"]
    await catalog.purged("soon", 20.0, 40.0)
    await catalog.purged("none", 20.0, 40.0)
    assert await catalog.due_purges(99.0, 10) == ["next", "late", "soon"]
    await catalog.purged("soon", 40.0, 50.0)
    assert await catalog.due_purges(99.0, 10) == ["next", "late"]
    await catalog.purged("soon", 50.0, 60.0)
    assert await catalog.due_purges(99.0, 10) == ["next", "late"]
    assert (await catalog.get_image("soon")).state is ImageState.DELETED


async def test_sweepers_that_purge_at_once_are_the_first_time_together(catalog):
    await catalog.add_image(image(id="twice"), None)
    await catalog.bury_image("twice", 10.0)
    await asyncio.gather(*(catalog.purged("twice", 20.0 + n, 900.0 + n) for n in range(5)))
    assert await catalog.due_purges(899.9, 10) == []
    assert await catalog.due_purges(904.0, 10) == ["twice"]
    await asyncio.gather(*(catalog.purged("twice", 950.0, 1900.0) for _ in range(5)))
    assert await catalog.due_purges(1e12, 10) == []
