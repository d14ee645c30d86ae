"""Large objects on their way in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from filmroll.model.problem import Problem


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A large object on its way in, in parts; its job carries its id.

    ``expires_at`` is when the sweeper goes on with it: an open one ends then, of one that has
    ended the parts go, and of one that is ``cleared`` the record. None while its job sees to that.
    """

    id: str
    state: UploadState
    purpose: Purpose
    transfer: Transfer
    created_at: float
    lifetime: float  # seconds that it stays open after its last part; 0 once it is cleared
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
    said: str = ""  # what a tus client said of it, to be told again
    partial: bool = False  # it becomes nothing by itself, but is to be joined with others
    joins: tuple[str, ...] = ()  # the partial ones that it consists of, in order; no own parts then
    joined_by: str | None = None  # the upload that joins this partial one, and ends it when it ends
    image: str | None = None  # that it has become
    problem: Problem | None = None
    version: int = 1  # grows with every change and every part

    @property
    def cleared(self) -> bool:
        """Whether it has ended, and nothing is left of it but this record."""
        return self.state.final and self.lifetime == 0


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadPart:
    """A part of an upload: an object of the blob store, under a key that no other attempt has."""

    upload: str
    number: int
    bytes: int
    sha256: str  # hex; "" if its client has sent it to the store itself
    key: str
    at: float
    stored_etag: str | None = None  # what the store answered that client

    @property
    def etag(self) -> str:
        """What the client names the part by when it completes the upload."""
        return self.stored_etag or self.sha256[:32]
