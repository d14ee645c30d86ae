"""Manifests: what a client is going to send, or wants fetched; the ledger says what is missing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filmroll.errors import FilmrollError
from filmroll.instructions import Instructions, preset_names
from filmroll.model import Batch, Line, LineState, now
from filmroll.ports import Catalog, Entry, Standing
from filmroll.usecases.batch.deciding import Known, Offer, decide_declared
from filmroll.usecases.batch.entries import Offering, Twins
from filmroll.usecases.batch.lines import (
    Said,
    Verdict,
    Word,
    closed_problem,
    fetch_job,
    require_ref,
    require_source,
    require_upload,
)
from filmroll.usecases.outbox import OVERDUE_SECONDS, Outbox
from filmroll.usecases.resolve import Resolver
from filmroll.usecases.spool import too_large

_REMEMBERED = 1000  # spellings of variants: a manifest repeats a few of them all the time


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A line of a manifest; ``source`` is a URL or the key of an object, None for an upload."""

    ref: str
    sha256: str | None = None  # hex
    bytes: int | None = None
    source: str | None = None
    variants: Sequence[Any] | None = None  # in either spelling
    name: str | None = None
    tags: Sequence[str] | None = None
    metadata: Mapping[str, Any] | None = None


class Manifest:
    """Declares items, group by group. Sending a manifest again is harmless: it asks anew."""

    def __init__(self, catalog: Catalog, outbox: Outbox, max_bytes: int) -> None:
        """``max_bytes`` is what one item may have."""
        self._offering = Offering(catalog, outbox)
        self._twins = Twins(catalog)
        self._resolver = Resolver(catalog)
        self._max_bytes = max_bytes
        self._resolved: dict[str, tuple[Instructions, ...]] = {}

    async def declare(self, batch: Batch, items: Sequence[Item]) -> Sequence[Verdict]:
        """Enter items into the ledger, and say of each what is to be done; in order.

        What is answered as queued is durable, and so is what is needed. Raises Conflict for a
        batch that takes no items at all.
        """
        require_upload(batch)
        drafts = await self._drafts(batch, items)
        entries = [draft for draft in drafts if isinstance(draft, Entry)]
        outcomes = iter(await self._offering.offer(batch.id, entries))
        return [
            _verdict(batch, draft, next(outcomes)) if isinstance(draft, Entry) else draft
            for draft in drafts
        ]

    async def said(
        self,
        name: str | None,
        tags: Sequence[str] | None,
        metadata: Mapping[str, Any] | None,
        variants: Sequence[Any] | None,
    ) -> Said:
        """Return what a client says of an item; raise InvalidRequest for what cannot be."""
        return Said(
            name=name,
            tags=None if tags is None else tuple(dict.fromkeys(tags)),
            metadata=metadata,
            variants=await self.variants_of(variants),
        ).check()

    async def variants_of(self, raws: Sequence[Any] | None) -> tuple[Instructions, ...] | None:
        """Read the variants that an item names for itself; raise what stands against them."""
        if raws is None:
            return None
        spelling = json.dumps(raws, sort_keys=True)
        if spelling in self._resolved:
            return self._resolved[spelling]
        resolved = await self._resolver.resolve_all(raws)
        if _lasting(raws, resolved):
            if len(self._resolved) >= _REMEMBERED:
                self._resolved.clear()
            self._resolved[spelling] = resolved
        return resolved

    async def _drafts(self, batch: Batch, items: Sequence[Item]) -> Sequence[Verdict | Entry]:
        known = await self._twins.known(batch, [(item.ref, item.sha256) for item in items])
        pairs = zip(items, known, strict=True)
        return [await self._draft(batch, item, what) for item, what in pairs]

    async def _draft(self, batch: Batch, item: Item, known: Known) -> Verdict | Entry:
        decided = decide_declared(batch, item.ref, known, item.sha256)
        if isinstance(decided, Verdict):
            return decided
        try:
            said = await self._checked(item)
        except FilmrollError as fault:
            return Verdict.rejected(item.ref, fault)
        if decided is Offer.AGAIN and known.line is not None:
            return await self._twins.again(batch, known.line, said.completed(known.line))
        blank = _line(batch, item, said)
        if decided is Offer.TWIN and known.twin is not None:
            return await self._twins.entry(batch, blank, said, known.twin)
        job = fetch_job(batch, blank, blank.at + OVERDUE_SECONDS) if item.source else None
        return Entry(line=blank, job=job)

    async def _checked(self, item: Item) -> Said:
        """Return what is said of an item; raise whatever is wrong with it."""
        require_ref(item.ref)
        if item.source is not None:
            require_source(item.source)
        if item.bytes is not None and item.bytes > self._max_bytes:
            raise too_large(self._max_bytes, item.bytes)
        return await self.said(item.name, item.tags, item.metadata, item.variants)


def _lasting(raws: Sequence[Any], resolved: Sequence[Instructions]) -> bool:
    """Whether a spelling means the same for ever: presets change, and watermarks are deleted."""
    named = any(isinstance(raw, str) and preset_names(raw) for raw in raws)
    return not named and not any(one.watermarks for one in resolved)


def _line(batch: Batch, item: Item, said: Said) -> Line:
    return Line(
        batch=batch.id,
        ref=item.ref,
        state=LineState.QUEUED if item.source else LineState.DECLARED,
        at=now(),
        source=item.source,
        sha256=item.sha256,
        bytes=item.bytes,
        variants=said.texts(),
        name=said.name,
        tags=said.tags or (),
        metadata=said.metadata or {},
    )


def _verdict(batch: Batch, entry: Entry, standing: Standing) -> Verdict:
    ref, line = entry.line.ref, standing.line
    if line is None:
        return Verdict.rejected(ref, closed_problem(batch))
    if line.state is LineState.FAILED and line.problem is not None:
        return Verdict(ref=ref, word=Word.REJECTED, line=line, problem=line.problem.error())
    words = {LineState.DECLARED: Word.NEED, LineState.QUEUED: Word.QUEUED}
    return Verdict(ref=ref, word=words.get(line.state, Word.HAVE), line=line)
