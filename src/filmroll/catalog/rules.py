"""What each conditional write decides, as plain functions of records.

An adapter reads a record, asks the rule, and writes its answer in the same atomic step. None means
that nothing may be written.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from filmroll.errors import NotReceived
from filmroll.model import (
    AccessKey,
    Action,
    Batch,
    BatchState,
    DeliveryState,
    IdempotentRequest,
    Image,
    ImageState,
    Job,
    JobKind,
    JobState,
    Line,
    LineState,
    Preset,
    Problem,
    SigningKey,
    WebhookDelivery,
)

Key = TypeVar("Key", AccessKey, SigningKey)


def live(image: Image | None) -> bool:
    """Whether something can be added to an image."""
    return image is not None and image.state is not ImageState.DELETED


def updated(stored: Image | None, image: Image) -> Image | None:
    """Replace a record by its next version."""
    if stored is None or not live(stored) or stored.version != image.version - 1:
        return None
    return image


def buried(stored: Image | None) -> Image | None:
    """Make a tombstone: it keeps what the image was, and nothing that a person wrote."""
    if stored is None or not live(stored):
        return None
    return replace(
        stored,
        state=ImageState.DELETED,
        version=stored.version + 1,
        name=None,
        tags=(),
        metadata={},
        declared=(),
        ref=None,
        problem=None,
    )


def added(job: Job, image: Image | None) -> Job:
    """Return the job as it is to be added: on a tombstone it ends at once, like those before."""
    if image is not None and not live(image):
        return replace(job, state=JobState.CANCELLED, finished_at=job.created_at)
    return job


def claimed(stored: Job | None, now: float, lease: float) -> Job | None:
    """Start an attempt, unless the job is over, in other hands, or to rest for a while yet."""
    if stored is None or stored.state.final or stored.lease_until > now:
        return None
    return replace(
        stored,
        state=JobState.RUNNING,
        attempts=stored.attempts + 1,
        lease_until=now + lease,
        due_at=now + lease,
        started_at=now if stored.started_at is None else stored.started_at,
    )


def same_attempt(stored: Job | None, job: Job) -> bool:
    """Whether the attempt that ``job`` belongs to still runs."""
    return (
        stored is not None and stored.state is JobState.RUNNING and stored.attempts == job.attempts
    )


def extended(stored: Job | None, job: Job, until: float) -> Job | None:
    """Move the lease of an attempt that still runs."""
    if stored is None or not same_attempt(stored, job):
        return None
    return replace(stored, lease_until=until, due_at=until)


def released(stored: Job | None, job: Job, due_at: float) -> Job | None:
    """Take an attempt back that still runs: it does not count."""
    if stored is None or not same_attempt(stored, job):
        return None
    return replace(
        stored,
        state=JobState.QUEUED,
        attempts=stored.attempts - 1,
        lease_until=0.0,
        due_at=due_at,
    )


def advanced(stored: Image, image: Image) -> Image:
    """Take the outcome of a job into a record that may have changed meanwhile."""
    return replace(stored, state=image.state, problem=image.problem, version=stored.version + 1)


def settled(stored: Image | None, job: Job, made: Collection[str]) -> Image | None:
    """Return what the end of its upload's job, cancelled, makes of an image.

    It is ready with those of its variants that were ``made`` (canonical texts); None: no change.
    """
    if stored is None or stored.id != job.id or stored.state is not ImageState.STORED:
        return None
    return replace(
        stored,
        state=ImageState.READY,
        declared=tuple(text for text in stored.declared if text in made),
        version=stored.version + 1,
    )


def cancelled(stored: Job, now: float) -> Job:
    """End a job that is not final."""
    if stored.state.final:
        return stored
    return replace(stored, state=JobState.CANCELLED, finished_at=now)


def postponed(stored: Job, job: Job, due_at: float) -> Job:
    """Move the time at which a job has to be sent again, unless an attempt moved it meanwhile."""
    if stored.state.final or stored.due_at != job.due_at:
        return stored
    return replace(stored, due_at=due_at)


def entered(
    batch: Batch, stored: Line | None, offered: Line, number: int, *, gone: bool
) -> Line | None:
    """Return an offered line as the ledger takes it; None: it stays as it is.

    A new one gets ``number``. What is stored, or has succeeded, is not replaced, unless its image
    is ``gone``; a line that failed, or that is still without its bytes, is. A sealed batch takes
    only the outcome of what it was waiting for.
    """
    if stored is None:
        return replace(offered, number=number) if batch.state is BatchState.OPEN else None
    waits = {LineState.DECLARED, LineState.QUEUED, LineState.FAILED}
    if stored.state not in waits and not (gone and stored.state.final):
        return None
    if stored.state is LineState.QUEUED:
        awaited = offered.state not in {LineState.DECLARED, LineState.QUEUED}
        over = batch.state not in {BatchState.OPEN, BatchState.SEALED}
        # What is deleted is deleted, whatever has become of the batch meanwhile.
        if not awaited or (over and batch.action is not Action.DELETE):
            return None
    elif batch.state is not BatchState.OPEN:
        return None
    again = stored.state.final
    taken = replace(offered, number=stored.number, attempts=stored.attempts + again)
    return None if replace(taken, at=stored.at) == stored else taken


def tallied(batch: Batch, changes: Iterable[tuple[Line | None, Line]], now: float) -> Batch:
    """Return the batch after lines changed: its sums, and whether it is complete."""
    counts = batch.counts
    for before, after in changes:
        counts += after.counts
        if before is not None:
            counts -= before.counts
    return completed(replace(batch, counts=counts, version=batch.version + 1), now)


def completed(batch: Batch, now: float) -> Batch:
    """End a sealed batch all of whose lines are final."""
    if batch.state is not BatchState.SEALED or batch.counts.open:
        return batch
    failed = batch.counts.failed > 0
    state = BatchState.COMPLETED_WITH_ERRORS if failed else BatchState.COMPLETED
    return replace(batch, state=state, finished_at=now)


def closed(stored: Batch, state: BatchState, now: float, expected: int | None = None) -> Batch:
    """Let a batch take no more; the same again if that cannot be (any more)."""
    if stored.state is not BatchState.OPEN and (
        stored.state.final or state is not BatchState.CANCELLED
    ):
        return stored
    if state is BatchState.SEALED and expected not in {None, stored.counts.declared}:
        return stored
    shut = replace(
        stored,
        state=state,
        sealed_at=now if state is BatchState.SEALED else stored.sealed_at,
        finished_at=now if state.final else None,
        version=stored.version + 1,
    )
    return completed(shut, now)


def waiting(batch: Batch) -> Sequence[LineState]:
    """Return the states of lines that nobody will send or fetch any more.

    What a deletion has queued is being deleted: its own job tells of it, even if called off.
    """
    if batch.state is BatchState.OPEN or batch.action is Action.DELETE:
        return ()
    if batch.state in {BatchState.CANCELLED, BatchState.EXPIRED}:
        return (LineState.DECLARED, LineState.QUEUED)
    return (LineState.DECLARED,)


def waited(batch: Batch, line: Line, now: float) -> Line:
    """End a line that waits in vain."""
    if batch.state in {BatchState.CANCELLED, BatchState.EXPIRED}:
        return replace(line, state=LineState.CANCELLED, at=now)
    problem = Problem.of(NotReceived("The batch was sealed before the bytes of this item came."))
    return replace(line, state=LineState.FAILED, problem=problem, at=now)


def line_after(stored: Line | None, job: Job) -> Line | None:
    """Return what the end of the job that a line waits for makes of it; None: no change."""
    awaited = LineState.QUEUED if job.kind is JobKind.FETCH else LineState.PROCESSING
    if stored is None or stored.state is not awaited or not job.state.final:
        return None
    ends = {
        JobState.SUCCEEDED: LineState.SUCCEEDED,
        JobState.FAILED: LineState.FAILED,
        JobState.CANCELLED: LineState.CANCELLED,
    }
    return replace(stored, state=ends[job.state], problem=job.problem, at=job.finished_at or 0.0)


def given_up(batch: Batch, job: Job) -> Batch:
    """Return what the end of a batch's own job makes of it: without its work it is cancelled."""
    if batch.state is not BatchState.OPEN or job.state is JobState.SUCCEEDED:
        return batch
    return closed(batch, BatchState.CANCELLED, job.finished_at or 0.0)


