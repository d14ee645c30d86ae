"""What a batch does with images that are there, with an attempt that breaks off at every step."""

import asyncio

import pytest

from filmroll.errors import InvalidRequest, StoreUnavailable
from filmroll.model import (
    Action,
    BatchState,
    Image,
    ImageState,
    JobKind,
    JobState,
    Lane,
    LineState,
    now,
)
from filmroll.ports import Standing
from filmroll.usecases.batch.acting import Acting
from filmroll.usecases.errands import NotNow
from filmroll.usecases.images import MAX_PAGE
from tests.contract.records import image, info
from tests.unit.usecases.batch.yard import SMALL, Broken, Yard

MANY = 450  # three pages


async def images(yard: Yard, count: int) -> list[Image]:
    """Keep images that carry a tag."""
    made = [image(tags=("t",), created_at=now() - 9, declared=()) for _ in range(count)]
    for one in made:
        await yard.catalog.add_image(one, None)
    return made


async def run(yard: Yard, batch) -> None:
    await yard.acting.run(await yard.catalog.get_job(batch.id))


async def buried(yard: Yard, made: list[Image]) -> int:
    found = [await yard.catalog.get_image(one.id) for one in made]
    return sum(one.state is ImageState.DELETED for one in found)


# The steps of a deletion of three pages are 6 calls of ``put_lines``: each page is written down,
# and told as deleted; and a call of ``bury_image`` for each image.
STEPS = [("put_lines", number) for number in range(1, 7)]
STEPS += [("bury_image", number) for number in (1, 100, 200, 201, 450)]
STEPS += [("list_images", 2), ("close_batch", 1)]


@pytest.mark.parametrize(("method", "number"), STEPS)
@pytest.mark.parametrize("done", [False, True])
async def test_a_deletion_that_breaks_off_is_ended_by_the_next_attempt(
    yard: Yard, method: str, number: int, *, done: bool
) -> None:
    made = await images(yard, MANY)
    batch = await yard.act(Action.DELETE, {"tag": "t"})
    Broken(yard.catalog, method, number, done=done)
    with pytest.raises(StoreUnavailable):
        await run(yard, batch)
    await run(yard, batch)
    lines = await yard.ledger(batch)
    assert lines.keys() == {one.id for one in made}
    assert {line.state for line in lines.values()} == {LineState.SUCCEEDED}
    assert await buried(yard, made) == MANY
    assert (await yard.catalog.get_batch(batch.id)).state is BatchState.COMPLETED
    await run(yard, batch)
    assert await yard.ledger(batch) == lines


@pytest.mark.parametrize("number", range(1, 7))
async def test_a_deletion_that_breaks_off_and_is_cancelled_tells_what_it_has_deleted(
    yard: Yard, number: int
) -> None:
    made = await images(yard, MANY)
    batch = await yard.act(Action.DELETE, {"tag": "t"})
    Broken(yard.catalog, "put_lines", number, done=True)
    with pytest.raises(StoreUnavailable):
        await run(yard, batch)
    await yard.batches.cancel(batch.id)
    await run(yard, batch)
    lines = await yard.ledger(batch)
    assert {line.state for line in lines.values()} <= {LineState.SUCCEEDED}
    assert await buried(yard, made) == len(lines) < MANY + 1
    assert (await yard.catalog.get_batch(batch.id)).state is BatchState.CANCELLED


async def test_one_that_is_to_stop_does_so_after_its_page_and_another_goes_on(yard: Yard) -> None:
    made = await images(yard, MANY)
    batch = await yard.act(Action.DELETE, {"tag": "t"})
    put_lines = yard.catalog.put_lines

    async def stop_then_put(*args):
        yard.acting.stop()
        return await put_lines(*args)

    yard.catalog.put_lines = stop_then_put
    with pytest.raises(NotNow):
        await run(yard, batch)
    assert await buried(yard, made) == MAX_PAGE
    with pytest.raises(NotNow):
        await run(yard, batch)
    yard.catalog.put_lines = put_lines
    await Acting(yard.catalog, yard.images, yard.outbox).run(await yard.catalog.get_job(batch.id))
    assert await buried(yard, made) == MANY
    assert (await yard.catalog.get_batch(batch.id)).state is BatchState.COMPLETED


