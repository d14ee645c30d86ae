"""Batches and the lines of their ledgers, in memory."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Mapping, Sequence

from filmroll.catalog import batch_rules, rules
from filmroll.catalog import cursor as cursors
from filmroll.catalog.memory.webhooks import Webhooks
from filmroll.model import (
    Batch,
    BatchState,
    Image,
    ImageState,
    Job,
    JobKind,
    Line,
    LineState,
    now,
)
from filmroll.ports import BatchFilter, BatchPage, Entry, Standing


class Batches(Webhooks):
    """The part of the catalog that knows batches."""

    def __init__(self) -> None:
        super().__init__()
        self._images: dict[str, Image] = {}
        self._jobs: dict[str, Job] = {}
        self._lines: dict[tuple[str, str], Line] = {}

    async def add_batch(self, batch: Batch, job: Job | None = None) -> Batch:
        if batch.id not in self._batches:
            self._batches[batch.id] = batch
            if job is not None:
                self._jobs.setdefault(job.id, job)
        return self._batches[batch.id]

    async def get_batch(self, batch: str) -> Batch | None:
        return self._batches.get(batch)

    async def list_batches(self, where: BatchFilter, limit: int, cursor: str | None) -> BatchPage:
        matching = [
            batch
            for batch in self._batches.values()
            if where.name in {None, batch.name} and where.state in {None, batch.state}
        ]
        found = cursors.newest(matching, cursors.position(cursor, where))
        items, following = cursors.page(found, limit, where)
        return BatchPage(items=items, next_cursor=following)

    async def close_batch(
        self, batch: str, state: BatchState, now: float, expected: int | None = None
    ) -> Batch | None:
        stored = self._batches.get(batch)
        if stored is not None:
            self._batches[batch] = batch_rules.closed(stored, state, now, expected)
        return self._batches.get(batch)

    async def end_waiting(self, batch: str, now: float, limit: int) -> int:
        stored = self._batches.get(batch)
        if stored is None:
            return 0
        states = batch_rules.waiting(stored)
        lines = [line for line in self._of(batch) if line.state in states]
        ended = [batch_rules.waited(stored, line, now) for line in lines[:limit]]
        if ended:
            self._change(batch, ended, now)
        return len(ended)

    async def waiting_batches(self, limit: int) -> Sequence[Batch]:
        closed = [one for one in self._batches.values() if one.state is not BatchState.OPEN]
        found = [one for one in closed if one.counts.open]
        return sorted(found, key=lambda one: one.created_at)[:limit]

    async def put_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Standing]:
        return [self._put_line(batch, entry) for entry in entries]

    async def get_lines(self, batch: str, refs: Sequence[str]) -> Mapping[str, Line]:
        return {ref: self._lines[batch, ref] for ref in refs if (batch, ref) in self._lines}

    async def list_lines(
        self, batch: str, state: LineState | None, after: int, limit: int
    ) -> Sequence[Line]:
        found = [
            line for line in self._of(batch) if line.number > after and state in {None, line.state}
        ]
        return sorted(found, key=lambda line: line.number)[:limit]

    async def retry_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Line]:
        begun = [self._retry(batch, entry) for entry in entries]
        return [line for line in begun if line is not None]

    async def due_batches(self, before: float, limit: int) -> Sequence[Batch]:
        due = [
            batch
            for batch in self._batches.values()
            if batch.state is BatchState.OPEN and batch.expires_at <= before
        ]
        return sorted(due, key=lambda batch: batch.expires_at)[:limit]

    def _end_line(self, job: Job) -> None:
        """Let the end of a job be the end of its line, or of the batch whose work it is."""
        if job.batch in self._batches and job.kind is JobKind.BATCH and job.state.final:
            self._batches[job.batch] = batch_rules.given_up(self._batches[job.batch], job)
        if job.batch is None or job.ref is None:
            return
        line = batch_rules.line_after(self._lines.get((job.batch, job.ref)), job)
        if line is not None:
            self._change(job.batch, [line], now())

    def _of(self, batch: str) -> list[Line]:
        return [line for (owner, _), line in self._lines.items() if owner == batch]

    def _change(self, batch: str, lines: Sequence[Line], at: float) -> None:
        """Write lines, and what they change of the batch."""
        changes = [(self._lines.get((batch, line.ref)), line) for line in lines]
        self._lines |= {(batch, line.ref): line for line in lines}
        self._batches[batch] = batch_rules.tallied(self._batches[batch], changes, at)

    def _put_line(self, batch: str, entry: Entry) -> Standing:
        stored = self._lines.get((batch, entry.line.ref))
        if batch not in self._batches:
            return Standing(stored, taken=False, open=False)
        opened = self._batches[batch].state is BatchState.OPEN
        number = self._batches[batch].counts.declared + 1
        image = stored.image if stored else None
        gone = image is not None and not rules.live(self._images.get(image))
        taken = batch_rules.entered(self._batches[batch], stored, entry.line, number, gone=gone)
        if taken is None or not self._keep(entry):
            return Standing(stored, taken=False, open=opened)
        self._change(batch, [taken], now())
        return Standing(taken, taken=True, open=opened)

    def _keep(self, entry: Entry) -> bool:
        """Write the image and the job of a line; False if its image has been deleted."""
        image_id = entry.image.id if entry.image else entry.line.image
        stored = self._images.get(image_id or "")
        if entry.image is not None and stored is None:
            self._images[entry.image.id] = entry.image
        elif image_id is not None:
            if stored is None or not rules.live(stored):
                return False
            if entry.image is not None:
                self._images[image_id] = rules.restarted(stored, entry.image.state)
            elif entry.job is not None and entry.job.id == image_id:
                self._images[image_id] = rules.restarted(stored, ImageState.STORED)
        if entry.job is not None:
            self._jobs[entry.job.id] = entry.job
        self._write_deliveries(entry.deliveries)
        return True

    def _retry(self, batch: str, entry: Entry) -> Line | None:
        stored = self._lines.get((batch, entry.line.ref))
        if batch not in self._batches:
            return None
        line = batch_rules.retried(self._batches[batch], stored, entry.line)
        if line is None or not self._keep(entry):
            return None
        self._batches[batch] = batch_rules.reopened(self._batches[batch])
        self._change(batch, [line], now())
        return line
