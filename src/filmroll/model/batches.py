"""Many items handled as one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from filmroll.model.problem import Problem


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
    INFO = "info"


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

    @property
    def told(self) -> dict[str, int]:
        """Those that a client is told: the ``open`` ones follow from the others and the state."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "open"}

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
