"""What ports.Catalog promises of jobs, of every adapter."""

import asyncio
from dataclasses import replace

import pytest

from filmroll.model import ImageState, JobState, Lane
from tests.contract.records import PROBLEM, image, job, variant


@pytest.fixture
async def record(catalog):
    record = image()
    await catalog.add_image(record, None)
    return record


@pytest.fixture
async def queued(catalog, record):
    queued = job(image=record.id, lane=Lane.BULK, batch="b")
    await catalog.add_job(queued)
    return queued


async def test_a_job_comes_back_as_it_was(catalog, queued):
    assert await catalog.get_job(queued.id) == queued
    assert await catalog.get_job("none") is None


async def test_a_job_is_added_once(catalog, queued):
    attempt = await catalog.claim_job(queued.id, 100.0, 30.0)
    await catalog.add_job(queued)
    assert await catalog.get_job(queued.id) == attempt


async def test_a_claim_starts_an_attempt(catalog, queued):
    attempt = await catalog.claim_job(queued.id, 100.0, 30.0)
    assert attempt == replace(
        queued,
        state=JobState.RUNNING,
        attempts=1,
        lease_until=130.0,
        due_at=130.0,
        started_at=100.0,
    )
    assert await catalog.get_job(queued.id) == attempt
    assert await catalog.claim_job("none", 100.0, 30.0) is None


async def test_of_many_claims_one_wins(catalog, queued):
    claims = await asyncio.gather(*(catalog.claim_job(queued.id, 100.0, 30.0) for _ in range(64)))
    assert sum(claim is not None for claim in claims) == 1
    assert (await catalog.get_job(queued.id)).attempts == 1


async def test_a_lease_that_is_over_can_be_claimed(catalog, queued):
    await catalog.claim_job(queued.id, 100.0, 30.0)
    assert await catalog.claim_job(queued.id, 129.9, 30.0) is None
    second = await catalog.claim_job(queued.id, 130.0, 30.0)
    assert (second.attempts, second.lease_until, second.started_at) == (2, 160.0, 100.0)


async def test_a_lease_is_moved_by_its_own_attempt_only(catalog, queued):
    first = await catalog.claim_job(queued.id, 100.0, 30.0)
    assert await catalog.extend_job(first, 200.0)
    assert await catalog.claim_job(queued.id, 199.0, 30.0) is None
    stored = await catalog.get_job(queued.id)
    assert (stored.lease_until, stored.due_at) == (200.0, 200.0)
    second = await catalog.claim_job(queued.id, 200.0, 30.0)
    assert not await catalog.extend_job(first, 300.0)
    assert await catalog.extend_job(second, 300.0)
    assert not await catalog.extend_job(job(id="none"), 300.0)


async def test_an_end_is_written_whole(catalog, record, queued):
    attempt = await catalog.claim_job(queued.id, 100.0, 30.0)
    renamed = replace(record, name="renamed meanwhile", version=2)
    await catalog.update_image(renamed)
    ended = replace(attempt, state=JobState.FAILED, problem=PROBLEM, finished_at=110.0)
    outcome = replace(record, state=ImageState.FAILED, problem=PROBLEM, name="stale", bytes=1)
    made = variant(image=record.id)
    assert await catalog.finish_job(ended, outcome, [made])
    assert await catalog.get_job(queued.id) == ended
    assert await catalog.list_variants(record.id) == [made]
    assert await catalog.get_image(record.id) == replace(
        renamed, state=ImageState.FAILED, problem=PROBLEM, version=3
    )


async def test_an_end_may_leave_the_image_as_it_is(catalog, record, queued):
    attempt = await catalog.claim_job(queued.id, 100.0, 30.0)
    assert await catalog.finish_job(replace(attempt, state=JobState.SUCCEEDED), None, [])
    assert await catalog.get_image(record.id) == record


async def test_a_lost_attempt_writes_nothing(catalog, record, queued):
    first = await catalog.claim_job(queued.id, 100.0, 30.0)
    second = await catalog.claim_job(queued.id, 200.0, 30.0)
    ended = replace(first, state=JobState.SUCCEEDED)
    ready = replace(record, state=ImageState.READY)
    assert not await catalog.finish_job(ended, ready, [variant(image=record.id)])
    assert await catalog.get_job(queued.id) == second
    assert await catalog.get_image(record.id) == record
    assert await catalog.list_variants(record.id) == []


async def test_an_attempt_ends_once(catalog, queued):
    attempt = await catalog.claim_job(queued.id, 100.0, 30.0)
    ends = [replace(attempt, state=JobState.SUCCEEDED, finished_at=float(n)) for n in range(64)]
    won = await asyncio.gather(*(catalog.finish_job(end, None, []) for end in ends))
    assert sum(won) == 1
    assert await catalog.get_job(queued.id) == ends[won.index(True)]
    assert await catalog.claim_job(queued.id, 1e12, 30.0) is None
    assert not await catalog.extend_job(attempt, 1e12)


async def test_an_attempt_can_give_the_job_back(catalog, queued):
    attempt = await catalog.claim_job(queued.id, 100.0, 30.0)
    back = replace(attempt, state=JobState.QUEUED, lease_until=0.0, due_at=105.0)
    assert await catalog.finish_job(back, None, [])
    assert [each.id for each in await catalog.due_jobs(105.0, 9)] == [queued.id]
    assert (await catalog.claim_job(queued.id, 106.0, 30.0)).attempts == 2


