"""Jobs: asked for, run while someone waits, left to the queue, looked at, cancelled."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from filmroll.errors import NotFound, Overloaded
from filmroll.instructions import Instructions
from filmroll.model import Image, Job, new_id, now
from filmroll.ports import Catalog, JobQueue, Processor

# A job that was written down but not sent for so long is sent to the queue by the sweeper.
OVERDUE_SECONDS = 60.0
# One that was sent waits its turn; only a message that got lost needs another. In a backlog of
# hours each job has a few messages then, and to drop those takes next to no time.
RESEND_SECONDS = 900.0
_POLL_SECONDS = 0.2

log = logging.getLogger(__name__)


class Jobs:
    """Unites the two ways of processing: the direct call, and the queue."""

    def __init__(self, catalog: Catalog, queue: JobQueue, processor: Processor) -> None:
        self._catalog = catalog
        self._queue = queue
        self._processor = processor
        self._background: set[asyncio.Task[None]] = set()

    async def get(self, job: str) -> Job:
        """Return a job; raise NotFound."""
        found = await self._catalog.get_job(job)
        if found is None:
            raise NotFound("There is no job with this id.")
        return found

    async def cancel(self, job: str) -> Job:
        """Cancel a job that is not final yet; return what it is then."""
        found = await self._catalog.cancel_job(job, now())
        if found is None:
            raise NotFound("There is no job with this id.")
        return found

    async def add(
        self, image: Image, wanted: Sequence[Instructions], job_id: str | None = None
    ) -> Job:
        """Write down a job that makes more variants of a kept image; once under one id."""
        job = Job(
            id=job_id or new_id(),
            image=image.id,
            instructions=tuple(one.canonical() for one in wanted),
            created_at=now(),
            due_at=now() + OVERDUE_SECONDS,
        )
        await self._catalog.add_job(job)
        return job

    async def run(self, job: str, wait: float) -> Job | None:
        """Run a job by the direct call; None if it is not final within ``wait`` seconds.

        It goes on then: where it is, or, if nobody could take it, through the queue.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        await asyncio.wait({self._in_background(self._run_or_enqueue(job))}, timeout=wait)
        while not (found := await self.get(job)).state.final:
            left = deadline - loop.time()
            if left <= 0:
                return None
            await asyncio.sleep(min(_POLL_SECONDS, left))
        return found

    def enqueue(self, job: str) -> None:
        """Send a job to the queue behind the answer's back: if it is lost, the sweeper sends it."""
        self._in_background(self._send(job))

    def enqueue_all(self, jobs: Iterable[Job]) -> None:
        """Send jobs that were just written down to the queue, as ``enqueue`` does."""
        if new := list(jobs):
            self._in_background(send_all(self._queue, self._catalog, new))

    async def drain(self) -> None:
        """Wait for what was begun behind an answer's back."""
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _run_or_enqueue(self, job: str) -> None:
        try:
            await self._processor.run_job(job)
        except Exception as fault:
            if not isinstance(fault, Overloaded):
                log.exception("the direct call failed; the job goes to the queue: %s", job)
            await self._send(job)

    async def _send(self, job: str) -> None:
        found = await self.get(job)
        if found.lease_until > now():  # under way or at rest: the sweeper sends it when it is due
            return
        await self._queue.send(found.lane, [job])
        await self._catalog.postpone_jobs([found], now() + RESEND_SECONDS)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._background.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            log.warning("left to the sweeper: %s", fault)


async def send_all(queue: JobQueue, catalog: Catalog, jobs: Sequence[Job]) -> None:
    """Send jobs to the queue, and note that they were sent."""
    for lane in {job.lane for job in jobs}:
        await queue.send(lane, [job.id for job in jobs if job.lane is lane])
    await catalog.postpone_jobs(jobs, now() + RESEND_SECONDS)
