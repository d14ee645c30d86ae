"""What there is to tell, as the bodies of webhooks tell it.

A body names things and says how they stand, in under 20 kB whatever a client has written; the
rest is to be had under their ids.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from filmroll.model import (
    Batch,
    Event,
    Image,
    ImageState,
    Job,
    Problem,
    image_tag,
    preset_tag,
    timestamp,
)

_DETAIL = 1000  # characters
# By then no machine hands out what was deleted, even if the process that deleted it died over it
# and the housekeeper had to end that; a cache that was purged sooner could fetch it once more.
PURGE_DELAY_SECONDS = 15.0

_OF_IMAGE = {
    ImageState.READY: Event.IMAGE_READY,
    ImageState.FAILED: Event.IMAGE_FAILED,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """Something that has become true; ``batch`` is the one that it happened in."""

    event: Event
    data: Mapping[str, Any]
    batch: str | None = None
    item: bool = False  # it is about one of the items of the batch
    delay: float = 0.0  # seconds until it may be told

    def body(self, at: float) -> str:
        """Return what is posted about it."""
        told = {"type": self.event, "timestamp": timestamp(at), "data": self.data}
        return to_json(told).decode()


def image_ended(image: Image) -> Happening | None:
    """Return what has become of an image; None while its variants are still to come."""
    event = _OF_IMAGE.get(image.state)
    if event is None:
        return None
    data = {
        "id": image.id,
        "state": image.state,
        "name": image.name,
        "sha256": image.sha256,
        "bytes": image.bytes,
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "frames": image.frames,
        "batch": image.batch,
        "ref": image.ref,
        "problem": _problem(image.problem),
        "created_at": timestamp(image.created_at),
    }
    return Happening(event=event, data=data, batch=image.batch, item=image.batch is not None)


def job_failed(job: Job) -> Happening:
    """Return that a job has failed."""
    data = {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "attempts": job.attempts,
        "image": job.image or None,
        "batch": job.batch,
        "ref": job.ref,
        "problem": _problem(job.problem),
        "created_at": timestamp(job.created_at),
        "finished_at": timestamp(job.finished_at),
    }
    return Happening(event=Event.JOB_FAILED, data=data, batch=job.batch, item=job.ref is not None)


def batch_ended(batch: Batch) -> Happening:
    """Return that a batch has ended, and how."""
    data = {
        "id": batch.id,
        "name": batch.name,
        "action": batch.action,
        "state": batch.state,
        "counts": batch.counts.told,
        "created_at": timestamp(batch.created_at),
        "finished_at": timestamp(batch.finished_at),
    }
    return Happening(event=Event.BATCH_COMPLETED, data=data, batch=batch.id)


def image_deleted(image: str) -> Happening:
    """Return that an image is gone: no more than its id, for it is to be forgotten."""
    data = {"id": image, "tag": image_tag(image)}
    return Happening(event=Event.IMAGE_DELETED, data=data, delay=PURGE_DELAY_SECONDS)


def preset_changed(name: str, instructions: str | None) -> Happening:
    """Return what a preset means from now on; None: nothing."""
    data = {"name": name, "instructions": instructions, "tag": preset_tag(name)}
    return Happening(event=Event.PRESET_CHANGED, data=data, delay=PURGE_DELAY_SECONDS)


def _problem(problem: Problem | None) -> Mapping[str, str] | None:
    if problem is None:
        return None
    return {"code": problem.code, "detail": problem.detail[:_DETAIL]}
