"""The ledgers that this process is busy with, and the ends of jobs on their way into them.

The end of a job is the end of its line. To write each into the ledger by itself would cost as much
as all the rest of an item, so ends are gathered for a moment and written together: another process
may see them seconds late. This one sees them at once. If it dies in between, the job's own record
still says how it ended, and whoever looks at a batch that stands still finds it.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from filmroll.catalog import batch_rules
from filmroll.catalog.dynamodb.ledger import (
    Changes,
    Last,
    Ledger,
    append,
    first_fitting,
    head_key,
    last_of,
)
from filmroll.catalog.dynamodb.record import read
from filmroll.catalog.dynamodb.schema import RECORD
from filmroll.catalog.dynamodb.table import Contested, Table, contest, number, text
from filmroll.model import Batch, BatchState, Job, JobKind, JobState, Line, WebhookDelivery, now

GATHER_SECONDS = 3.0  # that an end waits for others at the most,
LONGEST_SECONDS = 10.0  # and in a batch with very many lines to go
_PATIENT_LINES = 300  # to go, for which it waits longer
_TICK_SECONDS = 0.3
_REMEMBERED_LINES = 300_000  # of ledgers that nobody is busy with; about 350 bytes each
_AT_ONCE = 400  # ends written together

OPEN, CLOSED, UNTOLD = "open", "closed", "untold"  # where a batch is found that needs something

Decision = tuple[Batch, Changes] | None

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Busy:
    """A ledger, and whose turn it is in this process to write it."""

    ledger: Ledger
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    marker: tuple[str, float] | None = None  # as it was written last, as far as we know
    ends: list[Job] = field(default_factory=list)
    first: float = 0.0  # when the end came that waits the longest
    flush: asyncio.Task[None] | None = None

    def ripe(self) -> bool:
        """Whether the ends are to wait no more: they are enough, or the last ones to come."""
        batch = self.ledger.batch
        to_go = batch.counts.open if batch else 0
        patience = GATHER_SECONDS * max(1.0, to_go / _PATIENT_LINES)
        if time.monotonic() - self.first >= min(patience, LONGEST_SECONDS):
            return True
        if len(self.ends) >= _AT_ONCE:
            return True
        shut = batch is not None and batch.state is not BatchState.OPEN
        return shut and to_go <= len(self.ends)


class Ledgers:
    """Reads and changes batches; each change is decided on what is certainly the last state."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._busy: OrderedDict[str, _Busy] = OrderedDict()

    async def last(self, batch: str) -> Last | None:
        """Return a batch as it stands, this process's own ends included."""
        busy = self._busy.get(batch)
        if busy is None or not busy.ends:
            return await last_of(self._table, batch)
        async with busy.turn:
            ledger = busy.ledger
            await ledger.refresh()
            changes = _ended(ledger, await self._standing(busy.ends))
            if ledger.batch is not None and changes:
                tallied = batch_rules.tallied(ledger.batch, changes, now())
                return Last(tallied, ledger.seen, now(), ())
        return await last_of(self._table, batch)

    @asynccontextmanager
    async def reading(
        self, batch: str, refs: Collection[str] | None = None
    ) -> AsyncIterator[Ledger]:
        """Open a ledger to read its lines, or those of ``refs`` alone, as they stand."""
        await self._settle_those_of(batch, refs)
        busy = self._of(batch)
        async with busy.turn:
            await busy.ledger.refresh()
            yield busy.ledger
        self._forget()

    async def change(
        self,
        batch: str,
        decide: Callable[[Ledger], Awaitable[Decision]],
        refs: Collection[str] | None = None,
    ) -> Batch | None:
        """Append what is decided, if anything; return the batch then, or None if unknown.

        Ends that wait are written first if they are of the ``refs`` it is about; all by default.
        """
        await self._settle_those_of(batch, refs)
        busy = self._of(batch)
        async with busy.turn:
            await self._change(busy, decide)
        self._forget()
        return busy.ledger.batch

    async def change_batch(
        self,
        batch: str,
        decide: Callable[[Batch], Batch | None],
        outgoing: Sequence[WebhookDelivery] = (),
    ) -> tuple[Last | None, bool]:
        """Append a change that is of no line; return the last entry then, and whether it is new."""
        await self.settle(batch)

        async def attempt() -> tuple[Last | None, bool]:
            last = await last_of(self._table, batch)
            after = None if last is None else decide(last.batch)
            if last is None or after is None:
                return last, False
            if not await append(self._table, after, last.number + 1, outgoing=outgoing):
                raise Contested
            return Last(after, last.number + 1, now(), outgoing), True

        return await contest(attempt)

    async def note_end(self, job: Job) -> None:
        """Take the end of a job into its batch, soon."""
        if job.batch is None:
            return
        if job.ref is not None:
            busy = self._of(job.batch)
            if not busy.ends:
                busy.first = time.monotonic()
            busy.ends.append(job)
            if busy.flush is None:
                busy.flush = asyncio.create_task(self._flush_soon(job.batch))
        elif job.kind is JobKind.BATCH:
            await self._give_up(job)

    async def _give_up(self, job: Job) -> None:
        """Let the end of a batch's own job be the end of the batch, unless it has succeeded."""

        def given_up(batch: Batch) -> Batch | None:
            after = batch_rules.given_up(batch, job)
            return None if after is batch else after

        last, changed = await self.change_batch(job.batch or "", given_up)
        if changed and last is not None:
            await self.mark(last.batch, last.number)

    async def settle(self, batch: str) -> None:
        """Write the ends that are waiting for company now; those that come meanwhile wait on."""
        busy = self._busy.get(batch)
        if busy is None:
            return
        waiting = set(map(id, busy.ends))
        while not waiting.isdisjoint(map(id, busy.ends)):
            async with busy.turn:
                await self._flush(busy)

    async def _settle_those_of(self, batch: str, refs: Collection[str] | None) -> None:
        """Write the ends that wait, if any of them is of ``refs``; None stands for all refs."""
        busy = self._busy.get(batch)
        if busy and (refs is None or any(job.ref in refs for job in busy.ends)):
            await self.settle(batch)

    async def close(self) -> None:
        """Write what waits, and let go of everything."""
        try:
            for batch in list(self._busy):
                await self.settle(batch)
        finally:
            for busy in self._busy.values():
                if busy.flush is not None:
                    busy.flush.cancel()

    async def mark(self, batch: Batch, seen: int) -> None:
        """Have a batch found by those who look for what it needs, and only by them."""
        marker = marker_of(batch)
        values = {"seen": number(seen)}
        change = "SET marked = :seen REMOVE dk, ds"
        if marker is not None:
            change = "SET marked = :seen, dk = :dk, ds = :ds"
            values |= {"dk": text(marker[0]), "ds": number(marker[1])}
        await self._table.update(
            head_key(batch.id), change, "attribute_exists(pk) AND marked <= :seen", values
        )

    async def _change(self, busy: _Busy, decide: Callable[[Ledger], Awaitable[Decision]]) -> None:
        ledger = busy.ledger

        async def attempt() -> None:
            known = ledger.batch
            await ledger.refresh()
            if ledger.batch is not None and ledger.batch is not known:
                busy.marker = marker_of(ledger.batch)  # whoever changed it has written that
            decision = await decide(ledger)
            if decision is not None and not await ledger.append(*decision):
                raise Contested

        await contest(attempt)
        batch = ledger.batch
        if batch is not None and marker_of(batch) != busy.marker:
            await self.mark(batch, ledger.seen)
            busy.marker = marker_of(batch)

    async def _flush_soon(self, batch: str) -> None:
        busy = self._of(batch)
        try:
            while busy.ends:
                await asyncio.sleep(_TICK_SECONDS)
                try:
                    if busy.ripe():
                        await self.settle(batch)
                except Exception as fault:  # noqa: BLE001 - they stay, and are tried again
                    log.warning("ends of jobs wait for their ledger: %s", fault)
        finally:
            busy.flush = None
            self._forget()

    async def _flush(self, busy: _Busy) -> None:
        """Write ends into a ledger; those that come meanwhile wait for the next time."""
        ends = busy.ends[:_AT_ONCE]
        left: list[Job] = []
        if not ends:
            return

        async def decide(ledger: Ledger) -> Decision:
            if ledger.batch is None:
                return None
            nonlocal left
            changes = _ended(ledger, await self._standing(ends))
            some = first_fitting(changes)
            later = {line.ref for _, line in changes[len(some) :]}
            left = [job for job in ends if job.ref in later]
            return (batch_rules.tallied(ledger.batch, some, now()), some) if some else None

        await self._change(busy, decide)
        busy.ends[: len(ends)] = left

    async def _standing(self, ends: Sequence[Job]) -> list[Job]:
        """Leave out failures that are none any more: their jobs were begun anew elsewhere.

        A retry begins the job before its line, so after a look at the line this is certain.
        """
        failures = [(job.id, RECORD) for job in ends if job.state is JobState.FAILED]
        found = await self._table.get_all(failures)
        jobs = [read(item).job for item in found.values()]
        current = {(job.id, job.state, job.finished_at) for job in jobs if job}
        return [
            job
            for job in ends
            if job.state is not JobState.FAILED or (job.id, job.state, job.finished_at) in current
        ]

    def _of(self, batch: str) -> _Busy:
        busy = self._busy.setdefault(batch, _Busy(Ledger(self._table, batch)))
        self._busy.move_to_end(batch)
        return busy

    def _forget(self) -> None:
        """Let go of the ledgers that were not used for the longest time."""
        lines = sum(len(busy.ledger) for busy in self._busy.values())
        for batch, busy in list(self._busy.items()):
            if lines <= _REMEMBERED_LINES:
                return
            if not busy.turn.locked() and not busy.ends and busy.flush is None:
                lines -= len(busy.ledger)
                del self._busy[batch]


def _ended(ledger: Ledger, jobs: Sequence[Job]) -> Changes:
    """Return what the ends of jobs change of a ledger."""
    changes: list[tuple[Line | None, Line]] = []
    known: dict[str, Line] = {}
    for job in jobs:
        ref = job.ref or ""
        stored = known.get(ref) or ledger.line(ref)
        line = batch_rules.line_after(stored, job)
        if line is not None:
            changes.append((stored, line))
            known[ref] = line
    return changes


def marker_of(batch: Batch) -> tuple[str, float] | None:
    """Return where a batch is to be found, and from when on."""
    if batch.state is BatchState.OPEN:
        return OPEN, batch.expires_at
    if not batch.state.final or batch.counts.open:
        return CLOSED, batch.created_at
    return None if batch.told else (UNTOLD, batch.finished_at or batch.created_at)
