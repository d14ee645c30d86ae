"""Jobs and variants: how attempts end, whatever the engine does."""

import asyncio

import pytest

from filmroll.errors import (
    CorruptImage,
    Deleted,
    EngineCrashed,
    InternalError,
    InvalidInstructions,
    Overloaded,
    ProcessingLimit,
    StoreUnavailable,
    TooManyPixels,
    UnknownWatermark,
    UnsupportedMedia,
)
from filmroll.instructions import parse
from filmroll.model import ImageState, Job, JobKind, JobState, Problem, new_id, now, original_key
from filmroll.ports import Fresh
from filmroll.usecases import process
from filmroll.usecases.errands import NotNow
from tests.unit.usecases.house import WANTED, House


@pytest.fixture
def house():
    return House()


async def dies_with_its_worker(house, job, at):
    """Claim as a worker does that is killed before it can say how it ended."""
    assert await house.catalog.claim_job(job.id, at, 0.0)


async def test_a_job_that_takes_its_workers_down_is_ended(house):
    image, job = await house.upload()
    for number in range(process.MAX_ATTEMPTS):
        await dies_with_its_worker(house, job, 100.0 + number)
    ended = await house.processing.run_job(job.id)
    assert (ended.state, ended.problem.code) == (JobState.FAILED, "engine-crashed")
    assert (await house.catalog.get_image(image.id)).state is ImageState.FAILED
    assert house.engine.calls == 0


async def test_a_job_gets_all_its_attempts(house):
    _, job = await house.upload()
    for number in range(process.MAX_ATTEMPTS - 1):
        await dies_with_its_worker(house, job, 100.0 + number)
    assert (await house.processing.run_job(job.id)).state is JobState.SUCCEEDED


async def test_a_job_rests_after_trouble_that_is_not_its_own(house):
    _, job = await house.upload()
    house.engine.script = [StoreUnavailable("away")]
    with pytest.raises(StoreUnavailable):
        await house.processing.run_job(job.id)
    resting = await house.processing.run_job(job.id)
    assert (resting.state, resting.attempts, house.engine.calls) == (JobState.QUEUED, 1, 1)
    assert now() < resting.lease_until == resting.due_at <= now() + 2
    assert await house.catalog.claim_job(job.id, resting.due_at, 60.0)


async def test_an_errand_that_is_put_off_is_an_attempt_that_does_not_count(house):
    async def put_off(_: Job) -> Job:
        raise NotNow(30.0)

    house.errands[JobKind.FETCH] = put_off
    job = Job(
        id=new_id(), image="", instructions=(), created_at=1.0, due_at=1.0, kind=JobKind.FETCH
    )
    await house.catalog.add_job(job)
    for _ in range(2):
        done = await house.processing.run_job(job.id)
        assert (done.state, done.attempts) == (JobState.QUEUED, 0)
        assert done.due_at == pytest.approx(now() + 30, abs=2)


async def test_a_crash_of_the_engine_is_tried_again_at_once(house):
    image, job = await house.upload()
    house.engine.script = [EngineCrashed("signal 11")] * (process.MAX_CRASHES - 1)
    assert (await house.processing.run_job(job.id)).state is JobState.SUCCEEDED
    assert (await house.variant(image)).problem is None
    assert house.engine.calls == process.MAX_CRASHES


async def test_a_variant_that_many_ask_for_at_once_is_made_once(house):
    image, _ = await house.upload()
    house.engine.open.clear()
    asking = [
        asyncio.create_task(house.processing.make_variant(image.id, WANTED)) for _ in range(32)
    ]
    await asyncio.sleep(0.01)
    house.engine.open.set()
    made = await asyncio.gather(*asking)
    assert {fresh.variant for fresh in made} == {await house.variant(image)}
    assert house.engine.calls == 1


PASSING = [EngineCrashed("x"), ProcessingLimit("x"), Problem.of(ProcessingLimit("x"))]
PASSING.append(Problem.of(InternalError("x")))


@pytest.mark.parametrize("fault", PASSING)
async def test_a_fault_that_may_pass_is_tried_again_then_is_the_end_of_a_job(house, fault):
    image, job = await house.upload()
    house.engine.script = [fault] * process.MAX_CRASHES
    ended = await house.processing.run_job(job.id)
    assert (ended.state, ended.attempts) == (JobState.FAILED, process.MAX_CRASHES)
    assert (await house.catalog.get_image(image.id)).problem == ended.problem


@pytest.mark.parametrize("fault", PASSING[1:])
async def test_a_fault_that_may_pass_is_not_kept(house, fault):
    image, _ = await house.upload()
    house.engine.script = [fault]
    with pytest.raises((ProcessingLimit, InternalError)):
        await house.processing.make_variant(image.id, WANTED)
    assert await house.variant(image) is None
    assert (await house.processing.make_variant(image.id, WANTED)).variant.problem is None


