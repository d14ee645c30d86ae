"""The direct call: how many fetches it makes at once."""

import asyncio

from filmroll.model import Job, JobKind, JobState, Lane, new_id, now
from filmroll.queues.memory import MemoryQueue
from filmroll.usecases import jobs as module
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.outbox import Outbox
from tests.unit.usecases.house import House


async def test_fetches_that_hang_take_only_so_many_direct_calls() -> None:
    house, queue, may_end = House(), MemoryQueue(max_attempts=2), asyncio.Event()
    under_way: list[str] = []

    async def hang(job: Job) -> Job:
        under_way.append(job.id)
        await may_end.wait()
        return job

    house.errands[JobKind.FETCH] = hang
    outbox = Outbox(house.catalog, queue)
    jobs = Jobs(house.catalog, outbox, house.processing)
    many = [
        Job(
            id=new_id(),
            image="",
            instructions=(),
            created_at=now(),
            due_at=now() + 60,
            kind=JobKind.FETCH,
            lane=Lane.IO,
        )
        for _ in range(module._FETCHES + 5)
    ]
    for job in many:
        await house.catalog.add_job(job)
    done = await asyncio.gather(*(jobs.run(job.id, 0.1) for job in many))
    assert done == [None] * len(many)
    assert len(under_way) == module._FETCHES
    sent = [one.job for one in await queue.receive(Lane.IO, 100, 60, 0)]
    assert sorted(sent + under_way) == sorted(job.id for job in many)
    may_end.set()
    await outbox.drain()
    after = Job(
        id=new_id(), image="", instructions=(), created_at=1.0, due_at=1.0, kind=JobKind.FETCH
    )
    await house.catalog.add_job(after)
    found = await jobs.run(after.id, 5)
    assert found is not None
    assert found.state is JobState.SUCCEEDED
