"""The exception tree: everything Filmroll says no with.

::

    FilmrollError
    ├── MalformedRequest        malformed-request        MALFORMED
    │   ├── IncompleteBody      incomplete-body
    │   └── DigestMismatch      digest-mismatch
    ├── InvalidRequest          invalid-request          INVALID
    │   ├── InvalidInstructions invalid-instructions
    │   │   ├── UnknownPreset   unknown-preset
    │   │   └── UnknownWatermark unknown-watermark
    │   ├── EmptyBody           empty-body
    │   ├── CorruptImage        corrupt-image
    │   ├── ProcessingLimit     processing-limit
    │   ├── EngineCrashed       engine-crashed
    │   ├── BrokenArchive       broken-archive
    │   ├── CorruptMember       corrupt-member
    │   ├── RefusedMember       refused-member
    │   ├── InvalidPart         invalid-part
    │   ├── InvalidPartOrder    invalid-part-order
    │   ├── PartTooSmall        part-too-small
    │   ├── SizeMismatch        size-mismatch
    │   ├── ForbiddenAddress    forbidden-address
    │   ├── FetchFailed         fetch-failed
    │   ├── FetchUnavailable    fetch-unavailable
    │   ├── Untranslatable      untranslatable
    │   ├── UnknownSource       unknown-source
    │   └── IdempotencyKeyReused idempotency-key-reused
    ├── UnsupportedMedia        unsupported-media        UNSUPPORTED
    ├── RangeNotSatisfiable     range-not-satisfiable    RANGE
    ├── TooLarge                too-large                TOO_LARGE
    │   ├── TooManyPixels       too-many-pixels
    │   └── TooManyFrames       too-many-frames
    ├── Unauthenticated         unauthenticated          UNAUTHENTICATED
    ├── Forbidden               forbidden                FORBIDDEN
    │   ├── UploadSettled       upload-settled
    │   ├── InvalidSignature    invalid-signature
    │   └── ExpiredSignature    expired-signature
    ├── NotFound                not-found                NOT_FOUND
    ├── MethodNotAllowed        method-not-allowed       METHOD
    ├── Deleted                 deleted                  GONE
    ├── UploadGone              upload-gone              GONE
    ├── Conflict                conflict                 CONFLICT
    │   ├── Duplicate           duplicate
    │   ├── NotReceived         not-received
    │   ├── OffsetMismatch      offset-mismatch
    │   ├── DirectNotSupported  direct-not-supported
    │   └── IdempotencyInProgress idempotency-in-progress
    ├── VersionMismatch         version-mismatch         PRECONDITION
    ├── UnsupportedVersion      unsupported-version      PRECONDITION
    ├── ChecksumMismatch        checksum-mismatch        CHECKSUM
    ├── SourceFailed            source-failed            GATEWAY
    ├── Overloaded              overloaded               UNAVAILABLE
    │   └── StoreUnavailable    store-unavailable
    ├── StorageFull             storage-full             FULL
    └── InternalError           internal-error           INTERNAL

A class holds the stable ``code`` and the public ``title``; its docstring is the text of the page
``/problems/<code>``. An instance holds ``detail`` (what happened and what to do about it) and the
figures. What must not be public goes into the exception's cause, never into ``detail``. How a kind
becomes an HTTP status is the business of ``web``.
"""

from collections.abc import Iterator
from enum import StrEnum, auto
from typing import Any, ClassVar


class Kind(StrEnum):
    """What sort of refusal it is."""

    MALFORMED = auto()
    INVALID = auto()
    UNSUPPORTED = auto()
    RANGE = auto()
    TOO_LARGE = auto()
    UNAUTHENTICATED = auto()
    FORBIDDEN = auto()
    NOT_FOUND = auto()
    METHOD = auto()
    GONE = auto()
    CONFLICT = auto()
    PRECONDITION = auto()
    CHECKSUM = auto()
    GATEWAY = auto()
    UNAVAILABLE = auto()
    FULL = auto()
    INTERNAL = auto()


class FilmrollError(Exception):
    """The root: never raised itself."""

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Error"
    kind: ClassVar[Kind] = Kind.INTERNAL

    def __init__(self, detail: str, **figures: Any) -> None:
        """Say what to do in ``detail``; figures are e.g. ``limit``, ``actual``, ``pointer``."""
        super().__init__(detail)
        self.detail = detail
        self.figures = figures


class MalformedRequest(FilmrollError):
    """The request could not be understood: broken JSON, a broken form, a header out of form."""

    code, title, kind = "malformed-request", "Malformed request", Kind.MALFORMED


class IncompleteBody(MalformedRequest):
    """The connection ended before the announced body did. Nothing was kept; send it again."""

    code, title = "incomplete-body", "The body ended early"


class DigestMismatch(MalformedRequest):
    """The bytes that arrived are not those that the digest header names. Nothing was kept."""

    code, title = "digest-mismatch", "Digest mismatch"


