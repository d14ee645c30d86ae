"""Jobs: who may work on what, and until when."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from filmroll.catalog import rules, upload_rules
from filmroll.catalog.dynamodb.record import (
    Record,
    job_attributes,
    jobs_partition,
    pack,
    read,
)
from filmroll.catalog.dynamodb.schema import DUE, RECORD, SHARDS, shard
from filmroll.catalog.dynamodb.table import number, text, together
from filmroll.catalog.dynamodb.variants import Variants
from filmroll.model import (
    Image,
    Job,
    JobKind,
    JobState,
    Outcome,
    Variant,
    WebhookDelivery,
    now,
)

_OPEN = "j_state IN (:queued, :running)"
_STATES = {"queued": text(JobState.QUEUED), "running": text(JobState.RUNNING)}
_ONE = {"one": number(1)}


class Jobs(Variants):
    """The part of the catalog that knows jobs.

    The index of what is due may name a job too early, never too late: a claim moves it only to an
    earlier time, and who looks puts right what he finds to be wrong.
    """

    async def add_job(self, job: Job) -> None:
        image = None
        if job.image and job.image != job.id:
            image = await self._add_work(job)
        added = rules.added(job, image)

        def beside(record: Record) -> Record | None:
            if record.job is not None:
                return None
            return replace(record, job=rules.added(added, record.image))

        await self._change(job.id, beside)

    async def get_job(self, job: str) -> Job | None:
        return (await self._read(job)).job

    async def claim_job(self, job: str, now: float, lease: float) -> Job | None:
        change = (
            "SET j_state = :running, j_attempts = j_attempts + :one, j_lease = :until, "
            "j_due = :until, j_started = if_not_exists(j_started, :now), rev = rev + :one"
        )
        free = f"{_OPEN} AND j_lease <= :now"
        values = _STATES | _ONE | {"until": number(now + lease), "now": number(now)}
        key = (job, RECORD)
        claimed = await self._table.update(key, change, f"{free} AND ds <= :until", values)
        if claimed is None:  # it is not free, or was postponed beyond the lease
            claimed = await self._table.update(key, f"{change}, ds = :until", free, values)
        return None if claimed is None else read(claimed).job

    async def extend_job(self, job: Job, until: float) -> bool:
        return await self._change_job(job.id, lambda it: rules.extended(it, job, until))

    async def release_job(self, job: Job, due_at: float) -> bool:
        return await self._change_job(job.id, lambda it: rules.released(it, job, due_at))

    async def finish_job(
        self,
        job: Job,
        image: Image | Outcome | None,
        variants: Sequence[Variant],
        deliveries: Sequence[WebhookDelivery] = (),
    ) -> bool:
        if job.kind is JobKind.VARIANTS and job.id == job.image:
            done = await self._finish_own(job, image, variants, deliveries)
            if not done and (await self._read(job.id)).outgoing:
                done = await self._finish_other(job, image, variants, deliveries)
        else:
            done = await self._finish_other(job, image, variants, deliveries)
        if done:
            await self._ended(job)
            await self._deliver(job.id, deliveries)
        return done

    async def cancel_job(self, job: str, now: float) -> Job | None:
        found = await self._read(job)
        if found.job is None or found.job.state.final:
            return found.job
        made = {it.instructions for it in await self.list_variants(job)} if found.image else set()

        def cancelled(record: Record) -> Record | None:
            if record.job is None or record.job.state.final:
                return None
            return _with_end(record, rules.cancelled(record.job, now), made)

        before, after = await self._change(job, cancelled)
        if after is None or after.job is None:
            return before.job
        await self._ended(after.job)
        return after.job

    async def due_jobs(self, before: float, limit: int) -> Sequence[Job]:
        found = await together([self._due_in(one, before, limit) for one in range(SHARDS)])
        due = [job for jobs in found for job in jobs]
        return sorted(due, key=lambda job: job.due_at)[:limit]

    async def postpone_jobs(self, jobs: Sequence[Job], due_at: float) -> None:
        """Move what is overdue; what is not yet will be looked at then, and moved if need be.

        So a job that is sent as soon as it is written costs no second write.
        """
        overdue = [job for job in jobs if job.due_at <= now()]
        await together([self._move(job, due_at) for job in overdue])

    async def expire_jobs(self, before: float) -> None:
        """Forget what has an item of its own; the others go with their image or upload."""
        await self._forget("ended", before)

    async def _finish_own(
        self,
        job: Job,
        image: Image | Outcome | None,
        variants: Sequence[Variant],
        deliveries: Sequence[WebhookDelivery],
    ) -> bool:
        """End an attempt at the job that came with its image: all of it in one request."""
        sets = {"rev": "rev + :one"}
        values: dict[str, Any] = {"attempts": number(job.attempts), "deleted": text("deleted")}
        values |= _ONE | {"running": _STATES["running"]}
        removed = []
        for name, value in job_attributes(job).items():
            sets[name], values[name] = f":{name}", value
        if image is not None:
            sets |= {"i_state": ":i_state", "i_version": "i_version + :one"}
            values["i_state"] = text(image.state)
            if image.problem is not None:
                sets["i_problem"] = ":i_problem"
                values["i_problem"] = pack(image.problem)
            else:
                removed.append("i_problem")
        for order, variant in enumerate(variants):
            sets[f"variants.#v{order}"] = f":v{order}"
            values[f"v{order}"] = pack(variant)
        if deliveries:
            sets["outgoing"] = ":outgoing"
            values["outgoing"] = {"L": [pack(one) for one in deliveries]}
        partition, at = "outgoing", now()
        if not job.state.final:
            partition, at = jobs_partition(shard(job.id)), job.due_at
        if deliveries or not job.state.final:
            sets |= {"dk": ":dk", "ds": ":ds"}
            values |= {"dk": text(partition), "ds": number(at)}
        else:
            removed += ["dk", "ds"]
        change = "SET " + ", ".join(f"{name} = {value}" for name, value in sets.items())
        done = await self._table.update(
            (job.id, RECORD),
            change + (f" REMOVE {', '.join(removed)}" if removed else ""),
            "j_state = :running AND j_attempts = :attempts AND attribute_exists(i_state) "
            "AND i_state <> :deleted AND attribute_not_exists(outgoing)",
            values,
            {f"v{order}": variant.recipe for order, variant in enumerate(variants)},
        )
        return done is not None

    async def _finish_other(
        self,
        job: Job,
        image: Image | Outcome | None,
        variants: Sequence[Variant],
        deliveries: Sequence[WebhookDelivery],
    ) -> bool:
        """End an attempt at a job that has another id than its image, if it has one.

        What it made is written first: an attempt that dies in between is made once more.
        """
        if not rules.same_attempt((await self._read(job.id)).job, job):
            return False
        if job.image and not await self._keep_work(job, image, variants):
            return False

        def finished(record: Record) -> Record | None:
            if not rules.same_attempt(record.job, job):
                return None
            told = (*record.outgoing, *deliveries)
            return replace(_with_end(record, job), outgoing=told)

        _, after = await self._change(job.id, finished)
        if after is not None and job.state.final and job.image not in {"", job.id}:
            await self._forget_work(job)
        return after is not None

    async def _keep_work(
        self, job: Job, image: Image | Outcome | None, variants: Sequence[Variant]
    ) -> bool:
        """Write what a job made of its image; False if that is not there (any more)."""
        if variants and not await self.put_variants(job.image, variants):
            return False
        if image is None:
            return bool(variants) or rules.live((await self._read(job.image)).image)

        def advanced(record: Record) -> Record | None:
            if record.image is None or not rules.live(record.image):
                return None
            return replace(record, image=rules.advanced(record.image, image))

        _, after = await self._change(job.image, advanced)
        return after is not None

    async def _forget_work(self, job: Job) -> None:
        """Let an image forget a job whose end is written: until then a burial has to end it."""

        def without(record: Record) -> Record | None:
            left = record.works - {job.id}
            return None if left == record.works else replace(record, works=left)

        await self._change(job.image, without)

    async def _ended(self, job: Job) -> None:
        """Let the end of a job be the end of its line, or of the batch whose work it is."""
        if job.state.final and job.batch is not None:
            await self._ledgers.note_end(job)

    async def _add_work(self, job: Job) -> Image | None:
        """Note at an image that there is a job on it; return the image, if there is one."""

        def noted(record: Record) -> Record | None:
            if not rules.live(record.image) or job.state.final:
                return None
            return replace(record, works=record.works | {job.id})

        before, _ = await self._change(job.image, noted)
        return before.image

    async def _change_job(self, job: str, decide: Callable[[Job | None], Job | None]) -> bool:
        def changed(record: Record) -> Record | None:
            after = decide(record.job)
            return None if after is None else replace(record, job=after)

        _, after = await self._change(job, changed)
        return after is not None

    async def _due_in(self, shard_number: int, before: float, limit: int) -> list[Job]:
        """Return the jobs of a shard that are due, and put right when the others are to be."""
        found = self._table.find(
            DUE, jobs_partition(shard_number), under=number(before), limit=limit
        )
        due: list[Job] = []
        async for item in found:
            id_ = item["pk"]["S"]
            job = (await self._read(id_)).job
            if job is None or job.state.final:
                continue
            if job.due_at <= before:
                due.append(job)
            else:
                await self._move(job, job.due_at)
            if len(due) == limit:
                break
        return due

    async def _move(self, job: Job, due_at: float) -> None:
        """Have a job looked at from ``due_at`` on, unless that was moved meanwhile."""
        await self._table.update(
            (job.id, RECORD),
            "SET j_due = :due, ds = :due, rev = rev + :one",
            f"j_due = :seen AND {_OPEN}",
            _STATES | _ONE | {"due": number(due_at), "seen": number(job.due_at)},
        )


def _with_end(record: Record, job: Job, made: Sequence[str] | set[str] = ()) -> Record:
    """Return a record with the end of its job, and what that means for its image and upload."""
    upload = upload_rules.after_job(record.upload, job)
    image = rules.settled(record.image, job, made) if job.state is JobState.CANCELLED else None
    return replace(record, job=job, upload=upload or record.upload, image=image or record.image)
