"""Jobs and variants: how attempts end, whatever the engine does."""

import pytest

from filmroll.errors import EngineCrashed, StoreUnavailable
from filmroll.model import ImageState, JobState, now
from filmroll.usecases import process
from tests.unit.usecases.house import House


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


async def test_a_crash_of_the_engine_is_tried_again_at_once(house):
    image, job = await house.upload()
    house.engine.script = [EngineCrashed("signal 11")] * (process.MAX_CRASHES - 1)
    assert (await house.processing.run_job(job.id)).state is JobState.SUCCEEDED
    assert (await house.variant(image)).problem is None
    assert house.engine.calls == process.MAX_CRASHES