class InvalidRequest(FilmrollError):
    """A field is unknown, missing or out of range; ``pointer`` names it."""

    code, title, kind = "invalid-request", "Invalid request", Kind.INVALID


class InvalidInstructions(InvalidRequest):
    """The instructions cannot be carried out; ``pointer`` names the operation and the key."""

    code, title = "invalid-instructions", "Invalid instructions"


class UnknownPreset(InvalidInstructions):
    """The instructions name a preset that is not kept here. ``GET /v1/presets`` lists them."""

    code, title = "unknown-preset", "Unknown preset"


class UnknownWatermark(InvalidInstructions):
    """The image that should serve as watermark does not exist, or was deleted meanwhile."""

    code, title = "unknown-watermark", "Unknown watermark image"


class EmptyBody(InvalidRequest):
    """There were no bytes to store. Send the image as the body, or as a ``file`` of a form."""

    code, title = "empty-body", "Empty body"


class CorruptImage(InvalidRequest):
    """The format is one that Filmroll takes, but the file is damaged or cut short."""

    code, title = "corrupt-image", "The image is damaged"


class ProcessingLimit(InvalidRequest):
    """Decoding or processing took more memory or time than one picture may have."""

    code, title = "processing-limit", "Processing limit exceeded"


class EngineCrashed(InvalidRequest):
    """The decoder died on this image, more than once. The original is untouched."""

    code, title = "engine-crashed", "The image could not be processed"


class ForbiddenAddress(InvalidRequest):
    """The URL leads to an address that is not public, or to a port where no web server belongs.

    Whoever runs the service can allow hosts on a private network.
    """

    code, title = "forbidden-address", "Not a public address"


class FetchFailed(InvalidRequest):
    """The URL is out of form, or its server refused for good. Another attempt would not help."""

    code, title = "fetch-failed", "The URL could not be fetched"


class FetchUnavailable(InvalidRequest):
    """The URL's server did not answer in time, or was too busy. Another attempt may do better."""

    code, title = "fetch-unavailable", "The URL's server is unavailable"


class Untranslatable(InvalidRequest):
    """The thumbor or imgproxy URL asks for something that has no counterpart here.

    ``option`` names it; the detail says what to use instead, where there is something.
    """

    code, title = "untranslatable", "No counterpart for this option"


class UnknownSource(InvalidRequest):
    """The thumbor or imgproxy URL names a source that is no image here, nor may be fetched.

    Whoever runs the service can allow sources.
    """

    code, title = "unknown-source", "Unknown source"


class BrokenArchive(InvalidRequest):
    """The archive is cut short, damaged, or a bomb; ``members`` came before, and those count."""

    code, title = "broken-archive", "The archive is broken"


class CorruptMember(InvalidRequest):
    """One member of the archive is damaged. Those before and after it are not concerned."""

    code, title = "corrupt-member", "A member of the archive is damaged"


class RefusedMember(InvalidRequest):
    """A member has a name that leads elsewhere, or is encrypted or packed in an unknown way."""

    code, title = "refused-member", "A member of the archive is not taken"


class InvalidPart(InvalidRequest):
    """A part in the list was never sent, or other bytes were: its ETag is another one.

    ``GET /v1/uploads/<id>`` lists the parts that are here. Send it again, or correct the list.
    """

    code, title = "invalid-part", "No such part"


class InvalidPartOrder(InvalidRequest):
    """The list of parts is empty, has a gap, or is out of order: the numbers go 1, 2, 3 and on."""

    code, title = "invalid-part-order", "The parts are not in order"


class PartTooSmall(InvalidRequest):
    """Every part but the last has 5 MiB at least. Send this one again, with more bytes."""

    code, title = "part-too-small", "A part is too small"


class SizeMismatch(InvalidRequest):
    """The parts together do not have as many bytes as were announced for the whole."""

    code, title = "size-mismatch", "The sizes differ"


class IdempotencyKeyReused(InvalidRequest):
    """This Idempotency-Key was used with another payload. Take a new key for a new request."""

    code, title = "idempotency-key-reused", "Idempotency-Key reused"


class UnsupportedMedia(FilmrollError):
    """The bytes are not JPEG, PNG, WebP, GIF, AVIF or TIFF, whatever their name says.

    Where an archive is awaited: they are not tar, tar.gz, tar.zst or zip.
    """

    code, title, kind = "unsupported-media", "Not a format we take", Kind.UNSUPPORTED


class RangeNotSatisfiable(FilmrollError):
    """The range that was asked for lies outside the picture; ``limit`` is its size in bytes."""

    code, title, kind = "range-not-satisfiable", "Range not satisfiable", Kind.RANGE


class TooLarge(FilmrollError):
    """More bytes than allowed here; ``GET /v1/limits`` publishes every limit."""

    code, title, kind = "too-large", "Too large", Kind.TOO_LARGE