def retried(batch: Batch, stored: Line | None, offered: Line) -> Line | None:
    """Begin a failed line anew; None: it did not fail, or nothing is begun in its batch."""
    over = batch.state in {BatchState.CANCELLED, BatchState.EXPIRED}
    if over or stored is None or stored.state is not LineState.FAILED:
        return None
    return replace(offered, number=stored.number, attempts=stored.attempts + 1)


def reopened(batch: Batch) -> Batch:
    """Let a complete batch wait for its lines again."""
    if not batch.state.final:
        return batch
    return replace(batch, state=BatchState.SEALED, finished_at=None, told=False)


def told(stored: Batch | None, batch: Batch) -> Batch | None:
    """Note that the end of a batch is told; None if it is, or if it has ended anew since."""
    if stored is None or stored.told or stored.finished_at != batch.finished_at:
        return None
    return replace(stored, told=True)


def restarted(image: Image, state: ImageState) -> Image:
    """Let an image wait anew for variants that could not be made."""
    return replace(image, state=state, problem=None, version=image.version + 1)


def posted(stored: WebhookDelivery, now: float, lease: float) -> WebhookDelivery:
    """Start an attempt at a delivery that is due."""
    return replace(stored, attempts=stored.attempts + 1, due_at=now + lease)


def same_post(stored: WebhookDelivery | None, delivery: WebhookDelivery) -> bool:
    """Whether the attempt that ``delivery`` belongs to still counts."""
    return (
        stored is not None
        and stored.state is DeliveryState.PENDING
        and stored.attempts == delivery.attempts
    )


def replayed(stored: WebhookDelivery, now: float) -> WebhookDelivery:
    """Let a delivery be due at once, whatever has become of it."""
    return replace(stored, state=DeliveryState.PENDING, due_at=now, finished_at=None)


def kept_preset(stored: Preset | None, preset: Preset) -> Preset:
    """Replace a preset, but keep when it was first made."""
    return preset if stored is None else replace(preset, created_at=stored.created_at)


def holder(
    stored: IdempotentRequest | None, request: IdempotentRequest, now: float
) -> IdempotentRequest:
    """Return who holds an Idempotency-Key from now on: ``request`` or the stored one."""
    if stored is None or stored.expires_at <= now:
        return request
    abandoned = stored.status is None and stored.locked_until <= now
    return request if abandoned and stored.fingerprint == request.fingerprint else stored


def holds(stored: IdempotentRequest | None, request: IdempotentRequest) -> bool:
    """Whether ``request`` claimed its key last, and has no answer yet."""
    if stored is None or stored.status is not None:
        return False
    return (stored.fingerprint, stored.locked_until) == (request.fingerprint, request.locked_until)


def revoked(key: Key, now: float) -> Key:
    """End a key; one that is revoked already keeps its time."""
    return key if key.revoked_at is not None else replace(key, revoked_at=now)
