"""The ports: what the use cases need of the world. The comments are promises.

Every adapter keeps them and passes the one contract suite of its port (``tests/contract``).
All methods may raise StoreUnavailable when the store is out of reach, StorageFull when it has no
room; an adapter lets no error of its SDK through. Nothing here blocks the event loop for long.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from filmroll.instructions import Instructions
from filmroll.model import (
    AccessKey,
    Batch,
    BatchState,
    DeliveryState,
    Endpoint,
    Header,
    IdempotentRequest,
    Image,
    Job,
    Lane,
    Line,
    LineState,
    Preset,
    Problem,
    SigningKey,
    Upload,
    UploadPart,
    Variant,
    WebhookDelivery,
)

# ---------------------------------------------------------------------------------------- blobs


@dataclass(frozen=True, kw_only=True, slots=True)
class BlobInfo:
    """One object in a listing; ``modified_at`` in seconds since the epoch."""

    key: str
    bytes: int
    modified_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """A small object on its way in; ``sha256`` in hex."""

    key: str
    body: bytes
    sha256: str


CHECKS = "check/"  # what the keys of objects begin with that only a check writes


class BlobStore(Protocol):
    """Objects under keys such as ``o/ab/abc…``; immutable but for being replaced whole."""

    async def put(self, key: str, body: bytes | Path, sha256: str, *, lasting: bool = True) -> None:
        """Store an object; return only when it is durable, power cut included.

        A reader sees all of it or nothing. A ``Path`` is taken over: it is gone afterwards.
        One that is not ``lasting`` can be made again: a power cut may take it, or cut it short.
        Raises DigestMismatch, with nothing kept, if the bytes do not hash to ``sha256`` (hex).
        An existing object is replaced as a whole.
        """

    async def put_all(self, blobs: Sequence[Blob]) -> None:
        """Store several small objects; return when all are durable, for little more than one.

        If it raises, some of them may be there.
        """

    async def read(self, key: str) -> bytes | None:
        """Return a (small) object, or None if there is none."""

    async def open(self, key: str) -> BinaryIO | None:
        """Return a real, seekable file with ``fileno()`` that holds the object, or None.

        The caller closes it. Its bytes stay readable even if the object is deleted meanwhile.
        """

    async def delete(self, keys: Sequence[str], *, older_than: float | None = None) -> None:
        """Remove objects; those that are not there are no error. Durable on return.

        With ``older_than`` (seconds since the epoch) only those not modified since: each is
        looked at once more right before it goes.
        """

    def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Yield what lies under a prefix, in no order. For housekeeping, never for requests."""

    async def check(self) -> None:
        """Write, read and remove a small object under CHECKS; raise what is wrong."""

    async def close(self) -> None:
        """Finish what was begun, then let go of everything."""