async def test_an_attempt_that_is_released_does_not_count(catalog, queued):
    first = await catalog.claim_job(queued.id, 100.0, 30.0)
    assert await catalog.release_job(first, 500.0)
    released = replace(queued, due_at=500.0, started_at=100.0)
    assert await catalog.get_job(queued.id) == released
    assert not await catalog.release_job(first, 600.0)
    again = await catalog.claim_job(queued.id, 101.0, 30.0)
    assert again.attempts == 1
    later = await catalog.claim_job(queued.id, 200.0, 30.0)
    assert later.attempts == 2
    assert not await catalog.release_job(again, 600.0)
    assert await catalog.get_job(queued.id) == later


async def test_a_job_that_rests_is_not_claimed(catalog, queued):
    attempt = await catalog.claim_job(queued.id, 100.0, 30.0)
    back = replace(attempt, state=JobState.QUEUED, lease_until=105.0, due_at=105.0)
    assert await catalog.finish_job(back, None, [])
    assert await catalog.claim_job(queued.id, 104.9, 30.0) is None
    await catalog.postpone_jobs([back], 999.0)
    assert (await catalog.claim_job(queued.id, 105.0, 30.0)).attempts == 2


async def test_a_job_is_cancelled_unless_it_is_final(catalog, queued):
    assert await catalog.cancel_job("none", 1.0) is None
    attempt = await catalog.claim_job(queued.id, 100.0, 30.0)
    cancelled = await catalog.cancel_job(queued.id, 110.0)
    assert cancelled == replace(attempt, state=JobState.CANCELLED, finished_at=110.0)
    assert await catalog.cancel_job(queued.id, 120.0) == cancelled
    assert await catalog.get_job(queued.id) == cancelled
    assert not await catalog.finish_job(replace(attempt, state=JobState.SUCCEEDED), None, [])


async def test_an_upload_whose_job_is_cancelled_is_ready_with_what_was_made(catalog):
    record = image(declared=("resize:width=1", "resize:width=2"))
    await catalog.add_image(record, job(id=record.id, image=record.id))
    made = variant(image=record.id, instructions="resize:width=2")
    await catalog.put_variants(record.id, [made])
    await catalog.cancel_job(record.id, 110.0)
    ready = replace(record, state=ImageState.READY, declared=("resize:width=2",), version=2)
    assert await catalog.get_image(record.id) == ready
    await catalog.cancel_job(record.id, 120.0)
    assert await catalog.get_image(record.id) == ready


async def test_an_image_is_not_touched_when_a_later_job_is_cancelled(catalog, record, queued):
    await catalog.cancel_job(queued.id, 110.0)
    assert await catalog.get_image(record.id) == record


async def test_jobs_that_are_due(catalog):
    for id_, due_at in {"c": 30.0, "a": 10.0, "b": 20.0, "done": 5.0}.items():
        await catalog.add_job(job(id=id_, due_at=due_at))
    await catalog.cancel_job("done", 1.0)
    assert [each.id for each in await catalog.due_jobs(20.0, 10)] == ["a", "b"]
    assert [each.id for each in await catalog.due_jobs(99.0, 2)] == ["a", "b"]
    known = [await catalog.get_job(id_) for id_ in ("a", "done")]
    await catalog.postpone_jobs([*known, job(id="none")], 40.0)
    assert [each.id for each in await catalog.due_jobs(99.0, 10)] == ["b", "c", "a"]
    assert (await catalog.get_job("a")).due_at == 40.0
    assert (await catalog.get_job("done")).due_at == 5.0


async def test_jobs_that_ended_long_ago_are_forgotten(catalog, queued):
    for number in range(1100):
        await catalog.add_job(job(id=f"{number:04}"))
    await asyncio.gather(*(catalog.cancel_job(f"{n:04}", 100.0 + n) for n in range(1100)))
    await catalog.expire_jobs(100.0 + 1050)
    assert await catalog.get_job("1049") is None
    assert (await catalog.get_job("1050")).state is JobState.CANCELLED
    assert await catalog.get_job(queued.id) == queued


async def test_a_job_that_an_attempt_has_moved_is_not_postponed(catalog, queued):
    attempt = await catalog.claim_job(queued.id, 100.0, 30.0)
    await catalog.postpone_jobs([queued], 999.0)
    assert await catalog.get_job(queued.id) == attempt
    await catalog.postpone_jobs([attempt], 999.0)
    assert await catalog.get_job(queued.id) == replace(attempt, due_at=999.0)


async def test_a_running_job_is_due_at_the_end_of_its_lease(catalog, queued):
    await catalog.claim_job(queued.id, 100.0, 30.0)
    assert await catalog.due_jobs(129.0, 10) == []
    assert [each.id for each in await catalog.due_jobs(130.0, 10)] == [queued.id]


async def test_a_job_that_was_postponed_is_due_at_the_end_of_its_lease(catalog, queued):
    await catalog.postpone_jobs([queued], 999.0)
    await catalog.claim_job(queued.id, 100.0, 30.0)
    assert [each.id for each in await catalog.due_jobs(130.0, 10)] == [queued.id]