class TooManyPixels(TooLarge):
    """The picture is wider, higher or larger in all than allowed; no pixel was decoded."""

    code, title = "too-many-pixels", "Too many pixels"


class TooManyFrames(TooLarge):
    """The animation has more frames, or more pixels over all frames, than allowed."""

    code, title = "too-many-frames", "Too many frames"


class Unauthenticated(FilmrollError):
    """A key is needed: ``Authorization: Bearer <key>``. The one sent is unknown or revoked."""

    code, title, kind = "unauthenticated", "A valid key is needed", Kind.UNAUTHENTICATED


class Forbidden(FilmrollError):
    """The key is valid, but its scopes do not allow this."""

    code, title, kind = "forbidden", "Not allowed", Kind.FORBIDDEN


class UploadSettled(Forbidden):
    """It is too late: the upload is completed, or joined with others, or consists of others."""

    code, title = "upload-settled", "The upload takes no changes"


class InvalidSignature(Forbidden):
    """The URL is not signed, or path, expiry or signature were changed, or its key is revoked."""

    code, title = "invalid-signature", "Invalid signature"


class ExpiredSignature(Forbidden):
    """The signature was right, but its time is over. Ask for a fresh URL."""

    code, title = "expired-signature", "Expired signature"


class NotFound(FilmrollError):
    """There is nothing under this address."""

    code, title, kind = "not-found", "Not found", Kind.NOT_FOUND


class MethodNotAllowed(FilmrollError):
    """The address exists, but does not know this method; ``Allow`` lists those it knows."""

    code, title, kind = "method-not-allowed", "Method not allowed", Kind.METHOD


class Deleted(FilmrollError):
    """The image was here and has been deleted, with all its variants."""

    code, title, kind = "deleted", "Deleted", Kind.GONE


class UploadGone(FilmrollError):
    """The upload was aborted, or expired; its parts are removed. Begin another one."""

    code, title, kind = "upload-gone", "The upload is gone", Kind.GONE


class Conflict(FilmrollError):
    """The state of the thing does not allow this now."""

    code, title, kind = "conflict", "Conflict", Kind.CONFLICT


class Duplicate(Conflict):
    """The same bytes are kept already, and the batch was told to reject such items."""

    code, title = "duplicate", "The image is here already"


class NotReceived(Conflict):
    """The item was declared, but the batch was sealed before its bytes came. Send it anew."""

    code, title = "not-received", "The bytes never came"


class OffsetMismatch(Conflict):
    """The upload goes on at another ``offset``. Ask for it, and send what follows from there."""

    code, title = "offset-mismatch", "Another offset is due"


class DirectNotSupported(Conflict):
    """The blob store takes no bytes from clients directly. Send the parts to the service."""

    code, title = "direct-not-supported", "Not possible with this store"


class IdempotencyInProgress(Conflict):
    """The first request with this Idempotency-Key is still running. Retry a little later."""

    code, title = "idempotency-in-progress", "Still running"


class VersionMismatch(FilmrollError):
    """The thing changed since it was read (``If-Match``). Read it again, then repeat."""

    code, title, kind = "version-mismatch", "Version mismatch", Kind.PRECONDITION


class UnsupportedVersion(FilmrollError):
    """A tus request names the version of the protocol: ``Tus-Resumable: 1.0.0``."""

    code, title, kind = "unsupported-version", "Another version is spoken here", Kind.PRECONDITION


class ChecksumMismatch(FilmrollError):
    """The bytes do not have the checksum that was announced. None was kept; send them again."""

    code, title, kind = "checksum-mismatch", "Checksum mismatch", Kind.CHECKSUM


class SourceFailed(FilmrollError):
    """The server that a source is fetched from failed, refused, or did not answer."""

    code, title, kind = "source-failed", "The source's server failed", Kind.GATEWAY


class Overloaded(FilmrollError):
    """There is more work than the service may take on now. Retry after the stated time."""

    code, title, kind = "overloaded", "Overloaded", Kind.UNAVAILABLE


class StoreUnavailable(Overloaded):
    """A store cannot be reached, or failed to make data durable. Nothing was acknowledged."""

    code, title = "store-unavailable", "A store is unavailable"


class StorageFull(FilmrollError):
    """There is no room left on the disk. What was acknowledged is safe; this was not kept."""

    code, title, kind = "storage-full", "Storage full", Kind.FULL


class InternalError(FilmrollError):
    """A defect of Filmroll's. The request id leads to the log line that explains it."""

    code, title, kind = "internal-error", "Internal error", Kind.INTERNAL


# Faults that are told of the image or of its instructions.
REFUSALS = (InvalidRequest, UnsupportedMedia, TooLarge)


def catalogue(root: type[FilmrollError] = FilmrollError) -> Iterator[type[FilmrollError]]:
    """Yield every error class below ``root``, parents first."""
    for child in root.__subclasses__():
        yield child
        yield from catalogue(child)
