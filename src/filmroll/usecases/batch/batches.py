"""Batches as a whole: made, looked at, sealed, cancelled, begun anew where they failed."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from filmroll.errors import Conflict, InvalidRequest, NotFound
from filmroll.model import (
    Action,
    Batch,
    BatchState,
    EndpointState,
    Job,
    JobKind,
    Lane,
    Line,
    LineState,
    OnDuplicate,
    new_id,
    now,
)
from filmroll.ports import BatchFilter, BatchPage, Catalog, Entry
from filmroll.usecases.batch.lines import (
    fetch_job,
    info_job,
    known,
    own_variants,
    require_upload,
    variants_job,
)
from filmroll.usecases.images import MAX_PAGE, Annotations
from filmroll.usecases.outbox import OVERDUE_SECONDS, Outbox
from filmroll.usecases.resolve import Resolver

DAY = 86_400
DEFAULT_SECONDS = 7 * DAY
LONGEST_SECONDS = 30 * DAY
PAGE_LINES = 500
_CLOSED = 100  # batches that are looked at in one sweep
_CLOSING_SECONDS = 5.0
_LOOK_SECONDS = 0.25  # between two looks at a batch that somebody waits for


class Batches:
    """The batches."""

    def __init__(self, catalog: Catalog, outbox: Outbox) -> None:
        self._catalog = catalog
        self._outbox = outbox
        self._resolver = Resolver(catalog)

    async def create(
        self,
        *,
        name: str | None,
        variants: Sequence[Any],
        on_duplicate: OnDuplicate,
        expected_count: int | None,
        webhook: str | None,
        expires_in: int,
        batch_id: str | None = None,
    ) -> Batch:
        """Open a batch for uploads; the same one again under an id that was used before."""
        blank = await self._blank(batch_id, name, variants, webhook)
        batch = replace(
            blank,
            expires_at=blank.created_at + expires_in,
            on_duplicate=on_duplicate,
            expected_count=expected_count,
        )
        return await self._catalog.add_batch(batch)

    async def act(
        self,
        action: Action,
        *,
        name: str | None,
        where: Mapping[str, Any],
        variants: Sequence[Any],
        webhook: str | None,
        batch_id: str | None = None,
    ) -> Batch:
        """Begin to delete, describe or make variants of all images that a filter finds now."""
        if action is Action.VARIANTS and not variants:
            raise InvalidRequest("Say which variants to make.", pointer="/variants")
        if action is not Action.VARIANTS and variants:
            raise InvalidRequest(f"With {action} no variants are made.", pointer="/variants")
        blank = await self._blank(batch_id, name, variants, webhook)
        batch = replace(blank, action=action, where=where)
        job = Job(
            id=batch.id,
            image="",
            instructions=(),
            created_at=batch.created_at,
            due_at=batch.created_at + OVERDUE_SECONDS,
            kind=JobKind.BATCH,
            lane=Lane.IO,
            batch=batch.id,
        )
        kept = await self._catalog.add_batch(batch, job)
        self._outbox.enqueue(job.id)
        return kept

    async def get(self, batch: str) -> Batch:
        """Return a batch; raise NotFound."""
        return known(await self._catalog.get_batch(batch))

    async def list(self, where: BatchFilter, limit: int, cursor: str | None) -> BatchPage:
        """Return a page, newest first."""
        return await self._catalog.list_batches(where, min(limit, MAX_PAGE), cursor)

    async def changed(self, batch: str, version: int, wait: float) -> Batch:
        """Return a batch once it has another version, or after ``wait`` seconds."""
        deadline = asyncio.get_running_loop().time() + wait
        found = await self.get(batch)
        while found.version == version and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            found = await self.get(batch)
        return found

    async def seal(self, batch: str, expected_count: int | None) -> Batch:
        """Take nothing more; twice is harmless. Raise Conflict if that cannot be."""
        found = await self.get(batch)
        if found.state is BatchState.OPEN:
            require_upload(found)
        expected = found.expected_count if expected_count is None else expected_count
        sealed = await self._close(batch, BatchState.SEALED, expected)
        if sealed.state in {BatchState.CANCELLED, BatchState.EXPIRED}:
            raise Conflict(f"The batch is {sealed.state}.", state=sealed.state)
        if expected not in {None, sealed.counts.declared}:
            raise Conflict(
                f"{expected} items are expected, the ledger has {sealed.counts.declared}. "
                "Send the rest, or seal with the right count.",
                expected=expected,
                actual=sealed.counts.declared,
            )
        return sealed

    async def cancel(self, batch: str) -> Batch:
        """Take in and begin nothing more; what is kept stays."""
        return await self._close(batch, BatchState.CANCELLED)

    async def expire(self, batch: str) -> Batch:
        """Close a batch that was never sealed in time; what is kept stays."""
        return await self._close(batch, BatchState.EXPIRED)

    async def end_waiting(self) -> int:
        """End what waits in vain in closed batches; return how many lines.

        Whoever closed them has begun with that, but did not have the time, or died over it.
        """
        closed = await self._catalog.waiting_batches(_CLOSED)
        return sum([await self._end_waiting(batch.id) for batch in closed])

    async def _close(self, batch: str, state: BatchState, expected: int | None = None) -> Batch:
        known(await self._catalog.close_batch(batch, state, now(), expected))
        with suppress(TimeoutError):  # a long ledger is ended by the sweeper
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self._end_waiting(batch)
        return await self.get(batch)

    async def _end_waiting(self, batch: str) -> int:
        ended = 0
        while some := await self._catalog.end_waiting(batch, now(), PAGE_LINES):
            ended += some
        return ended

    async def line(self, batch: str, ref: str) -> Line:
        """Return a line; raise NotFound."""
        await self.get(batch)
        lines = await self._catalog.get_lines(batch, [ref])
        if ref not in lines:
            raise NotFound("The batch has no item with this ref.")
        return lines[ref]

    async def lines(self, batch: str, state: LineState | None) -> AsyncIterator[Sequence[Line]]:
        """Yield the lines in the ledger's order, a page at a time."""
        after = 0
        while page := await self._catalog.list_lines(batch, state, after, PAGE_LINES):
            yield page
            after = page[-1].number

    async def retry(self, batch: str) -> Batch:
        """Begin failed lines anew that have an image or a source; raise Conflict if over."""
        found = await self.get(batch)
        if found.state in {BatchState.CANCELLED, BatchState.EXPIRED}:
            raise Conflict(f"The batch is {found.state}; nothing is begun in it.")
        async for page in self.lines(batch, LineState.FAILED):
            entries = [_again(found, line) for line in page if line.image or line.source]
            begun = await self._catalog.retry_lines(batch, entries)
            refs = {line.ref for line in begun}
            jobs = [entry.job for entry in entries if entry.line.ref in refs and entry.job]
            self._outbox.enqueue_all(jobs)
        return await self.get(batch)

    async def _blank(
        self, batch_id: str | None, name: str | None, variants: Sequence[Any], webhook: str | None
    ) -> Batch:
        """Return an open batch with what every kind has; raise InvalidRequest."""
        Annotations(name=name).check()
        at = now()
        return Batch(
            id=batch_id or new_id(),
            state=BatchState.OPEN,
            created_at=at,
            expires_at=at + LONGEST_SECONDS,
            name=name,
            variants=await self._texts(variants),
            webhook=await self._checked_webhook(webhook),
        )

    async def _checked_webhook(self, webhook: str | None) -> str | None:
        if webhook is not None:
            found = await self._catalog.get_endpoint(webhook)
            if found is None or found.state is EndpointState.DISABLED:
                raise InvalidRequest(
                    "There is no webhook with this id, or it is disabled.", pointer="/webhook"
                )
        return webhook

    async def _texts(self, variants: Sequence[Any]) -> tuple[str, ...]:
        resolved = await self._resolver.resolve_all(variants) if variants else ()
        return tuple(one.canonical() for one in resolved)


def _again(batch: Batch, line: Line) -> Entry:
    """Return a failed line as it is begun anew, with its job."""
    at = now()
    due = at + OVERDUE_SECONDS
    if line.image is None:
        fresh = replace(line, state=LineState.QUEUED, problem=None, at=at)
        return Entry(line=fresh, job=fetch_job(batch, fresh, due))
    fresh = replace(line, state=LineState.PROCESSING, problem=None, at=at)
    if batch.action is Action.INFO:
        return Entry(line=fresh, job=info_job(fresh, due))
    return Entry(line=fresh, job=variants_job(fresh, own_variants(batch, line), due))
