"""The worker's loops, over stores in memory."""

import asyncio

import pytest

from filmroll import worker
from filmroll.catalog.tombstones import Tombstones
from filmroll.errors import StoreUnavailable
from filmroll.fetch import GuardedClient
from filmroll.model import Action, BatchState, ImageState, JobKind, JobState, Lane, now
from filmroll.queues.memory import MemoryQueue
from filmroll.telemetry import Metrics
from filmroll.usecases import process
from filmroll.usecases.batch.acting import Acting
from filmroll.usecases.batch.batches import Batches
from filmroll.usecases.housekeeping import Housekeeping
from filmroll.usecases.images import Images
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.webhooks.announcing import Announcer
from filmroll.usecases.webhooks.sending import Sender
from filmroll.worker import Worker
from tests.contract.records import image
from tests.unit.usecases.house import House


@pytest.fixture
def house():
    return House()


@pytest.fixture
def queue():
    return MemoryQueue(max_attempts=2)


@pytest.fixture
async def working(house, queue, tmp_path, monkeypatch):
    """A worker that sweeps often."""
    monkeypatch.setattr(worker, "SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(worker, "_RELEASE_SECONDS", 0.05)
    epochs = Tombstones(tmp_path / "epochs")
    poster = GuardedClient()
    outbox = Outbox(house.catalog, queue)
    announcer = Announcer(house.catalog)
    images = Images(house.blobs, house.catalog, epochs, announcer)
    acting = Acting(house.catalog, images, outbox)
    house.errands[JobKind.BATCH] = acting.run
    started = Worker(
        queue=queue,
        processor=house.processing,
        housekeeping=Housekeeping(
            blobs=house.blobs, catalog=house.catalog, queue=queue, epochs=epochs, spool=tmp_path
        ),
        announcer=announcer,
        acting=acting,
        sender=Sender(house.catalog, poster),
        metrics=Metrics(),
        engines=2,
    )
    started.start()
    yield started
    await started.drain(30)
    await outbox.drain()
    await poster.close()
    epochs.close()


async def ended(house, job):
    async with asyncio.timeout(10):
        while not (found := await house.catalog.get_job(job.id)).state.final:  # noqa: ASYNC110 -- it is a record
            await asyncio.sleep(0.01)
    return found


async def emptied(queue):
    async with asyncio.timeout(10):
        while await messages(queue):  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.01)


async def messages(queue):
    depths = [await queue.depth(lane) for lane in Lane]
    return sum(depth.waiting + depth.leased for depth in depths)


@pytest.mark.usefixtures("working")
async def test_a_job_is_done_and_its_message_gone(house, queue):
    _, job = await house.upload()
    await queue.send(Lane.INTERACTIVE, [job.id])
    assert (await ended(house, job)).state is JobState.SUCCEEDED
    await emptied(queue)


@pytest.mark.usefixtures("working")
async def test_a_job_that_failed_in_passing_is_sent_again_when_it_is_due(house, queue, monkeypatch):
    monkeypatch.setattr(process, "LONGEST_DELAY_SECONDS", 0.2)
    _, job = await house.upload()
    house.engine.script = [StoreUnavailable("away")] * 3  # more often than a message is delivered
    await queue.send(Lane.INTERACTIVE, [job.id])
    done = await ended(house, job)
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 4)
    await emptied(queue)


@pytest.mark.usefixtures("working")
@pytest.mark.parametrize("many", [1, 3, 4, 21])
async def test_jobs_of_bulk_are_taken_several_at_a_time(house, queue, monkeypatch, many):
    asked = []
    receive = queue.receive

    async def received(lane, limit, lease, wait):
        taken = await receive(lane, limit, lease, wait)
        asked.append((lane, len(taken)))
        return taken

    monkeypatch.setattr(queue, "receive", received)
    house.engine.open.clear()
    jobs = [(await house.upload())[1] for _ in range(many)]
    await queue.send(Lane.BULK, [job.id for job in jobs])
    async with asyncio.timeout(10):
        while not house.engine.calls:  # noqa: ASYNC110 -- it is a number
            await asyncio.sleep(0.01)
    held = await queue.depth(Lane.BULK)
    assert 0 < held.leased <= 12  # six for each engine
    house.engine.open.set()
    for job in jobs:
        assert (await ended(house, job)).state is JobState.SUCCEEDED
    await emptied(queue)
    taken = [count for lane, count in asked if lane is Lane.BULK and count]
    assert sum(taken) == many - min(many, 4)  # a call that had been waiting took the first
    assert len(taken) <= -(-many // 4)


async def test_a_service_that_stops_leaves_the_rest_of_a_deletion_to_the_next(
    house, queue, working
):
    made = [image(tags=("t",), created_at=now() - 9, declared=()) for _ in range(2000)]
    for one in made:
        await house.catalog.add_image(one, None)
    outbox = Outbox(house.catalog, queue)
    batch = await Batches(house.catalog, outbox).act(
        Action.DELETE, name=None, where={"tag": "t"}, variants=(), webhook=None
    )
    async with asyncio.timeout(10):
        while not (await house.catalog.get_batch(batch.id)).counts.declared:  # noqa: ASYNC110 -- it is a record
            await asyncio.sleep(0)
    await working.drain(30)
    job = await house.catalog.get_job(batch.id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    left = await house.catalog.get_batch(batch.id)
    assert left.state is BatchState.OPEN
    assert 0 < left.counts.succeeded == left.counts.declared < len(made)
    found = [await house.catalog.get_image(one.id) for one in made]
    gone = sum(one.state is ImageState.DELETED for one in found)
    assert gone == left.counts.succeeded


async def test_a_job_that_takes_too_long_does_not_keep_a_worker_from_stopping(
    house, queue, working
):
    house.engine.open.clear()
    _, job = await house.upload()
    await queue.send(Lane.INTERACTIVE, [job.id])
    async with asyncio.timeout(10):
        while not house.engine.calls:  # noqa: ASYNC110 -- it is a number
            await asyncio.sleep(0.01)
        await working.drain(0.1)
    assert (await house.catalog.get_job(job.id)).state is JobState.RUNNING  # until its lease ends