# -------------------------------------------------------------------------------------- catalog


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFilter:
    """Which images to list: all conditions hold at once."""

    tag: str | None = None
    batch: str | None = None
    sha256: str | None = None
    created_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagePage:
    """A page of a listing, newest first; ``next_cursor`` is None on the last one."""

    items: tuple[Image, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchFilter:
    """Which batches to list: all conditions hold at once."""

    name: str | None = None
    state: BatchState | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchPage:
    """A page of a listing, newest first; ``next_cursor`` is None on the last one."""

    items: tuple[Batch, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryFilter:
    """Which deliveries of an endpoint to list."""

    endpoint: str
    state: DeliveryState | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryPage:
    """A page of a listing, newest first; ``next_cursor`` is None on the last one."""

    items: tuple[WebhookDelivery, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A line offered to a ledger, with all that comes with it."""

    line: Line
    image: Image | None = None  # a new one, of this line's own
    job: Job | None = None
    deliveries: Sequence[WebhookDelivery] = ()


class Standing(NamedTuple):
    """The line that stands after one was offered, and whether that is the one offered."""

    line: Line | None
    taken: bool


class PartStanding(NamedTuple):
    """The upload after a part was offered, whether that was taken, and which part it replaced."""

    upload: Upload | None
    taken: bool
    replaced: UploadPart | None = None


class Catalog(Protocol):
    """What is known about images, variants, jobs, batches, uploads, presets and keys.

    Every write is one atomic step on one image (its record, variants and jobs), durable on return.
    A reader that starts after a write has returned sees it, from any process.

    ``deliveries`` are the webhooks that tell of a write: they are kept in the same step, and only
    if it changes something; those to endpoints that are not active (any more) are left out.
    """

    async def add_image(
        self, image: Image, job: Job | None, deliveries: Sequence[WebhookDelivery] = ()
    ) -> Image:
        """Add an image together with its job (the outbox), both or neither.

        If the id exists already nothing is changed; returns the record that is there either way.
        """

    async def get_image(self, image: str) -> Image | None:
        """Return an image, a tombstone (state ``deleted``) included."""

    async def update_image(self, image: Image) -> bool:
        """Replace a record whose stored version is ``image.version - 1``.

        False, and no change, if it has another version or is deleted.
        """

    async def list_images(self, where: ImageFilter, limit: int, cursor: str | None) -> ImagePage:
        """List images that are not deleted, newest first.

        Raises InvalidRequest (pointer ``/cursor``) for a cursor that is not of this listing.
        """

    async def find_images(self, sha256s: Sequence[str]) -> Mapping[str, Image]:
        """Return an image that is not deleted for each of the digests (hex) that has one."""

    async def bury_image(self, image: str, purge_at: float) -> bool:
        """Turn an image into a tombstone; from now on nothing can be added to it.

        Its jobs that are not final become ``cancelled``, and so do the lines that wait for them.
        ``purge_at`` is when the housekeeper ends what its deletion may have left undone. False if
        it is unknown or buried already.
        """

    async def drop_variants(self, image: str) -> Sequence[str]:
        """Remove the variant records of a buried image; return their recipes."""

    async def due_purges(self, before: float, limit: int) -> Sequence[str]:
        """Return ids of tombstones whose ``purge_at`` has come."""

    async def purged(self, image: str, again_at: float) -> None:
        """Note that all was removed that is left of a buried image.

        The first time it becomes due once more, at ``again_at``: what was being made while it
        was buried may come late. The second time it is due no more.
        """

    async def get_variant(self, image: str, recipe: str) -> Variant | None:
        """Return one variant."""

    async def list_variants(self, image: str) -> Sequence[Variant]:
        """Return all variants of an image, oldest first."""

    async def put_variants(self, image: str, variants: Sequence[Variant]) -> bool:
        """Add or replace variants. False, and nothing written, if the image is not (any more)."""

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

    async def finish_job(
        self,
        job: Job,
        image: Image | None,
        variants: Sequence[Variant],
        deliveries: Sequence[WebhookDelivery] = (),
    ) -> bool:
        """Write the end of an attempt: the job (final, or queued again), variants, the image.

        The end of a job is the end of its line or of its upload, too. False, and nothing written,
        if the stored job is not running this attempt any more or its image is deleted. Of the
        image only ``state``, ``problem`` and ``version`` (one more) are taken; with None it stays
        as it is.
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

        Those that are final, or whose ``due_at`` has been moved since they were read, stay.
        """

    async def expire_jobs(self, before: float) -> None:
        """Forget jobs that ended before that time, by ``finished_at``."""

    async def add_batch(self, batch: Batch, job: Job | None = None) -> Batch:
        """Add a batch; if the id exists already, return the one that is there, unchanged."""

    async def get_batch(self, batch: str) -> Batch | None:
        """Return a batch with its sums: the cost is the same however many lines it has."""

    async def list_batches(self, where: BatchFilter, limit: int, cursor: str | None) -> BatchPage:
        """List batches, newest first; raises InvalidRequest for a foreign cursor."""

    async def close_batch(self, batch: str, state: BatchState, now: float) -> Batch | None:
        """Let a batch take no more: ``sealed``, ``cancelled`` or ``expired``; None if unknown.

        Returns the batch as it stands then: sealed, lines still ``declared`` have failed, and
        the batch is complete when all lines are final. Only an open batch can be sealed or
        expire; one that is final stays as it is.
        """

    async def put_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Standing]:
        """Offer lines; return for each what stands now.

        Each is one atomic step with its image and its job; all are durable on return. What the
        batch does not want any more (it is closed, or the line is further already) changes
        nothing: see ``rules.entered``. Nor does a line that refers to an image which is deleted.
        """

    async def get_lines(self, batch: str, refs: Sequence[str]) -> Mapping[str, Line]:
        """Return those of the lines that exist."""

    async def list_lines(
        self, batch: str, state: LineState | None, after: int, limit: int
    ) -> Sequence[Line]:
        """Return lines in the ledger's order whose number is over ``after``."""

    async def retry_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Line]:
        """Begin failed lines anew, each in one step with its job and its image; return those.

        A complete batch is sealed again. Nothing is begun in one that is cancelled or expired.
        """

    async def due_batches(self, before: float, limit: int) -> Sequence[Batch]:
        """Return open batches that expire before that time."""

    async def untold_batches(self, limit: int) -> Sequence[Batch]:
        """Return batches that have ended and are not told yet."""

    async def tell_batch(self, batch: Batch, deliveries: Sequence[WebhookDelivery]) -> bool:
        """Note that the end of a batch is told; its version stays.

        False, and no change, if it is told already or has ended anew since it was read.
        """

    async def add_upload(self, upload: Upload) -> Upload:
        """Add an upload; if the id exists already, return the one that is there, unchanged."""

    async def get_upload(self, upload: str) -> Upload | None:
        """Return an upload; the cost is the same however many parts it has."""

    async def update_upload(self, upload: Upload, job: Job | None = None) -> bool:
        """Replace an upload whose stored version is ``upload.version - 1``; with it, add a job.

        False, and no change, if it has another version: a part has come, or it is further.
        """

    async def put_part(self, part: UploadPart, offset: int | None = None) -> PartStanding:
        """Add a part to an open upload, or replace the one that has its number.

        The upload's sums, its version and its expiry follow in the same step. With an ``offset``
        the part is taken only if it is the next one, and the parts so far have just so many bytes.
        """

    async def list_parts(self, upload: str, after: int, limit: int) -> Sequence[UploadPart]:
        """Return parts whose number is over ``after``, in order."""

    async def due_uploads(self, before: float, limit: int) -> Sequence[Upload]:
        """Return uploads whose ``expires_at`` is before that time."""

    async def drop_parts(self, upload: str, through: int) -> None:
        """Forget the parts of an upload that has ended, up to that number; else no change.

        Its sums stay.
        """

    async def forget_uploads(self, uploads: Sequence[str]) -> None:
        """Forget those of the uploads that have ended. Their parts were dropped before."""

    async def add_endpoint(self, endpoint: Endpoint) -> Endpoint:
        """Add an endpoint; if the id exists already, return the one that is there, unchanged."""

    async def get_endpoint(self, endpoint: str) -> Endpoint | None:
        """Return an endpoint."""

    async def list_endpoints(self) -> Sequence[Endpoint]:
        """Return all endpoints, oldest first."""

    async def disable_endpoint(self, endpoint: str, detail: str, now: float) -> None:
        """Send an endpoint nothing any more: what is pending fails, with this detail."""

    async def delete_endpoint(self, endpoint: str) -> bool:
        """Remove an endpoint and its deliveries; False if there was none."""

    async def get_delivery(self, delivery: str) -> WebhookDelivery | None:
        """Return a delivery."""

    async def list_deliveries(
        self, where: DeliveryFilter, limit: int, cursor: str | None
    ) -> DeliveryPage:
        """List deliveries, newest first; raises InvalidRequest for a foreign cursor."""

    async def claim_deliveries(
        self, endpoint: str, limit: int, now: float, lease: float
    ) -> Sequence[WebhookDelivery]:
        """Start an attempt at deliveries that are due: one attempt more, ``due_at = now + lease``.

        Most overdue first. None is started twice before its lease is over.
        """

    async def finish_delivery(self, delivery: WebhookDelivery) -> bool:
        """Write the end of an attempt.

        False, and no change, unless the delivery is still pending at this very attempt.
        """

    async def replay_delivery(self, delivery: str, now: float) -> WebhookDelivery | None:
        """Make a delivery due now, once more if it has ended; None if it is unknown."""

    async def expire_deliveries(self, before: float) -> None:
        """Forget deliveries that ended before that time, by ``finished_at``."""

    async def put_preset(self, preset: Preset) -> None:
        """Add or replace a preset; an older one's ``created_at`` stays."""

    async def get_presets(self, names: Sequence[str]) -> Mapping[str, Preset]:
        """Return those of the named presets that exist."""

    async def list_presets(self) -> Sequence[Preset]:
        """Return all presets by name."""

    async def delete_preset(self, name: str) -> bool:
        """Remove a preset; False if there was none."""

    async def add_access_key(self, key: AccessKey) -> None:
        """Add a key."""

    async def find_access_key(self, hash_: str) -> AccessKey | None:
        """Return the key with this hash, revoked ones included."""

    async def list_access_keys(self) -> Sequence[AccessKey]:
        """Return all keys, oldest first."""

    async def add_signing_key(self, key: SigningKey) -> None:
        """Add a key for delivery URLs."""

    async def list_signing_keys(self) -> Sequence[SigningKey]:
        """Return all signing keys, oldest first, revoked ones included."""

    async def revoke_key(self, key: str, now: float) -> bool:
        """Revoke an access or a signing key by id; False if unknown. Twice is harmless."""

    async def begin_request(self, request: IdempotentRequest, now: float) -> IdempotentRequest:
        """Claim an Idempotency-Key; return the record that holds it now.

        That is ``request`` itself when the key was free, expired, or held without an answer by
        an equal request whose ``locked_until`` is over; else the one that is there.
        """

    async def finish_request(self, request: IdempotentRequest) -> None:
        """Keep the answer of a claimed request until ``expires_at``.

        No change if the key is answered already or, by ``locked_until``, in other hands.
        """

    async def drop_request(self, request: IdempotentRequest) -> None:
        """Free the key of a claimed request that came to nothing; no change as above."""

    async def expire_requests(self, now: float) -> None:
        """Forget answers that are too old."""

    async def check(self) -> None:
        """Write and read back something small; raise what is wrong with the store."""

    async def close(self) -> None:
        """Finish what was begun, then let go of everything."""


# ---------------------------------------------------------------------------------------- queue


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A message in the hands of one worker. ``receipt`` is good until the lease is over."""

    job: str
    lane: Lane
    attempts: int  # this delivery included
    receipt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Depth:
    """How much waits in a lane, how much is out on lease."""

    waiting: int
    leased: int
    dead: int


class JobQueue(Protocol):
    """At-least-once delivery of job ids, in lanes; order is best effort."""

    async def send(self, lane: Lane, jobs: Sequence[str]) -> None:
        """Add messages; durable on return."""

    async def receive(
        self, lane: Lane, limit: int, lease: float, wait: float
    ) -> Sequence[Delivery]:
        """Take up to ``limit`` messages under a lease of so many seconds.

        Waits up to ``wait`` seconds for a first one, also for one that another process sends.
        A message whose lease ends without ``ack`` is delivered again. One that was delivered
        ``max_attempts`` times already is moved to the dead letters instead.
        """

    async def extend(self, delivery: Delivery, lease: float) -> bool:
        """Start the lease anew (heartbeat); False if it was lost."""

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Remove messages for good. A receipt that is no longer good changes nothing."""

    async def release(self, delivery: Delivery, delay: float) -> None:
        """Give a message back, to be delivered again after ``delay`` seconds."""

    async def depth(self, lane: Lane) -> Depth:
        """Count messages."""

    async def dead(self, limit: int) -> Sequence[str]:
        """Return job ids among the dead letters, oldest first."""

    async def expire_dead(self, before: float) -> None:
        """Forget dead letters that became so before that time."""

    async def check(self) -> None:
        """Send, receive and remove a message beside the lanes; raise what is wrong."""

    async def close(self) -> None:
        """Finish what was begun, then let go of everything."""


# ------------------------------------------------------------------------------------ processing


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A finished variant, in memory."""

    data: bytes
    format: str
    width: int
    height: int
    frames: int


class Engine(Protocol):
    """Makes pictures out of an original, in child processes that may die without harm."""

    async def make(
        self,
        source: BinaryIO,
        wanted: Sequence[Instructions],
        overlays: Mapping[str, BinaryIO],
    ) -> Sequence[Picture | Problem]:
        """Decode ``source`` once and return one result for each of ``wanted``, in order.

        Files are read from their start by descriptor and left open. ``overlays`` holds the
        watermark images by id. A fault of one variant is a Problem in its place; a fault of the
        source raises CorruptImage, UnsupportedMedia, TooManyPixels, TooManyFrames or
        ProcessingLimit. Raises EngineCrashed when the child died of it, Overloaded at once when
        the waiting line is full.
        """

    async def check(self) -> Mapping[str, str]:
        """Pass a small image through a child; return the formats in and out, and versions."""

    async def close(self) -> None:
        """End all children."""


class Processor(Protocol):
    """The processing role, called directly for work that someone waits for."""

    async def run_job(self, job: str) -> Job | None:
        """Run a job now, unless another does; return it as it stands then. None if unknown.

        Raises Overloaded at once when the waiting line is full.
        """

    async def make_variant(
        self, image: str, instructions: Instructions, *, again: bool = False
    ) -> Variant:
        """Make and keep one variant, or return the one that is kept; the same for all who ask.

        ``again``: the kept one's bytes are lost or damaged; make them anew.
        Raises NotFound or Deleted for the image, Overloaded, and what the engine refuses with.
        """


class Probe(Protocol):
    """Reads an image's header and walks its structure, without decoding a pixel."""

    def __call__(self, file: BinaryIO, size: int) -> Header:
        """Return what the image says of itself.

        Raises UnsupportedMedia if it is none of the formats, CorruptImage if it is cut short or
        its structure is broken, TooManyPixels and TooManyFrames over the limits.
        """


class Epochs(Protocol):
    """Tells caches in memory, in whatever process of this machine, that an image has changed."""

    def stamp(self, image: str) -> int:
        """Return the image's stamp; what was cached under an older one is stale. Very cheap."""

    def bump(self, image: str) -> None:
        """Make everything stale that any process has cached of the image."""


# ----------------------------------------------------------------------------------- the outside


class Sink(Protocol):
    """Where a body goes that comes in chunks."""

    async def write(self, chunk: bytes) -> None:
        """Take a chunk; raise TooLarge as soon as it is too much."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What was said of a body that was fetched: nothing of it is to be trusted."""

    url: str  # where it lay in the end, after redirects
    content_type: str | None
    name: str | None  # a bare file name, without control characters


class Fetcher(Protocol):
    """Gets what lies under a URL of someone else's choosing, from public servers only."""

    async def fetch(self, url: str, sink: Sink, limit: int | None = None) -> Fetched:
        """Write the body to ``sink`` and return when it is whole: one attempt, bounded in time.

        With a ``limit`` in bytes TooLarge is raised before the first one, if more are announced.
        Raises ForbiddenAddress and FetchFailed, which are final; FetchUnavailable, after which
        another attempt may do better; and what the sink raises.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """How a server answered a post; ``retry_after`` in seconds, if it named a time."""

    status: int
    detail: str  # how the answer's text begins
    retry_after: int | None


class Poster(Protocol):
    """Sends a body to a URL of someone else's choosing, to public servers only."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Post once and return the answer, whatever its status; a redirect is not followed.

        Raises what Fetcher does if there is no answer.
        """
