"""The lines of ledgers: taken, begun anew, ended, looked at.

What comes with a line (an image, a job) is written before the ledger has it; what the ledger does
not take is removed again.
"""

# ruff: noqa: D102 - ports.Catalog says what each method promises

import enum
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from operator import attrgetter

from filmroll.catalog import batch_rules, rules
from filmroll.catalog.dynamodb.deliveries import keep_deliveries
from filmroll.catalog.dynamodb.images import Images
from filmroll.catalog.dynamodb.ledger import Ledger, first_fitting, fitting
from filmroll.catalog.dynamodb.ledgers import Decision
from filmroll.catalog.dynamodb.record import Record, write
from filmroll.catalog.dynamodb.schema import RECORD
from filmroll.catalog.dynamodb.table import ABSENT, number, together
from filmroll.model import (
    BatchState,
    Image,
    ImageState,
    Job,
    JobKind,
    JobState,
    Line,
    LineState,
    now,
)
from filmroll.ports import Entry, Standing

_ENDED_AT_ONCE = 500


class _Kept(enum.Enum):
    """What became of the records that come with a line."""

    MADE = enum.auto()
    THERE = enum.auto()
    REFUSED = enum.auto()


class Lines(Images):
    """The part of the catalog that knows the lines of batches."""

    async def end_waiting(self, batch: str, now: float, limit: int) -> int:
        ended = 0

        async def decide(ledger: Ledger) -> Decision:
            nonlocal ended
            ended = 0
            if ledger.batch is None:
                return None
            states = batch_rules.waiting(ledger.batch)
            lines = islice(ledger.in_order(states), min(limit, _ENDED_AT_ONCE))
            changes = first_fitting(
                [(line, batch_rules.waited(ledger.batch, line, now)) for line in lines]
            )
            ended = len(changes)
            if not changes:
                return None
            return batch_rules.tallied(ledger.batch, changes, now), changes

        total = 0
        while total < limit:
            await self._ledgers.change(batch, decide)
            total += ended
            if not ended:
                break
        return total

    async def put_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Standing]:
        standings: list[Standing] = []
        for some in fitting(entries, attrgetter("line")):
            standings += await self._put_lines(batch, some)
        return standings

    async def get_lines(self, batch: str, refs: Sequence[str]) -> Mapping[str, Line]:
        async with self._ledgers.reading(batch, set(refs)) as ledger:
            return {ref: line for ref in refs if (line := ledger.line(ref))}

    async def list_lines(
        self, batch: str, state: LineState | None, after: int, limit: int
    ) -> Sequence[Line]:
        async with self._ledgers.reading(batch) as ledger:
            states = tuple(LineState) if state is None else (state,)
            return list(islice(ledger.in_order(states, after), limit))

    async def retry_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Line]:
        begun: list[Line] = []
        for some in fitting(entries, attrgetter("line")):
            begun += await self._retry_lines(batch, some)
        return begun

    async def _put_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Standing]:
        kept: dict[int, _Kept] = {}
        standings: list[Standing] = []

        async def decide(ledger: Ledger) -> Decision:
            nonlocal standings
            if ledger.batch is None:
                standings = [Standing(None, taken=False, open=False)] * len(entries)
                return None
            gone = await self._gone(ledger, entries)
            wanted = await self._provide(ledger, entries, gone, kept)
            taken, standings = _entered(ledger, entries, gone, wanted)
            changes = list(taken.values())
            if not changes:
                return None
            return batch_rules.tallied(ledger.batch, changes, now()), changes

        await self._ledgers.change(batch, decide, {entry.line.ref for entry in entries})
        taken = [one for one, standing in enumerate(standings) if standing.taken]
        await self._undo(entries, {one for one in kept if one not in taken}, kept)
        for one in taken:
            await self._tell(entries[one])
        return standings

    async def _retry_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Line]:
        kept: dict[int, _Kept] = {}
        begun: list[Line] = []

        async def decide(ledger: Ledger) -> Decision:
            begun.clear()
            if ledger.batch is None:
                return None
            possible = [
                one
                for one, entry in enumerate(entries)
                if batch_rules.retried(ledger.batch, ledger.line(entry.line.ref), entry.line)
            ]
            await self._keep_all(entries, [one for one in possible if one not in kept], kept)
            after = ledger.batch
            changes: list[tuple[Line | None, Line]] = []
            for one in possible:
                stored = ledger.line(entries[one].line.ref)
                line = batch_rules.retried(after, stored, entries[one].line)
                if line is None or kept[one] is _Kept.REFUSED:
                    continue
                changes.append((stored, line))
                after = batch_rules.tallied(batch_rules.reopened(after), changes[-1:], now())
                begun.append(line)
            return (after, changes) if changes else None

        await self._ledgers.change(batch, decide)
        return begun

    async def _gone(self, ledger: Ledger, entries: Sequence[Entry]) -> set[str]:
        """Return those of the refs whose line is over, and whose image is deleted."""
        images = {
            line.ref: line.image
            for entry in entries
            if (line := ledger.line(entry.line.ref)) and line.image and line.state.final
        }
        live = await self.which_live(set(images.values())) if images else ()
        return {ref for ref, image in images.items() if image not in live}

    async def _provide(
        self, ledger: Ledger, entries: Sequence[Entry], gone: set[str], kept: dict[int, _Kept]
    ) -> Sequence[int]:
        """Write what comes with the entries that a ledger takes, and return those.

        One that is refused makes room for another of the same ref.
        """
        while True:
            possible = [n for n in range(len(entries)) if kept.get(n) is not _Kept.REFUSED]
            taken, _ = _entered(ledger, entries, gone, possible)
            wanted = _standing(ledger, entries, list(taken))
            fresh = [one for one in wanted if one not in kept]
            if not fresh:
                return wanted
            await self._keep_all(entries, fresh, kept)

    async def _keep_all(
        self, entries: Sequence[Entry], which: Sequence[int], kept: dict[int, _Kept]
    ) -> None:
        """Write what comes with lines: new images first, others may refer to them."""
        for new in (True, False):
            some = [one for one in which if (entries[one].image is not None) is new]
            done = await together([self._keep(entries[one]) for one in some])
            kept.update(zip(some, done, strict=True))

    async def _keep(self, entry: Entry) -> _Kept:
        """Write the image and the job of a line; refused, if its image has been deleted."""
        job, image_id = entry.job, entry.image.id if entry.image else entry.line.image
        own = job if job is not None and job.id == image_id else None
        made = _Kept.THERE
        if entry.image is not None:
            new = Record(
                id=entry.image.id,
                revision=1,
                image=entry.image,
                job=own,
                outgoing=tuple(entry.deliveries),
            )
            await self._tag(entry.image, entry.image.tags)
            if await self._table.put(write(new), ABSENT):
                made = _Kept.MADE
            elif not await self._begin_anew(entry.image.id, own, entry.image):
                return _Kept.REFUSED
        elif image_id is not None and not await self._begin_anew(image_id, own):
            return _Kept.REFUSED
        if job is not None and own is None and not await self._begin_job(job):
            return _Kept.REFUSED
        return made

    async def _begin_anew(self, image: str, job: Job | None, new: Image | None = None) -> bool:
        """Let an image that is there wait for its job again; False if it is deleted.

        One that is ``new`` is added, if something else is known under its id. What goes on already
        is left, but written: whoever made the record for a line of his own removes it no more.
        """
        if job is None and new is None:
            return rules.live((await self._read(image)).image)

        def begun(record: Record) -> Record | None:
            stored = record.image or new
            if stored is None or not rules.live(stored):
                return None
            if record.image is not None and job is not None and _goes_on(record.job, job):
                return record
            if record.image is not None:
                stored = rules.restarted(stored, new.state if new else ImageState.STORED)
            return replace(record, image=stored, job=job or record.job)

        _, after = await self._change(image, begun)
        return after is not None

    async def _begin_job(self, job: Job) -> bool:
        """Write a job, in the place of one that has ended under its id.

        False if its image has been deleted meanwhile.
        """
        if job.image and not rules.live(await self._add_work(job)):
            return False

        def begun(record: Record) -> Record | None:
            return None if _goes_on(record.job, job) else replace(record, job=job)

        await self._change(job.id, begun)
        return True

    async def _undo(
        self, entries: Sequence[Entry], which: set[int], kept: Mapping[int, _Kept]
    ) -> None:
        """Remove images that were written for lines that the ledger did not take."""
        for one in which:
            image = entries[one].image
            if image is None or kept[one] is not _Kept.MADE:
                continue
            if await self._table.delete((image.id, RECORD), "rev = :rev", rev=number(1)):
                await self._untag(image, image.tags)

    async def _tell(self, entry: Entry) -> None:
        if entry.image is not None:
            await self._deliver(entry.image.id, entry.deliveries)
        else:
            await keep_deliveries(self._table, entry.deliveries)


