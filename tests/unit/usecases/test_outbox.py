"""Jobs on their way to a worker."""

import pytest

from filmroll.errors import InternalError
from filmroll.model import JobState, Lane, now
from filmroll.ports import Depth
from filmroll.queues.memory import MemoryQueue
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.outbox import RESEND_SECONDS, Outbox
from tests.unit.usecases.house import House


@pytest.fixture
def house():
    return House()


@pytest.fixture
def queue():
    return MemoryQueue()


@pytest.fixture
def outbox(house, queue):
    return Outbox(house.catalog, queue)


async def test_a_job_that_waits_in_the_queue_is_not_overdue(house, queue, outbox):
    _, job = await house.upload()
    outbox.enqueue(job.id)
    await outbox.drain()
    assert (await queue.depth(Lane.INTERACTIVE)).waiting == 1
    assert await house.catalog.due_jobs(now() + RESEND_SECONDS - 60, 9) == []
    assert [each.id for each in await house.catalog.due_jobs(now() + RESEND_SECONDS, 9)] == [job.id]


async def test_a_job_whose_message_is_lost_is_overdue_soon(house, queue, outbox, monkeypatch):
    async def lose(lane, jobs):
        raise ConnectionError(lane, jobs)

    monkeypatch.setattr(queue, "send", lose)
    _, job = await house.upload()
    outbox.enqueue(job.id)
    await outbox.drain()
    assert [each.id for each in await house.catalog.due_jobs(now() + 61, 9)] == [job.id]


async def test_a_job_that_rests_after_a_direct_call_is_left_to_the_sweeper(house, queue, outbox):
    _, job = await house.upload()
    house.engine.script = [InternalError("it does not start")]
    jobs = Jobs(house.catalog, outbox, house.processing)
    assert await jobs.run(job.id, 0.05) is None
    await outbox.drain()
    resting = await house.catalog.get_job(job.id)
    assert (resting.state, resting.due_at) == (JobState.QUEUED, resting.lease_until)
    assert await queue.depth(Lane.INTERACTIVE) == Depth(waiting=0, leased=0, dead=0)
