"""Units of asynchronous work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from filmroll.model.ids import derived_id
from filmroll.model.problem import Problem


class JobState(StrEnum):
    """Where a job stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


class JobKind(StrEnum):
    """What a job does."""

    VARIANTS = "variants"  # makes variants of one image
    INFO = "info"  # looks at one image
    FETCH = "fetch"  # fetches one image from where its ``source`` says
    BATCH = "batch"  # goes through the images that a batch is to act on
    UPLOAD = "upload"  # makes what an upload in parts was sent for: an image, items of a batch


class Lane(StrEnum):
    """Priority lanes of the queue: interactive work is never stuck behind bulk."""

    INTERACTIVE = "interactive"
    BULK = "bulk"
    IO = "io"  # waits for other servers or for the stores, never for an engine


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One unit of asynchronous work, such as to make these variants of this image.

    While ``state`` is not final, ``due_at`` is when the sweeper has to send it to the queue again:
    the record is its own outbox. The job that an upload starts carries its image's id. The end of
    a job with a ``batch`` and a ``ref`` is the end of that line.
    """

    id: str
    image: str  # "" before there is one
    instructions: tuple[str, ...]  # canonical texts
    created_at: float
    due_at: float
    kind: JobKind = JobKind.VARIANTS
    lane: Lane = Lane.INTERACTIVE
    state: JobState = JobState.QUEUED
    attempts: int = 0
    lease_until: float = 0.0  # no attempt starts before, be it under way or the job at rest
    batch: str | None = None
    ref: str | None = None  # of the line that waits for this job
    source: str | None = None  # of a fetch: a URL, or the key of an object
    said: Mapping[str, Any] = field(default_factory=dict)  # of a fetch: name, tags, metadata…
    problem: Problem | None = None
    started_at: float | None = None
    finished_at: float | None = None

    @property
    def kept_source(self) -> str | None:
        """The id of the source that a fetch is for: someone waits to be shown it."""
        return self.said.get("source")


def line_job(kind: "JobKind", batch: str, ref: str) -> str:
    """Return the id of the job that a line waits for, unless it is that of its own image."""
    return derived_id(kind, batch, ref)