def _goes_on(stored: Job | None, job: Job) -> bool:
    """Whether a job is under way, or done, for another offer of its line that was faster.

    A fetch may begin again even if it has succeeded: it looks whether it is still awaited.
    """
    if stored is None or job.kind is JobKind.FETCH:
        return False
    same = (job.kind, job.image, job.instructions)
    if (stored.kind, stored.image, stored.instructions) != same:
        return False
    return stored.state not in {JobState.FAILED, JobState.CANCELLED}


def _entered(
    ledger: Ledger, entries: Sequence[Entry], gone: set[str], which: Sequence[int]
) -> tuple[dict[int, tuple[Line | None, Line]], list[Standing]]:
    """Return what a ledger takes of ``which`` of the entries, and how all of them stand."""
    batch = ledger.batch
    assert batch is not None, "whoever asks has looked"
    opened = batch.state is BatchState.OPEN
    taken: dict[int, tuple[Line | None, Line]] = {}
    known: dict[str, Line] = {}
    standings: list[Standing] = []
    following = batch.counts.declared + 1
    eligible = set(which)
    for one, entry in enumerate(entries):
        ref = entry.line.ref
        stored = known.get(ref) or ledger.line(ref)
        line = None
        if one in eligible:
            fresh = ref in gone and ref not in known
            line = batch_rules.entered(batch, stored, entry.line, following, gone=fresh)
        if line is None:
            standings.append(Standing(stored, taken=False, open=opened))
            continue
        taken[one] = stored, line
        known[ref] = line
        following += stored is None
        standings.append(Standing(line, taken=True, open=opened))
    return taken, standings


def _standing(ledger: Ledger, entries: Sequence[Entry], wanted: Sequence[int]) -> Sequence[int]:
    """Return those of the wanted entries that refer to no image which is not going to be kept."""
    vain = {
        entry.image.id
        for one, entry in enumerate(entries)
        if entry.image is not None
        and one not in wanted
        and ((line := ledger.line(entry.line.ref)) is None or line.image != entry.image.id)
    }
    vain -= {image.id for one in wanted if (image := entries[one].image)}
    return [one for one in wanted if entries[one].line.image not in vain]