@pytest.mark.parametrize("action", [Action.DELETE, Action.VARIANTS, Action.INFO])
async def test_the_job_of_a_batch_that_is_called_off_is_cancelled(yard: Yard, action) -> None:
    await images(yard, 3)
    batch = await yard.act(action, {"tag": "t"}, *([SMALL] if action is Action.VARIANTS else []))
    await yard.batches.cancel(batch.id)
    await run(yard, batch)
    assert await yard.ledger(batch) == {}
    assert (await yard.catalog.get_job(batch.id)).state is JobState.CANCELLED


async def test_a_ledger_that_takes_no_ends_keeps_no_attempt_for_ever(yard: Yard) -> None:
    await images(yard, 3)
    batch = await yard.act(Action.DELETE, {"tag": "t"})
    Broken(yard.catalog, "put_lines", 1, done=True)
    with pytest.raises(StoreUnavailable):
        await run(yard, batch)

    async def refuse(_: str, entries):
        return [Standing(entry.line, taken=False, open=False) for entry in entries]

    yard.catalog.put_lines = refuse
    async with asyncio.timeout(5):
        await run(yard, batch)


@pytest.mark.parametrize(("method", "number"), [("put_lines", 1), ("put_lines", 3)])
@pytest.mark.parametrize("done", [False, True])
async def test_variants_whose_making_breaks_off_are_all_begun(
    yard: Yard, method: str, number: int, *, done: bool
) -> None:
    made = await images(yard, MANY)
    batch = await yard.act(Action.VARIANTS, {"tag": "t"}, SMALL)
    Broken(yard.catalog, method, number, done=done)
    with pytest.raises(StoreUnavailable):
        await run(yard, batch)
    await run(yard, batch)
    lines = await yard.ledger(batch)
    assert lines.keys() == {one.id for one in made}
    assert {line.state for line in lines.values()} == {LineState.PROCESSING}
    due = await yard.catalog.due_jobs(now() + 10_000, 2 * MANY)
    assert sorted(job.image for job in due if job.ref) == sorted(lines)
    assert (await yard.catalog.get_batch(batch.id)).state is BatchState.SEALED


async def test_images_that_came_after_the_batch_are_left_alone(yard: Yard) -> None:
    old = await images(yard, 3)
    batch = await yard.act(Action.DELETE, {"tag": "t"})
    young = image(tags=("t",), created_at=now() + 5)
    await yard.catalog.add_image(young, None)
    await run(yard, batch)
    assert (await yard.ledger(batch)).keys() == {one.id for one in old}
    assert (await yard.catalog.get_image(young.id)).state is not ImageState.DELETED


async def test_images_that_are_deleted_meanwhile_are_no_trouble(yard: Yard) -> None:
    made = await images(yard, 5)
    batch = await yard.act(Action.VARIANTS, {"tag": "t"}, SMALL)
    list_variants = yard.catalog.list_variants

    async def delete_first(image_id: str):
        if image_id == made[2].id:
            await yard.images.delete(image_id)
        return await list_variants(image_id)

    yard.catalog.list_variants = delete_first
    await run(yard, batch)
    assert (await yard.ledger(batch)).keys() == {one.id for one in made} - {made[2].id}


async def test_only_images_are_looked_at_that_were_not_yet(yard: Yard) -> None:
    told, old, new = await images(yard, 3)
    await yard.catalog.put_info(told.id, info())
    await yard.catalog.put_info(old.id, info(version=0))
    batch = await yard.act(Action.INFO, {"tag": "t"})
    await run(yard, batch)
    lines = await yard.ledger(batch)
    assert lines[told.id].state is LineState.SUCCEEDED
    assert {lines[one.id].state for one in (old, new)} == {LineState.PROCESSING}
    due = [job for job in await yard.catalog.due_jobs(now() + 10_000, 10) if job.image]
    assert {job.image for job in due} == {old.id, new.id}
    assert {(job.kind, job.lane) for job in due} == {(JobKind.INFO, Lane.BULK)}


@pytest.mark.parametrize("action", [Action.DELETE, Action.INFO])
async def test_what_makes_no_variants_takes_none(yard: Yard, action) -> None:
    with pytest.raises(InvalidRequest):
        await yard.act(action, {"tag": "t"}, SMALL)
