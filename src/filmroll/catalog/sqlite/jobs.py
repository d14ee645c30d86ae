"""Jobs: who may work on what, and until when."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Sequence

import apsw

from filmroll.catalog import rules
from filmroll.catalog.sqlite.images import replace_image
from filmroll.catalog.sqlite.lines import end_line
from filmroll.catalog.sqlite.tables import AT_ONCE, IMAGES, JOBS, OPEN, VARIANTS, Part
from filmroll.catalog.sqlite.uploads import end_upload
from filmroll.catalog.sqlite.webhooks import write_deliveries
from filmroll.groups import Gathering
from filmroll.model import Image, Job, Lane, Outcome, Variant, WebhookDelivery
from filmroll.sqlite import rows


class Jobs(Part):
    """The part of the catalog that knows jobs."""

    _ends: Gathering  # of jobs of bulk, which are many, and which nobody waits for one by one

    async def add_job(self, job: Job) -> None:
        await self._db.write(_add, job)

    async def get_job(self, job: str) -> Job | None:
        return self._db.read(JOBS.get, job)

    async def claim_job(self, job: str, now: float, lease: float) -> Job | None:
        return await self._db.write(_claim, job, now, lease)

    async def extend_job(self, job: Job, until: float) -> bool:
        return await self._db.write(_extend, job, until)

    async def release_job(self, job: Job, due_at: float) -> bool:
        return await self._db.write(_release, job, due_at)

    async def finish_job(
        self,
        job: Job,
        image: Image | Outcome | None,
        variants: Sequence[Variant],
        deliveries: Sequence[WebhookDelivery] = (),
    ) -> bool:
        if job.lane is Lane.BULK:
            await self._ends.wait()
        return await self._db.write(_finish, job, image, variants, deliveries)

    async def cancel_job(self, job: str, now: float) -> Job | None:
        return await self._db.write(_cancel, job, now)

    async def due_jobs(self, before: float, limit: int) -> Sequence[Job]:
        which = f"WHERE {OPEN} AND due_at <= ? ORDER BY due_at LIMIT ?"
        return self._db.read(JOBS.select, which, before, limit)

    async def postpone_jobs(self, jobs: Sequence[Job], due_at: float) -> None:
        await self._db.write(_postpone, jobs, due_at)

    async def expire_jobs(self, before: float) -> None:
        while await self._db.write(_expire, before) == AT_ONCE:
            pass


def _add(connection: apsw.Connection, job: Job) -> None:
    JOBS.add(connection, rules.added(job, IMAGES.get(connection, job.image)))


def _claim(connection: apsw.Connection, job: str, now: float, lease: float) -> Job | None:
    claimed = rules.claimed(JOBS.get(connection, job), now, lease)
    if claimed is not None:
        JOBS.put(connection, claimed)
    return claimed


def _extend(connection: apsw.Connection, job: Job, until: float) -> bool:
    extended = rules.extended(JOBS.get(connection, job.id), job, until)
    if extended is None:
        return False
    JOBS.put(connection, extended)
    return True


def _release(connection: apsw.Connection, job: Job, due_at: float) -> bool:
    released = rules.released(JOBS.get(connection, job.id), job, due_at)
    if released is None:
        return False
    JOBS.put(connection, released)
    return True


def _finish(
    connection: apsw.Connection,
    job: Job,
    image: Image | Outcome | None,
    variants: Sequence[Variant],
    deliveries: Sequence[WebhookDelivery],
) -> bool:
    stored = IMAGES.get(connection, job.image)
    if not rules.same_attempt(JOBS.get(connection, job.id), job):
        return False
    if job.image and not rules.live(stored):
        return False
    JOBS.put(connection, job)
    end_line(connection, job)
    end_upload(connection, job)
    for variant in variants:
        VARIANTS.put(connection, variant)
    if image is not None and stored is not None:
        replace_image(connection, stored, rules.advanced(stored, image))
    write_deliveries(connection, deliveries)
    return True


def _cancel(connection: apsw.Connection, job: str, now: float) -> Job | None:
    stored = JOBS.get(connection, job)
    if stored is None or stored.state.final:
        return stored
    cancelled = rules.cancelled(stored, now)
    JOBS.put(connection, cancelled)
    end_line(connection, cancelled)
    end_upload(connection, cancelled)
    variants = VARIANTS.select(connection, "WHERE image = ?", stored.image)
    made = {variant.instructions for variant in variants}
    image = rules.settled(IMAGES.get(connection, stored.image), stored, made)
    if image is not None:
        IMAGES.put(connection, image)
    return cancelled


def _postpone(connection: apsw.Connection, jobs: Sequence[Job], due_at: float) -> None:
    connection.executemany(
        f"UPDATE jobs SET due_at = ? WHERE id = ? AND due_at = ? AND {OPEN}",  # noqa: S608 - our own text
        [(due_at, job.id, job.due_at) for job in jobs],
    )


def _expire(connection: apsw.Connection, before: float) -> int:
    statement = """
        DELETE FROM jobs WHERE id IN
            (SELECT id FROM jobs WHERE finished_at < ? LIMIT ?) RETURNING 1
    """
    return len(rows(connection, statement, before, AT_ONCE))
