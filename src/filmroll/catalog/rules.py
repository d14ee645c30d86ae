"""What each conditional write decides, as plain functions of records.

An adapter reads a record, asks the rule, and writes its answer in the same atomic step. None means
that nothing may be written.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar

from filmroll.model import (
    AccessKey,
    DeliveryState,
    IdempotentRequest,
    Image,
    ImageState,
    Job,
    JobState,
    KeptSource,
    Outcome,
    Preset,
    SigningKey,
    WebhookDelivery,
)
from filmroll.ports import ImageFilter

Key = TypeVar("Key", AccessKey, SigningKey)


def live(image: Image | None) -> bool:
    """Whether something can be added to an image."""
    return image is not None and image.state is not ImageState.DELETED


def matches(image: Image, where: ImageFilter) -> bool:
    """Whether a listing is to show an image."""
    return (
        live(image)
        and (where.tag is None or where.tag in image.tags)
        and (where.batch is None or where.batch == image.batch)
        and (where.sha256 is None or where.sha256 == image.sha256)
        and (where.created_after is None or image.created_at > where.created_after)
    )


def updated(stored: Image | None, image: Image) -> Image | None:
    """Replace a record by its next version."""
    if stored is None or not live(stored) or stored.version != image.version - 1:
        return None
    return image


def follows(stored: KeptSource | None, source: KeptSource) -> bool:
    """Whether a source is the next version of what is stored."""
    return source.version == (1 if stored is None else stored.version + 1)


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


def advanced(stored: Image, image: Image | Outcome) -> Image:
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
