"""What Filmroll keeps: frozen, keyword-only records, their states, their ids and their keys.

Times are seconds since the epoch (float, UTC). A record never changes; ``dataclasses.replace``
makes the next one.
"""

import hashlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from filmroll.errors import FilmrollError, InternalError, catalogue

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32, lower case
_ID = re.compile(r"[0-9a-z]{26}")


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def _base32(number: int) -> str:
    return "".join([_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)])


class _RandomNumbers:
    """128 random bits at a time, fetched from the system by the page.

    Asking the system costs more than the bits: each call gives the interpreter's lock away.
    """

    def __init__(self) -> None:
        self._page = b""

    def next(self) -> int:
        if not self._page:
            self._page = os.urandom(4096)
        number, self._page = self._page[:16], self._page[16:]
        return int.from_bytes(number)


_random_numbers = _RandomNumbers()


def new_id() -> str:
    """Return a fresh id: 26 characters that carry 128 random bits."""
    return _base32(_random_numbers.next())


def derived_id(*parts: str) -> str:
    """Return the id that belongs to ``parts``, the same at every call.

    A request that is repeated under one Idempotency-Key therefore lands on one image.
    """
    text = "\0".join(parts).encode()
    return _base32(int.from_bytes(hashlib.sha256(text).digest()[:16]))


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of an id."""
    return _ID.fullmatch(text) is not None


class ImageState(StrEnum):
    """Where an image stands."""

    STORED = "stored"  # durable, declared variants still to come
    READY = "ready"  # durable, every declared variant made
    FAILED = "failed"  # durable, but its variants cannot be made: see ``problem``
    DELETED = "deleted"  # a tombstone: bytes and variants are gone or going


class VariantState(StrEnum):
    """Where a variant stands."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


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


class Lane(StrEnum):
    """Priority lanes of the queue: interactive work is never stuck behind bulk."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Scope(StrEnum):
    """What an access key allows; ``admin`` allows everything."""

    UPLOAD = "upload"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Why something failed, in a form that can be kept and shown."""

    code: str
    detail: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, error: FilmrollError) -> "Problem":
        """Keep the public part of an error."""
        return cls(code=error.code, detail=error.detail, figures=error.figures)

    def error(self) -> FilmrollError:
        """Return the error that this problem was made of."""
        kinds = {kind.code: kind for kind in catalogue()}
        return kinds.get(self.code, InternalError)(self.detail, **self.figures)


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What the first bytes of an image say, read without decoding a pixel.

    ``width`` and ``height`` are pixels as a viewer sees them: after the EXIF orientation.
    """

    format: str  # jpeg, png, webp, gif, avif, tiff
    width: int
    height: int
    frames: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An uploaded original: its bytes never change, what is said about them may."""

    id: str
    state: ImageState
    sha256: str  # hex
    bytes: int
    format: str
    width: int
    height: int
    frames: int
    created_at: float
    name: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    declared: tuple[str, ...] = ()  # canonical instructions asked for with the upload
    batch: str | None = None
    ref: str | None = None
    problem: Problem | None = None
    version: int = 1  # grows with every change; the ETag of the record


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A picture made from an image by instructions."""

    image: str
    recipe: str
    instructions: str  # canonical text
    state: VariantState
    created_at: float
    format: str = ""
    width: int = 0
    height: int = 0
    frames: int = 1
    bytes: int = 0
    sha256: str = ""  # hex
    problem: Problem | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One unit of asynchronous work: make these variants of this image.

    While ``state`` is not final, ``due_at`` is when the sweeper has to send it to the queue again:
    the record is its own outbox. The job that an upload starts carries its image's id.
    """

    id: str
    image: str
    instructions: tuple[str, ...]  # canonical texts
    created_at: float
    due_at: float
    kind: str = "variants"
    lane: Lane = Lane.INTERACTIVE
    state: JobState = JobState.QUEUED
    attempts: int = 0
    lease_until: float = 0.0  # no attempt starts before, be it under way or the job at rest
    batch: str | None = None
    problem: Problem | None = None
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """Instructions kept on the server under a name."""

    name: str
    instructions: str  # canonical text
    created_at: float
    updated_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessKey:
    """A key of the API. Only the hash of the secret is kept."""

    id: str
    name: str
    hash: str  # sha256 of the whole key, hex
    scopes: tuple[Scope, ...]
    created_at: float
    revoked_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """A key that signs delivery URLs. Its secret is needed to check them, so it is kept."""

    id: str  # the ``kid`` in the URL
    secret: str = field(repr=False)
    created_at: float
    revoked_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class IdempotentRequest:
    """A request that was made under an Idempotency-Key, and its answer once there is one."""

    key: str
    fingerprint: str
    expires_at: float
    locked_until: float
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


BLOB_ROOTS = ("o/", "v/")  # what the keys of originals and of variants begin with


def original_key(image: str) -> str:
    """Return where an image's bytes lie in the blob store."""
    return f"o/{image[:2]}/{image}"


def variant_prefix(image: str) -> str:
    """Return what the keys of all variants of an image begin with."""
    return f"v/{image[:2]}/{image}/"


def variant_key(image: str, recipe: str) -> str:
    """Return where the bytes of one variant lie: the same for every attempt to make it."""
    return f"{variant_prefix(image)}{recipe}"
