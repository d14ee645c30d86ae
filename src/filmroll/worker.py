"""The processing role's loops: jobs from the queue, webhooks, and the sweeper."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog

from filmroll.errors import Overloaded, StoreUnavailable
from filmroll.model import Job, JobState, Lane
from filmroll.ports import Delivery, JobQueue, Processor
from filmroll.telemetry import Metrics
from filmroll.usecases.batch.acting import Acting
from filmroll.usecases.housekeeping import Housekeeping
from filmroll.usecases.webhooks.announcing import Announcer
from filmroll.usecases.webhooks.sending import Sender

LEASE_SECONDS = 60.0
SWEEP_SECONDS = 5.0
OFTEN = 3  # sweeps: about four times a minute
SELDOM = 720  # about once an hour
_IO_HANDS = 32  # they wait most of the time; one host gets less
_ACK_SECONDS = 0.05
_TELL_SECONDS = 1.0
_WAIT_SECONDS = 5.0
_RELEASE_SECONDS = 2.0

log = structlog.get_logger()


class Worker:
    """Takes jobs as long as there are free hands; sweeps now and then."""

    def __init__(
        self,
        *,
        queue: JobQueue,
        processor: Processor,
        housekeeping: Housekeeping,
        announcer: Announcer,
        acting: Acting,
        sender: Sender,
        metrics: Metrics,
        engines: int,
    ) -> None:
        """``engines`` is how many of them may work at once.

        More jobs are in hand: some are read or written while others are made. Those of bulk come
        several at a time, and share the commits that take, claim and end them.
        """
        self._queue = queue
        self._processor = processor
        self._housekeeping = housekeeping
        self._announcer = announcer
        self._acting = acting
        self._sender = sender
        self._metrics = metrics
        many = {Lane.INTERACTIVE: 2 * engines, Lane.BULK: 6 * engines, Lane.IO: _IO_HANDS}
        self._hands = {lane: asyncio.Semaphore(many[lane]) for lane in Lane}
        self._at_once = {Lane.INTERACTIVE: 1, Lane.BULK: 2 * engines, Lane.IO: 1}
        self._loops: list[asyncio.Task[None]] = []
        self._jobs: set[asyncio.Task[None]] = set()
        self._done: list[Delivery] = []

    def start(self) -> None:
        """Begin to take jobs and to sweep."""
        self._loops = [asyncio.create_task(self._consume(lane)) for lane in Lane]
        self._loops.append(asyncio.create_task(self._sweep()))
        self._loops.append(asyncio.create_task(self._acknowledge_often()))
        self._loops.append(asyncio.create_task(self._tell()))

    async def drain(self, seconds: float) -> None:
        """Take nothing new; wait so long for the jobs in hand.

        Those that take longer are left: they come again once their lease is over.
        """
        self._acting.stop()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=seconds)
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, self._sender.drain(), return_exceptions=True)
        await _try(self._acknowledge)

    async def _consume(self, lane: Lane) -> None:
        """Take as many jobs as there are free hands, once there are enough of them."""
        hands, at_once = self._hands[lane], self._at_once[lane]
        while True:
            for _ in range(at_once):
                await hands.acquire()
            taken = await self._next(lane, at_once)
            for _ in range(at_once - len(taken)):
                hands.release()
            for delivery in taken:
                job = asyncio.create_task(self._handle(delivery))
                self._jobs.add(job)
                job.add_done_callback(self._jobs.discard)
                job.add_done_callback(lambda _: hands.release())

    async def _next(self, lane: Lane, limit: int) -> Sequence[Delivery]:
        try:
            return await self._queue.receive(lane, limit, LEASE_SECONDS, _WAIT_SECONDS)
        except Exception:
            log.exception("the queue does not answer", lane=lane)
            await asyncio.sleep(_RELEASE_SECONDS)
            return ()

    async def _handle(self, delivery: Delivery) -> None:
        heart = asyncio.create_task(self._beat(delivery))
        try:
            job = await self._run(delivery.job)
            # One that rests, or is in other hands, is sent again by the sweeper when it is due.
            self._done.append(delivery)
            if job is None or job.state.final:
                self._note(delivery, job)
        except Exception:
            log.exception("a job goes back to the queue", job=delivery.job)
            with suppress(Exception):  # its lease ends anyway
                await self._queue.release(delivery, _RELEASE_SECONDS)
        finally:
            heart.cancel()

    async def _acknowledge_often(self) -> None:
        while True:
            await asyncio.sleep(_ACK_SECONDS)
            await _try(self._acknowledge)

    async def _acknowledge(self) -> None:
        """Remove the messages of jobs that ended, those of one moment together.

        A message that is delivered again because of that finds its job done.
        """
        done, self._done = self._done, []
        if done:
            await self._queue.ack(done)

    async def _run(self, job: str) -> Job | None:
        """Run a job once the line has room; to give it back would count as a failed delivery."""
        while True:
            try:
                return await self._processor.run_job(job)
            except StoreUnavailable:
                raise
            except Overloaded:
                await asyncio.sleep(_RELEASE_SECONDS)

    async def _beat(self, delivery: Delivery) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with suppress(Exception):  # the next beat may get through
                await self._queue.extend(delivery, LEASE_SECONDS)

    def _note(self, delivery: Delivery, job: Job | None) -> None:
        state = job.state.value if job else "unknown"
        self._metrics.jobs.labels(state).inc()
        problem = job.problem.code if job and job.problem else None
        if delivery.lane is Lane.BULK and state == JobState.SUCCEEDED:  # the ledger says so
            return
        log.info("job", job=delivery.job, state=state, problem=problem)

    async def _tell(self) -> None:
        """Send webhooks as they become due."""
        while True:
            await _try(self._announcer.tell_ended)
            await _try(self._sender.send_due)
            await asyncio.sleep(_TELL_SECONDS)

    async def _sweep(self) -> None:
        duties = self._housekeeping
        sweep = 0
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await _try(duties.resend_overdue)
            await _try(duties.purge_deleted)
            await _try(duties.expire_batches)
            await _try(duties.sweep_uploads)
            await _try(duties.forget_answers)
            sweep += 1
            if sweep % OFTEN == 0:
                await _try(duties.settle_catalog)
            if sweep % SELDOM == 0:
                await _try(duties.forget_jobs)
                await _try(duties.forget_deliveries)
                await _try(duties.collect_orphans)


async def _try(duty: Callable[[], Awaitable[Any]]) -> None:
    try:
        done = await duty()
    except Exception:
        log.exception("housekeeping failed; the next sweep tries again", duty=duty.__name__)
    else:
        if done:
            log.info("housekeeping", duty=duty.__name__, done=done)
