"""The catalog's part about jobs."""

from collections.abc import Sequence
from typing import Protocol

from filmroll.model import Image, Job, Outcome, Variant, WebhookDelivery


class JobsCatalog(Protocol):
    """What is known about jobs."""

    async def add_job(self, job: Job) -> None:
        """Add a job."""

    async def get_job(self, job: str) -> Job | None:
        """Return a job."""

    async def claim_job(self, job: str, now: float, lease: float) -> Job | None:
        """Start an attempt: state ``running``, one attempt more, ``lease_until = now + lease``.

        Only if it is not final and its ``lease_until`` is over; else None. That is the end of a
        running attempt's lease, or of the rest that an attempt gave a queued job. The attempt is
        counted before the work begins, so that work that kills its worker is counted too.
        ``due_at`` moves to the end of the lease.
        """

    async def extend_job(self, job: Job, until: float) -> bool:
        """Move the lease of this very attempt (``attempts``); False if it was lost."""

    async def release_job(self, job: Job, due_at: float) -> bool:
        """Give a job back whose time has not come: this attempt is not counted.

        It is queued, may be started at once, and is due at ``due_at``. False, and no change, if
        the stored job is not running this attempt any more.
        """

    async def finish_job(
        self,
        job: Job,
        image: Image | Outcome | None,
        variants: Sequence[Variant],
        deliveries: Sequence[WebhookDelivery] = (),
    ) -> bool:
        """Write the end of an attempt: the job (final, or queued again), variants, the image.

        The end of a job is the end of its line or of its upload, too. False, and nothing written,
        if the stored job is not running this attempt any more or its image is deleted. Of the image
        only ``state`` and ``problem`` are taken, and its ``version`` grows; with None it stays.
        """

    async def cancel_job(self, job: str, now: float) -> Job | None:
        """Cancel a job that is not final; return what it is then. None if unknown.

        If it is the job of an image's upload (it carries its image's id), the image becomes ready,
        and what was not made is not declared any more. If it is that of an upload in parts, that
        is aborted.
        """

    async def due_jobs(self, before: float, limit: int) -> Sequence[Job]:
        """Return jobs that are not final and whose ``due_at`` has come, most overdue first."""

    async def postpone_jobs(self, jobs: Sequence[Job], due_at: float) -> None:
        """Move ``due_at`` of jobs: they have been sent to the queue.

        Those that are final, or whose ``due_at`` has been moved since they were read, stay; so may
        those that are not overdue yet. The sweeper sends them once more then.
        """

    async def expire_jobs(self, before: float) -> None:
        """Forget jobs that ended before that time, by ``finished_at``.

        One that came with its image may be kept as long as that.
        """
