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
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from filmroll.errors import FilmrollError, InternalError, catalogue

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32, lower case
_ID = re.compile(r"[0-9a-z]{26}")


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def timestamp(seconds: float | None) -> str | None:
    """Return a time in RFC 3339, UTC, with milliseconds."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def _base32(number: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


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


def line_job(kind: "JobKind", batch: str, ref: str) -> str:
    """Return the id of the job that a line waits for, unless it is that of its own image."""
    return derived_id(kind, batch, ref)


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


class JobKind(StrEnum):
    """What a job does."""

    VARIANTS = "variants"  # makes variants of one image
    FETCH = "fetch"  # fetches one image from where its ``source`` says
    BATCH = "batch"  # goes through the images that a batch is to act on
    UPLOAD = "upload"  # makes what an upload in parts was sent for: an image, items of a batch


class Lane(StrEnum):
    """Priority lanes of the queue: interactive work is never stuck behind bulk."""

    INTERACTIVE = "interactive"
    BULK = "bulk"
    IO = "io"  # waits for other servers or for the stores, never for an engine


class BatchState(StrEnum):
    """Where a batch stands; all but the first two are final."""

    OPEN = "open"  # takes lines
    SEALED = "sealed"  # takes no more lines; some are still under way
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"  # some lines failed
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # never sealed in time; what was stored stays

    @property
    def final(self) -> bool:
        """Whether nothing more happens to the batch by itself."""
        return self not in {BatchState.OPEN, BatchState.SEALED}


class LineState(StrEnum):
    """Where an item of a batch stands; the last three are final."""

    DECLARED = "declared"  # its bytes are awaited
    QUEUED = "queued"  # a job has to fetch it, or to act on it
    PROCESSING = "processing"  # stored; its variants are being made
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more happens to the line by itself."""
        return self in {LineState.SUCCEEDED, LineState.FAILED, LineState.CANCELLED}


class OnDuplicate(StrEnum):
    """What a batch does with bytes that are kept already, under whatever name."""

    NEW = "new"  # another image of the same bytes
    REUSE = "reuse"  # the line refers to the image that is there
    REJECT = "reject"  # the line fails


class Action(StrEnum):
    """What a batch does with its items."""

    UPLOAD = "upload"
    DELETE = "delete"
    VARIANTS = "variants"


class UploadState(StrEnum):
    """Where an upload in parts stands; all but the first two are final."""

    OPEN = "open"  # takes parts
    COMPLETING = "completing"  # its parts are fixed; its job makes something of them
    COMPLETED = "completed"
    FAILED = "failed"  # its job came to nothing: see ``problem``
    ABORTED = "aborted"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        """Whether nothing more comes of the upload; its parts are removed."""
        return self not in {UploadState.OPEN, UploadState.COMPLETING}


class Purpose(StrEnum):
    """What an upload in parts is to become."""

    IMAGE = "image"
    ARCHIVE = "archive"  # each image in it an item of a batch


class Transfer(StrEnum):
    """By which protocol an upload gets its parts."""

    PARTS = "parts"  # in any order, each under its number
    TUS = "tus"  # one after the other, each at the offset where the one before ended


class Event(StrEnum):
    """What a webhook can tell of."""

    BATCH_COMPLETED = "batch.completed"  # it has ended, in whatever state
    IMAGE_READY = "image.ready"
    IMAGE_FAILED = "image.failed"
    JOB_FAILED = "job.failed"


class EndpointState(StrEnum):
    """Whether an endpoint of webhooks is sent anything."""

    ACTIVE = "active"
    DISABLED = "disabled"  # its server said that it is gone