async def test_a_job_that_ended_by_it_does_not_bind_who_asks_later(house):
    image, job = await house.upload()
    house.engine.script = [Problem.of(ProcessingLimit("x"))] * process.MAX_CRASHES
    await house.processing.run_job(job.id)
    assert (await house.variant(image)).problem
    assert (await house.processing.make_variant(image.id, WANTED)).variant.problem is None
    assert (await house.variant(image)).problem is None


LASTING = [CorruptImage("x"), UnsupportedMedia("x"), TooManyPixels("x")]
LASTING += [Problem.of(InvalidInstructions("x")), Problem.of(UnknownWatermark("x"))]


@pytest.mark.parametrize("fault", LASTING)
async def test_a_fault_of_the_image_is_kept_and_told_again(house, fault):
    image, _ = await house.upload()
    house.engine.script = [fault]
    for _ in range(2):
        with pytest.raises((CorruptImage, UnsupportedMedia, TooManyPixels, InvalidInstructions)):
            await house.processing.make_variant(image.id, WANTED)
    assert house.engine.calls == 1


async def joined(house, image, job):
    """Ask for a variant that a job is making just then; return both tasks."""
    house.engine.open.clear()
    working = asyncio.create_task(house.processing.run_job(job.id))
    async with asyncio.timeout(5):
        while not house.engine.calls:  # noqa: ASYNC110 -- it is a number
            await asyncio.sleep(0)
    asking = asyncio.create_task(house.processing.make_variant(image.id, WANTED))
    await asyncio.sleep(0.01)
    return working, asking


async def test_who_joins_a_job_has_a_variant_that_is_recorded_though_the_job_is_cancelled(house):
    image, job = await house.upload()
    working, asking = await joined(house, image, job)
    await house.catalog.cancel_job(job.id, now())
    house.engine.open.set()
    assert (await asking).variant == await house.variant(image)
    await working
    assert house.engine.calls == 1


async def test_who_joins_a_job_is_told_that_the_image_was_deleted_meanwhile(house):
    image, job = await house.upload()
    working, asking = await joined(house, image, job)
    await house.catalog.bury_image(image.id, 0.0)
    house.engine.open.set()
    with pytest.raises(Deleted):
        await asking
    await working
    assert [blob.key async for blob in house.blobs.list("v/")] == []


async def test_an_original_that_is_lost_is_the_servers_fault(house):
    image, _ = await house.upload()
    await house.blobs.delete([original_key(image.id)])
    with pytest.raises(InternalError, match="missing or damaged"):
        await house.processing.make_variant(image.id, WANTED)
    with pytest.raises(InternalError, match="missing or damaged"):
        await house.processing.make_info(image.id)


async def test_an_original_that_goes_before_it_is_opened_was_deleted(house, monkeypatch):
    image, _ = await house.upload()

    async def gone(_key):
        await house.catalog.bury_image(image.id, 0.0)

    monkeypatch.setattr(house.blobs, "open", gone)
    with pytest.raises(Deleted):
        await house.processing.make_variant(image.id, WANTED)


async def test_a_heart_outlives_a_beat_that_fails(house, monkeypatch):
    monkeypatch.setattr(process, "LEASE_SECONDS", 0.3)
    extend, beats = house.catalog.extend_job, []

    async def fail_once(job, until):
        beats.append(until)
        if len(beats) == 1:
            raise StoreUnavailable("away")
        return await extend(job, until)

    monkeypatch.setattr(house.catalog, "extend_job", fail_once)
    _, job = await house.upload()
    house.engine.open.clear()
    working = asyncio.create_task(house.processing.run_job(job.id))
    await asyncio.sleep(0.5)
    assert (await house.catalog.get_job(job.id)).lease_until > now()
    house.engine.open.set()
    assert (await working).state is JobState.SUCCEEDED
    assert len(beats) > 2


async def test_a_crowd_that_comes_at_once_is_let_in_as_far_as_there_is_room(house):
    """Two slots and a line of four: each asks before any of the others has come to stand in it."""
    image, _ = await house.upload()
    house.engine.open.clear()
    wanted = [parse(f"resize:width={width}") for width in range(10, 30)]
    crowd = [asyncio.create_task(house.processing.make_variant(image.id, one)) for one in wanted]
    await asyncio.sleep(0.2)
    house.engine.open.set()
    ends = await asyncio.gather(*crowd, return_exceptions=True)
    assert sum(isinstance(end, Overloaded) for end in ends) == len(wanted) - 6
    assert sum(isinstance(end, Fresh) for end in ends) == 6
    assert not house.admission.full
