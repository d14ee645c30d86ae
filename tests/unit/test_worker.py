"""The worker's loops, over stores in memory."""

import asyncio

import pytest

from filmroll import worker
from filmroll.catalog.tombstones import Tombstones
from filmroll.errors import StoreUnavailable
from filmroll.fetch import GuardedClient
from filmroll.model import JobState, Lane
from filmroll.queues.memory import MemoryQueue
from filmroll.telemetry import Metrics
from filmroll.usecases import process
from filmroll.usecases.housekeeping import Housekeeping
from filmroll.usecases.webhooks.announcing import Announcer
from filmroll.usecases.webhooks.sending import Sender
from filmroll.worker import Worker
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
    started = Worker(
        queue=queue,
        processor=house.processing,
        housekeeping=Housekeeping(
            blobs=house.blobs, catalog=house.catalog, queue=queue, epochs=epochs, spool=tmp_path
        ),
        announcer=Announcer(house.catalog),
        sender=Sender(house.catalog, poster),
        metrics=Metrics(),
        engines=2,
    )
    started.start()
    yield started
    await started.drain(30)
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
    depth = await queue.depth(Lane.INTERACTIVE)
    return depth.waiting + depth.leased


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