class DeliveryState(StrEnum):
    """Where an event stands on its way to one endpoint."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


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
    said: Mapping[str, Any] = field(default_factory=dict)  # of a fetch: name, tags, metadata
    problem: Problem | None = None
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Sums over the lines of a batch."""

    declared: int = 0  # lines
    received: int = 0  # whose bytes came, whatever became of them
    duplicate: int = 0  # that refer to an image which was there before
    stored: int = 0  # that have an image of their own
    processing: int = 0
    succeeded: int = 0
    failed: int = 0
    open: int = 0  # not final
    bytes: int = 0  # of the images

    def __add__(self, other: "Counts") -> "Counts":
        return self._combined(other, 1)

    def __sub__(self, other: "Counts") -> "Counts":
        return self._combined(other, -1)

    def _combined(self, other: "Counts", sign: int) -> "Counts":
        names = self.__slots__
        return Counts(**{name: getattr(self, name) + sign * getattr(other, name) for name in names})


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Many items handled as one, with a ledger that holds a line for each."""

    id: str
    state: BatchState
    created_at: float
    expires_at: float  # an open batch ends then
    name: str | None = None
    action: Action = Action.UPLOAD
    on_duplicate: OnDuplicate = OnDuplicate.NEW
    variants: tuple[str, ...] = ()  # canonical texts, for lines that name none of their own
    where: Mapping[str, Any] = field(default_factory=dict)  # what a delete or variants acts on
    expected_count: int | None = None
    webhook: str | None = None
    sealed_at: float | None = None
    finished_at: float | None = None
    counts: Counts = field(default_factory=Counts)
    told: bool = False  # webhooks know that it has ended
    version: int = 1  # grows with every change of the batch or of a line


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What the ledger of a batch says of one item."""

    batch: str
    ref: str  # the client's name of the item
    state: LineState
    at: float  # of the last change
    number: int = 0  # in the ledger's order, from 1; the catalog gives it
    source: str | None = None  # a URL or the key of an object; None: bytes that are sent
    sha256: str | None = None  # hex
    bytes: int | None = None
    received: bool = False
    image: str | None = None
    duplicate: bool = False  # the image was there before
    variants: tuple[str, ...] | None = None  # canonical texts; None: those of the batch
    name: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0  # how often it was begun anew after a failure
    problem: Problem | None = None

    @property
    def counts(self) -> Counts:
        """What this line adds to the sums of its batch."""
        kept = self.image is not None
        return Counts(
            declared=1,
            received=int(self.received),
            duplicate=int(self.duplicate),
            stored=int(kept and not self.duplicate),
            processing=int(self.state is LineState.PROCESSING),
            succeeded=int(self.state is LineState.SUCCEEDED),
            failed=int(self.state is LineState.FAILED),
            open=int(not self.state.final),
            bytes=(self.bytes or 0) if kept else 0,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A large object on its way in, in parts; its job carries its id.

    ``expires_at`` is when the sweeper goes on with it: an open one ends then, of one that has
    ended the parts go, then the record. None while its job sees to that.
    """

    id: str
    state: UploadState
    purpose: Purpose
    transfer: Transfer
    created_at: float
    lifetime: float  # seconds that it stays open after its last part
    expires_at: float | None
    bytes: int | None = None  # as announced
    part_bytes: int | None = None  # that the client was told to send at a time
    sha256: str | None = None  # hex, of the whole, as announced
    parts: int = 0  # that are here
    received: int = 0  # bytes of those parts
    etag: str | None = None  # of the parts that it is made of, once they are fixed
    name: str | None = None
    batch: str | None = None
    ref: str | None = None
    variants: tuple[str, ...] | None = None  # canonical texts; None: those of the batch, if any
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None  # that it has become
    problem: Problem | None = None
    version: int = 1  # grows with every change and every part


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadPart:
    """A part of an upload: an object of the blob store, under a key that no other attempt has."""

    upload: str
    number: int
    bytes: int
    sha256: str  # hex
    key: str
    at: float

    @property
    def etag(self) -> str:
        """What the client names the part by when it completes the upload."""
        return self.sha256[:32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where events are posted to. Its secret is needed to sign them, so it is kept."""

    id: str
    url: str
    secret: str = field(repr=False)  # as Standard Webhooks write it: whsec_ and base64
    created_at: float
    events: tuple[Event, ...] | None = None  # None: all, but for those of the items of batches
    name: str | None = None
    state: EndpointState = EndpointState.ACTIVE
    detail: str | None = None  # why it is disabled

    def wants(self, event: Event, *, item: bool) -> bool:
        """Whether to tell it; an ``item`` of a batch, which may have very many, only if named."""
        if self.events is None:
            return not item
        return event in self.events


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookDelivery:
    """An event on its way to one endpoint.

    While it is pending, no attempt starts before ``due_at``: the next is to come then, or the
    lease of the one under way is over.
    """

    id: str
    endpoint: str
    event: Event
    body: str  # what is posted, the same at every attempt
    created_at: float
    due_at: float
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    status: int | None = None  # of the last answer
    detail: str | None = None  # why the last attempt failed
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


BLOB_ROOTS = ("o/", "v/", "p/")  # what keys begin with: of originals, variants, parts


def original_key(image: str) -> str:
    """Return where an image's bytes lie in the blob store."""
    return f"o/{image[:2]}/{image}"


def variant_prefix(image: str) -> str:
    """Return what the keys of all variants of an image begin with."""
    return f"v/{image[:2]}/{image}/"


def variant_key(image: str, recipe: str) -> str:
    """Return where the bytes of one variant lie: the same for every attempt to make it."""
    return f"{variant_prefix(image)}{recipe}"


def part_key(upload: str, number: int) -> str:
    """Return where a part lies: a fresh place for every attempt to send it."""
    return f"p/{upload[:2]}/{upload}/{number}-{new_id()}"


def part_number(key: str) -> int:
    """Return the number of the part that lies under a key."""
    return int(key.rpartition("/")[2].partition("-")[0])
