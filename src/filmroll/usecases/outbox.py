"""Jobs that are written down go to the queue; what is lost on the way, the sweeper sends."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from filmroll.model import Image, ImageState, Job, now
from filmroll.ports import Catalog, JobQueue

# A job that was written down but not sent for so long is sent to the queue by the sweeper.
OVERDUE_SECONDS = 60.0
# One that was sent waits its turn; only a message that got lost needs another. In a backlog of
# hours each job has a few messages then, and to drop those takes next to no time.
RESEND_SECONDS = 900.0

log = logging.getLogger(__name__)


class Outbox:
    """Sends jobs behind the answers' backs."""

    def __init__(self, catalog: Catalog, queue: JobQueue) -> None:
        self._catalog = catalog
        self._queue = queue
        self._background: set[asyncio.Task[None]] = set()

    def enqueue(self, job: str) -> None:
        """Send a job to the queue behind the answer's back: if it is lost, the sweeper sends it."""
        self.begin(self.send(job))

    def enqueue_variants(self, image: Image) -> None:
        """Send the job of an image that was just stored, if there are variants to make."""
        if image.state is ImageState.STORED:
            self.enqueue_all([upload_job(image)])

    def enqueue_all(self, jobs: Iterable[Job]) -> None:
        """Send jobs that were just written down, as ``enqueue`` does."""
        if new := list(jobs):
            self.begin(send_all(self._queue, self._catalog, new))

    async def send(self, job: str) -> None:
        """Send a job now, unless it is under way or at rest: then the sweeper does in time."""
        found = await self._catalog.get_job(job)
        if found is not None and found.lease_until <= now():
            await send_all(self._queue, self._catalog, [found])

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Go on with work that no answer waits for; ``drain`` does."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self) -> None:
        """Wait for what was begun behind an answer's back."""
        await asyncio.gather(*self._background, return_exceptions=True)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._background.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            log.warning("left to the sweeper: %s", fault)


def upload_job(image: Image) -> Job:
    """Return the job that an image with declared variants has begun with."""
    return Job(
        id=image.id,
        image=image.id,
        instructions=image.declared,
        created_at=image.created_at,
        due_at=image.created_at + OVERDUE_SECONDS,
    )


async def send_all(queue: JobQueue, catalog: Catalog, jobs: Sequence[Job]) -> None:
    """Send jobs to the queue, and note that they were sent."""
    for lane in {job.lane for job in jobs}:
        await queue.send(lane, [job.id for job in jobs if job.lane is lane])
    await catalog.postpone_jobs(jobs, now() + RESEND_SECONDS)
