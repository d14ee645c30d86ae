"""Jobs: asked for, run while someone waits, looked at, cancelled."""

import asyncio
import logging
from collections.abc import Sequence

from filmroll.errors import NotFound, Overloaded
from filmroll.instructions import Instructions
from filmroll.model import BatchState, Image, Job, JobKind, new_id, now
from filmroll.ports import Catalog, Processor
from filmroll.usecases.outbox import OVERDUE_SECONDS, Outbox

_POLL_SECONDS = 0.2
_FETCHES = 16  # by the direct call; there are so many servers that hang

log = logging.getLogger(__name__)


class Jobs:
    """Unites the two ways of processing: the direct call, and the queue."""

    def __init__(self, catalog: Catalog, outbox: Outbox, processor: Processor) -> None:
        self._catalog = catalog
        self._outbox = outbox
        self._processor = processor
        self._fetches = asyncio.Semaphore(_FETCHES)

    async def get(self, job: str) -> Job:
        """Return a job; raise NotFound."""
        found = await self._catalog.get_job(job)
        if found is None:
            raise NotFound("There is no job with this id.")
        return found

    async def cancel(self, job: str) -> Job:
        """Cancel a job that is not final yet; return what it is then.

        The work of a batch is called off with the batch: it comes to an end by itself.
        """
        known = await self.get(job)
        if known.kind is JobKind.BATCH and known.batch and not known.state.final:
            await self._catalog.close_batch(known.batch, BatchState.CANCELLED, now())
            return known
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
        await asyncio.wait({self._outbox.begin(self._run_or_enqueue(job))}, timeout=wait)
        while not (found := await self.get(job)).state.final:
            left = deadline - loop.time()
            if left <= 0:
                return None
            await asyncio.sleep(min(_POLL_SECONDS, left))
        return found

    async def _run_or_enqueue(self, job: str) -> None:
        try:
            await self._run(job)
        except Exception as fault:
            if not isinstance(fault, Overloaded):
                log.exception("the direct call failed; the job goes to the queue: %s", job)
            await self._outbox.send(job)

    async def _run(self, job: str) -> None:
        """Make the direct call; raise Overloaded if too many are fetching by it."""
        if (await self.get(job)).kind is not JobKind.FETCH:
            await self._processor.run_job(job)
            return
        if self._fetches.locked():
            raise Overloaded("Too many URLs are being fetched for those who wait.", retry_after=1)
        async with self._fetches:
            await self._processor.run_job(job)
