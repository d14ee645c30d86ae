"""Batches and the lines of their ledgers."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from filmroll.catalog import batch_rules, rules
from filmroll.catalog import cursor as cursors
from filmroll.catalog.sqlite.images import insert_image, replace_image
from filmroll.catalog.sqlite.tables import (
    BATCHES,
    IMAGES,
    INDEXED_LINES,
    JOBS,
    LINES,
    WAITING,
    Part,
)
from filmroll.catalog.sqlite.webhooks import write_deliveries
from filmroll.model import Batch, BatchState, Image, ImageState, Job, Line, LineState, now
from filmroll.ports import BatchFilter, BatchPage, Entry, Standing
from filmroll.sqlite import rows

_STRETCH = 5000  # numbers looked through at once: about 1 ms where no index knows the state


class Batches(Part):
    """The part of the catalog that knows batches."""

    async def add_batch(self, batch: Batch, job: Job | None = None) -> Batch:
        return await self._db.write(_add, batch, job)

    async def get_batch(self, batch: str) -> Batch | None:
        return self._db.read(BATCHES.get, batch)

    async def list_batches(self, where: BatchFilter, limit: int, cursor: str | None) -> BatchPage:
        found = self._db.read(_select, where, limit + 1, cursors.position(cursor, where))
        items, following = cursors.page(found, limit, where)
        return BatchPage(items=items, next_cursor=following)

    async def close_batch(
        self, batch: str, state: BatchState, now: float, expected: int | None = None
    ) -> Batch | None:
        return await self._db.write(_close, batch, state, now, expected)

    async def end_waiting(self, batch: str, now: float, limit: int) -> int:
        return await self._db.write(_end_waiting, batch, now, limit)

    async def waiting_batches(self, limit: int) -> Sequence[Batch]:
        which = f"WHERE {WAITING} ORDER BY created_at LIMIT ?"
        return self._db.read(BATCHES.select, which, limit)

    async def put_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Standing]:
        return await self._db.write(_put_lines, batch, entries)

    async def get_lines(self, batch: str, refs: Sequence[str]) -> Mapping[str, Line]:
        return self._db.read(_get_lines, batch, refs)

    async def list_lines(
        self, batch: str, state: LineState | None, after: int, limit: int
    ) -> Sequence[Line]:
        last = self._db.read(_last_number, batch)
        stretch = last if state in INDEXED_LINES else _STRETCH
        for first in range(after + 1, last + 1, max(stretch, 1)):
            numbers = range(first, first + stretch)
            if found := self._db.read(_select_lines, batch, state, numbers, limit):
                return found
            await asyncio.sleep(0)  # reads run in the event loop: others have their turn here
        return []

    async def retry_lines(self, batch: str, entries: Sequence[Entry]) -> Sequence[Line]:
        return await self._db.write(_retry, batch, entries)

    async def due_batches(self, before: float, limit: int) -> Sequence[Batch]:
        which = "WHERE state = 'open' AND expires_at <= ? ORDER BY expires_at LIMIT ?"
        return self._db.read(BATCHES.select, which, before, limit)


def _add(connection: apsw.Connection, batch: Batch, job: Job | None) -> Batch:
    if not BATCHES.add(connection, batch):
        stored = BATCHES.get(connection, batch.id)
        assert stored is not None, "it collided with this very id"
        return stored
    if job is not None:
        JOBS.add(connection, job)
    return batch


def _close(
    connection: apsw.Connection, batch: str, state: BatchState, at: float, expected: int | None
) -> Batch | None:
    stored = BATCHES.get(connection, batch)
    if stored is None:
        return None
    closed = batch_rules.closed(stored, state, at, expected)
    if closed is not stored:
        BATCHES.put(connection, closed)
    return closed


def _end_waiting(connection: apsw.Connection, batch_id: str, at: float, limit: int) -> int:
    batch = BATCHES.get(connection, batch_id)
    if batch is None:
        return 0
    changes: list[tuple[Line | None, Line]] = []
    numbers = range(1, batch.counts.declared + 1)
    for state in batch_rules.waiting(batch):
        lines = _select_lines(connection, batch_id, state, numbers, limit - len(changes))
        changes += [(line, batch_rules.waited(batch, line, at)) for line in lines]
    for _, line in changes:
        LINES.put(connection, line)
    if changes:
        BATCHES.put(connection, batch_rules.tallied(batch, changes, at))
    return len(changes)


def _put_lines(
    connection: apsw.Connection, batch_id: str, entries: Sequence[Entry]
) -> list[Standing]:
    batch = BATCHES.get(connection, batch_id)
    if batch is None:
        return [Standing(None, taken=False, open=False)] * len(entries)
    opened = batch.state is BatchState.OPEN
    standings: list[Standing] = []
    changes: list[tuple[Line | None, Line]] = []
    number = batch.counts.declared + 1
    for entry in entries:
        stored = LINES.get(connection, batch_id, entry.line.ref)
        gone = _gone(connection, stored)
        taken = batch_rules.entered(batch, stored, entry.line, number, gone=gone)
        if taken is None or not _keep(connection, entry):
            standings.append(Standing(stored, taken=False, open=opened))
            continue
        LINES.put(connection, taken)
        changes.append((stored, taken))
        number += stored is None
        standings.append(Standing(taken, taken=True, open=opened))
    if changes:
        BATCHES.put(connection, batch_rules.tallied(batch, changes, now()))
    return standings


def _gone(connection: apsw.Connection, line: Line | None) -> bool:
    """Whether a line had an image that is deleted."""
    if line is None or line.image is None:
        return False
    return not rules.live(IMAGES.get(connection, line.image))


def _keep(connection: apsw.Connection, entry: Entry) -> bool:
    """Write the image and the job of a line; False if its image has been deleted."""
    line, job = entry.line, entry.job
    if entry.image is not None:
        if not _add_image(connection, entry.image):
            return False
    elif line.image is not None:
        stored = IMAGES.get(connection, line.image)
        if stored is None or not rules.live(stored):
            return False
        if job is not None and job.id == stored.id:
            replace_image(connection, stored, rules.restarted(stored, ImageState.STORED))
    if job is not None:
        JOBS.put(connection, job)
    write_deliveries(connection, entry.deliveries)
    return True


def _add_image(connection: apsw.Connection, image: Image) -> bool:
    """Add an image, or begin anew the one that an earlier attempt at this line has left."""
    if insert_image(connection, image):
        return True
    stored = IMAGES.get(connection, image.id)
    if stored is None or not rules.live(stored):
        return False
    replace_image(connection, stored, rules.restarted(stored, image.state))
    return True


def _get_lines(connection: apsw.Connection, batch: str, refs: Sequence[str]) -> Mapping[str, Line]:
    found = (LINES.get(connection, batch, ref) for ref in refs)
    return {line.ref: line for line in found if line is not None}


def _select_lines(
    connection: apsw.Connection,
    batch: str,
    state: LineState | None,
    numbers: range,
    limit: int,
) -> list[Line]:
    # SQLite would not choose a partial index by itself, and takes one only if the state stands in
    # the text.
    index = f"INDEXED BY lines_{state} " if state in INDEXED_LINES else ""
    chosen = "" if state is None else f"AND state = '{state}' "
    which = f"{index}WHERE batch = ? AND number >= ? AND number < ? {chosen}ORDER BY number LIMIT ?"
    return LINES.select(connection, which, batch, numbers.start, numbers.stop, limit)


def _last_number(connection: apsw.Connection, batch: str) -> int:
    [(last,)] = rows(connection, "SELECT max(number) FROM lines WHERE batch = ?", batch)
    return last or 0


def _retry(connection: apsw.Connection, batch_id: str, entries: Sequence[Entry]) -> list[Line]:
    batch = BATCHES.get(connection, batch_id)
    begun: list[Line] = []
    if batch is None:
        return begun
    for entry in entries:
        stored = LINES.get(connection, batch_id, entry.line.ref)
        line = batch_rules.retried(batch, stored, entry.line)
        if line is None or not _keep(connection, entry):
            continue
        LINES.put(connection, line)
        batch = batch_rules.tallied(batch_rules.reopened(batch), [(stored, line)], now())
        begun.append(line)
    if begun:
        BATCHES.put(connection, batch)
    return begun


def _select(
    connection: apsw.Connection,
    where: BatchFilter,
    limit: int,
    before: tuple[float, str] | None,
) -> list[Batch]:
    conditions: list[tuple[str, Sequence[Any]]] = [("true", ())]
    if where.name is not None:
        conditions.append(("name = ?", (where.name,)))
    if where.state is not None:
        conditions.append(("state = ?", (where.state,)))
    if before is not None:
        conditions.append(("(created_at, id) < (?, ?)", before))
    texts = " AND ".join(text for text, _ in conditions)
    which = f"WHERE {texts} ORDER BY created_at DESC, id DESC LIMIT ?"
    values = [value for _, values in conditions for value in values]
    return BATCHES.select(connection, which, *values, limit)
