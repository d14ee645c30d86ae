"""Bytes under keys."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable


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
        Raises DigestMismatch, with nothing kept, if bytes do not hash to ``sha256`` (hex). That of
        a ``Path`` is believed: whoever wrote the file has hashed the bytes on their way into it.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectPut:
    """A PUT that a client may make; it sends all of ``headers``, as they are."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectObject:
    """What a client has put; ``etag`` is what the store answered it, without quotes."""

    bytes: int
    etag: str


@runtime_checkable
class DirectUploads(Protocol):
    """What a blob store may offer besides: clients send the bytes of an object to it directly.

    Whether the object is what was announced is to be looked at when the client says that it is
    there.
    """

    async def direct_put(self, key: str, size: int, seconds: int) -> DirectPut:
        """Let a client put an object of just so many bytes.

        Only as long as there is no object under the key: the URL is good for one, and for so many
        seconds.
        """

    async def direct_object(self, key: str) -> DirectObject | None:
        """Say what a client has put under a key; None if nothing is there."""


@runtime_checkable
class DirectDownloads(Protocol):
    """What a blob store may offer besides: clients get the bytes of an object from it directly."""

    async def direct_get(
        self, key: str, seconds: int, content_type: str, disposition: str | None
    ) -> str:
        """Return a URL by which anybody gets an object, parts of it too, for so many seconds.

        It is sent with this ``Content-Type`` and ``Content-Disposition``. Whether there is such an
        object is not looked at.
        """


@runtime_checkable
class LocalFiles(Protocol):
    """What a blob store may offer besides: each object is a file that other programs can read."""

    def file_below_root(self, key: str) -> str:
        """Return where the file of an object is, below the folder that the store was given."""
