"""Batches and the lines of their ledgers."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

import enum
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from filmroll.catalog import batch_rules, rules
from filmroll.catalog import cursor as cursors
from filmroll.catalog.dynamodb.deliveries import keep_deliveries
from filmroll.catalog.dynamodb.images import Images
from filmroll.catalog.dynamodb.ledger import (
    LISTING,
    Last,
    Ledger,
    first_fitting,
    fitting,
    head_item,
    name_partition,
)
from filmroll.catalog.dynamodb.ledgers import CLOSED, OPEN, UNTOLD, Decision, marker_of
from filmroll.catalog.dynamodb.merging import pages
from filmroll.catalog.dynamodb.record import Record, write
from filmroll.catalog.dynamodb.schema import DUE, GROUP, NEWEST, RECORD, moment
from filmroll.catalog.dynamodb.table import ABSENT, number, text
from filmroll.model import (
    Action,
    Batch,
    BatchState,
    ImageState,
    Job,
    JobKind,
    Line,
    LineState,
    WebhookDelivery,
    line_job,
    now,
)
from filmroll.ports import BatchFilter, BatchPage, Entry, Standing

_STALLED_SECONDS = 15.0
_LOOKED_AT = 500  # lines of a stalled batch, in one go


class _Kept(enum.Enum):
    """What became of the records that come with a line."""

    MADE = enum.auto()
    THERE = enum.auto()
    REFUSED = enum.auto()


class Batches(Images):
    """The part of the catalog that knows batches."""

    async def add_batch(self, batch: Batch, job: Job | None = None) -> Batch:
        stored = await self.get_batch(batch.id)
        if stored is not None:
            return stored
        if job is not None:  # a job without its batch does nothing; a batch without its job waits
            await self._change(
                job.id,
                lambda it: None if it.job and not it.job.state.final else replace(it, job=job),
            )
        item = head_item(batch)
        if marker := marker_of(batch):
            item |= {"dk": text(marker[0]), "ds": number(marker[1])}
        if await self._table.put(item, ABSENT):
            return batch
        return await self.get_batch(batch.id) or batch

    async def get_batch(self, batch: str) -> Batch | None:
        last = await self._ledgers.last(batch)
        return None if last is None else last.batch

    async def list_batches(self, where: BatchFilter, limit: int, cursor: str | None) -> BatchPage:
        before = cursors.position(cursor, where)
        index, partition = NEWEST, LISTING
        if where.name is not None:
            index, partition = GROUP, name_partition(where.name)
        items = self._table.find(
            index,
            partition,
            under=None if before is None else text(moment(*before)),
            backwards=True,
            limit=limit + 2,
        )
        found: list[Batch] = []
        async for some in pages(items, limit + 2):
            ids = [item["pk"]["S"] for item in some]
            batches = await self._table.together([self.get_batch(id_) for id_ in ids])
            found += [
                batch
                for batch in batches
                if batch is not None
                and where.state in {None, batch.state}
                and (batch.created_at, batch.id) != before
            ]
            if len(found) > limit:
                break
        shown, following = cursors.page(found[: limit + 1], limit, where)
        return BatchPage(items=shown, next_cursor=following)

    async def close_batch(
        self, batch: str, state: BatchState, now: float, expected: int | None = None
    ) -> Batch | None:
        def closed(stored: Batch) -> Batch | None:
            after = batch_rules.closed(stored, state, now, expected)
            return None if after is stored else after

        last, _ = await self._ledgers.change_batch(batch, closed)
        if last is not None and last.batch.state is not BatchState.OPEN:
            await self._ledgers.mark(last.batch, last.number)  # whoever closed it may have died
        return None if last is None else last.batch

    async def end_waiting(self, batch: str, now: float, limit: int) -> int:
        ended = 0

        async def decide(ledger: Ledger) -> Decision:
            nonlocal ended
            ended = 0
            if ledger.batch is None:
                return None
            states = batch_rules.waiting(ledger.batch)
            lines = islice(ledger.in_order(states), min(limit, _LOOKED_AT))
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
        for some in fitting(entries):
            standings += await self._put_lines(batch, some)
        return standings

    async def get_lines(self, batch: str, refs: Sequence[str]) -> Mapping[str, Line]:
        async with self._ledgers.reading(batch) as ledger:
            return {ref: line for ref in refs if (line := ledger.line(ref))}

    async def list_lines(
        self, batch: str, state: LineState | None, after: int, limit: int
    ) -> Sequence[Line]:
        async with self._ledgers.reading(batch) as ledger:
            states = tuple(LineState) if state is None else (state,)
            return list(islice(ledger.in_order(states, after), limit))

    async def retry_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Line]:
        begun: list[Line] = []
        for some in fitting(entries):
            begun += await self._retry_lines(batch, some)
        return begun

    async def waiting_batches(self, limit: int) -> Sequence[Batch]:
        return await self._marked(
            CLOSED, limit, lambda one: one.state is not BatchState.OPEN and one.counts.open > 0
        )

    async def due_batches(self, before: float, limit: int) -> Sequence[Batch]:
        return await self._marked(
            OPEN,
            limit,
            lambda one: one.state is BatchState.OPEN and one.expires_at <= before,
            before,
        )

    async def untold_batches(self, limit: int) -> Sequence[Batch]:
        return await self._marked(UNTOLD, limit, lambda one: one.state.final and not one.told)

    async def tell_batch(self, batch: Batch, deliveries: Sequence[WebhookDelivery]) -> bool:
        last, told = await self._ledgers.change_batch(
            batch.id, lambda stored: batch_rules.told(stored, batch), deliveries
        )
        if told and last is not None:
            await self._announce(last)
        return told

    async def settle(self) -> int:
        """Take ends into their ledgers that a process did not live to write, and the like."""
        settled = 0
        for partition in (OPEN, CLOSED):
            async for item in self._table.find(DUE, partition):
                settled += await self._settle_batch(partition, item["pk"]["S"])
        late = self._table.find(DUE, "outgoing", under=number(now() - _STALLED_SECONDS), limit=100)
        async for item in late:
            record = await self._read(item["pk"]["S"])
            await self._deliver(record.id, record.outgoing)
            settled += bool(record.outgoing)
        return settled

    async def _put_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Standing]:
        kept: dict[int, _Kept] = {}
        standings: list[Standing] = []

        async def decide(ledger: Ledger) -> Decision:
            nonlocal standings
            if ledger.batch is None:
                standings = [Standing(None, taken=False, open=False)] * len(entries)
                return None
            gone = await self._gone(ledger, entries)
            wanted = _standing(ledger, entries, list(_entered(ledger, entries, gone)[0]))
            await self._keep_all(entries, [one for one in wanted if one not in kept], kept)
            there = [one for one in wanted if kept[one] is not _Kept.REFUSED]
            taken, standings = _entered(ledger, entries, gone, there)
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

    async def _keep_all(
        self, entries: Sequence[Entry], which: Sequence[int], kept: dict[int, _Kept]
    ) -> None:
        """Write what comes with lines: new images first, others may refer to them."""
        for new in (True, False):
            some = [one for one in which if (entries[one].image is not None) is new]
            done = await self._table.together([self._keep(entries[one]) for one in some])
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
            elif not await self._begin_anew(entry.image.id, own, new):
                return _Kept.REFUSED
        elif image_id is not None and not await self._begin_anew(image_id, own):
            return _Kept.REFUSED
        if job is not None and own is None:
            await self._begin_job(job)
        return made

    async def _begin_anew(self, image: str, job: Job | None, new: Record | None = None) -> bool:
        """Let an image that is there wait for its job again; False if it is deleted.

        With ``new`` it is added if the id is known, but not as an image's.
        """

        def begun(record: Record) -> Record | None:
            if record.image is None and new is not None:
                return replace(record, image=new.image, job=job or record.job)
            if record.image is None or not rules.live(record.image):
                return None
            state = new.image.state if new is not None and new.image else ImageState.STORED
            if new is None and job is None:
                return record
            found = rules.restarted(record.image, state)
            return replace(record, image=found, job=job or record.job)

        if new is None and job is None:
            return rules.live((await self._read(image)).image)
        _, after = await self._change(image, begun)
        return after is not None

    async def _begin_job(self, job: Job) -> None:
        """Write a job, in the place of one that has ended under its id."""
        if job.image:
            await self._add_work(job)
        await self._change(job.id, lambda record: replace(record, job=job))

    async def _undo(
        self, entries: Sequence[Entry], which: set[int], kept: Mapping[int, _Kept]
    ) -> None:
        """Remove images that were written for lines that the ledger did not take."""
        for one in which:
            image = entries[one].image
            if image is not None and kept[one] is _Kept.MADE:
                await self._table.delete((image.id, RECORD), "rev = :rev", rev=number(1))
                await self._untag(image, image.tags)

    async def _tell(self, entry: Entry) -> None:
        if entry.image is not None:
            await self._deliver(entry.image.id, entry.deliveries)
        else:
            await keep_deliveries(self._table, entry.deliveries)

    async def _marked(
        self,
        partition: str,
        limit: int,
        needs: Callable[[Batch], bool],
        before: float | None = None,
    ) -> list[Batch]:
        """Return batches that need something; put right where the others are to be found."""
        under = None if before is None else number(before)
        found: list[Batch] = []
        async for item in self._table.find(DUE, partition, under=under):
            last = await self._ledgers.last(item["pk"]["S"])
            if last is None:
                continue
            if needs(last.batch):
                found.append(last.batch)
                if len(found) == limit:
                    break
            else:
                await self._put_right(partition, last)
        return found

    async def _put_right(self, partition: str, last: Last) -> None:
        """Write again where a batch is found, if it is not there any more."""
        marker = marker_of(last.batch)
        if marker is None or marker[0] != partition:
            await self._announce(last)

    async def _announce(self, last: Last) -> None:
        """Deliver what the last entry of a batch tells of; only then is it not looked for."""
        await keep_deliveries(self._table, last.outgoing)
        await self._ledgers.mark(last.batch, last.number)

    async def _settle_batch(self, partition: str, batch: str) -> int:
        """Look at the jobs of a batch in which nothing has happened for a while."""
        last = await self._ledgers.last(batch)
        if last is None or last.at > now() - _STALLED_SECONDS:
            return 0
        await self._put_right(partition, last)
        own = (await self._read(batch)).job if last.batch.action is not Action.UPLOAD else None
        if own is not None and own.state.final:
            await self._ledgers.note_end(own)
        waiting = [line async for line in self._waiting(batch)]
        records = await self._read_all([_job_of(line) for line in waiting])
        ended = [record.job for record in records if record.job and record.job.state.final]
        for job in ended:
            await self._ledgers.note_end(job)
        await self._ledgers.settle(batch)
        return len(ended)

    async def _waiting(self, batch: str) -> AsyncIterator[Line]:
        """Yield lines that wait for a job: the first ones, as they are done in order."""
        async with self._ledgers.reading(batch) as ledger:
            waiting = ledger.in_order((LineState.PROCESSING, LineState.QUEUED))
            found = list(islice(waiting, _LOOKED_AT))
        for line in found:
            yield line


def _entered(
    ledger: Ledger, entries: Sequence[Entry], gone: set[str], which: Sequence[int] | None = None
) -> tuple[dict[int, tuple[Line | None, Line]], list[Standing]]:
    """Return what a ledger takes of all entries, or of ``which``, and how all of them stand."""
    batch = ledger.batch
    assert batch is not None, "whoever asks has looked"
    opened = batch.state is BatchState.OPEN
    taken: dict[int, tuple[Line | None, Line]] = {}
    known: dict[str, Line] = {}
    standings: list[Standing] = []
    following = batch.counts.declared + 1
    eligible = set(range(len(entries)) if which is None else which)
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


def _job_of(line: Line) -> str:
    """Return the id of the job that a line waits for."""
    if line.state is LineState.QUEUED:
        return line_job(JobKind.FETCH, line.batch, line.ref)
    if line.image is not None and not line.duplicate:
        return line.image
    return line_job(JobKind.VARIANTS, line.batch, line.ref)
