"""The catalog's part about batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from filmroll.model import Batch, BatchState, Image, Job, Line, LineState, WebhookDelivery


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
    open: bool  # whether the batch takes items


class BatchesCatalog(Protocol):
    """What is known about batches and the lines of their ledgers."""

    async def add_batch(self, batch: Batch, job: Job | None = None) -> Batch:
        """Add a batch; if the id exists already, return the one that is there, unchanged."""

    async def get_batch(self, batch: str) -> Batch | None:
        """Return a batch with its sums: the cost is the same however many lines it has."""

    async def list_batches(self, where: BatchFilter, limit: int, cursor: str | None) -> BatchPage:
        """List batches, newest first; raises InvalidRequest for a foreign cursor."""

    async def close_batch(
        self, batch: str, state: BatchState, now: float, expected: int | None = None
    ) -> Batch | None:
        """Let a batch take no more: ``sealed``, ``cancelled`` or ``expired``; None if unknown.

        Returns the batch as it stands then. Only an open batch can be sealed or expire, and be
        sealed only with as many lines as are ``expected``; one that is final stays as it is. It is
        complete when all lines are final; those that wait are for ``end_waiting``.
        """

    async def end_waiting(self, batch: str, now: float, limit: int) -> int:
        """End lines of a closed batch that nobody will send or fetch; return how many.

        Of a sealed one those still ``declared`` fail; of another the ``queued``, too, and all are
        cancelled. Up to ``limit`` at once, so that others' writes come between.
        """

    async def put_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Standing]:
        """Offer lines; return for each what stands now.

        Each is one atomic step with its image and its job; all are durable on return. What the
        batch does not want any more (it is closed, or the line is further already) changes
        nothing: see ``batch_rules.entered``. Nor does a line that refers to a deleted image.
        """

    async def get_lines(self, batch: str, refs: Sequence[str]) -> Mapping[str, Line]:
        """Return those of the lines that exist."""

    async def list_lines(
        self, batch: str, state: LineState | None, after: int, limit: int
    ) -> Sequence[Line]:
        """Return lines in the ledger's order whose number is over ``after``.

        At most ``limit``, perhaps less although more follow; none only if there is none.
        """

    async def retry_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Line]:
        """Begin failed lines anew, each in one step with its job and its image; return those.

        A complete batch is sealed again. Nothing is begun in one that is cancelled or expired.
        """

    async def waiting_batches(self, limit: int) -> Sequence[Batch]:
        """Return closed batches that have lines which are not final, oldest first."""

    async def due_batches(self, before: float, limit: int) -> Sequence[Batch]:
        """Return open batches that expire before that time."""

    async def untold_batches(self, limit: int) -> Sequence[Batch]:
        """Return batches that have ended and are not told yet."""

    async def tell_batch(self, batch: Batch, deliveries: Sequence[WebhookDelivery]) -> bool:
        """Note that the end of a batch is told; its version stays.

        False, and no change, if it is told already or has ended anew since it was read.
        """
