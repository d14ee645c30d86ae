"""Items whose bytes have come: kept in groups, so that one barrier on the disk serves many."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filmroll.errors import REFUSALS, Overloaded
from filmroll.model import (
    Batch,
    Image,
    ImageState,
    Line,
    LineState,
    derived_id,
    new_id,
    now,
    original_key,
)
from filmroll.ports import Blob, BlobStore, Catalog, Entry, Probe, Standing
from filmroll.usecases.avif import useful
from filmroll.usecases.batch.deciding import Known, Offer, decide_arrived
from filmroll.usecases.batch.entries import Offering, Twins, cares, failed, stored
from filmroll.usecases.batch.lines import (
    Said,
    Verdict,
    Word,
    closed_problem,
    known,
    other_bytes,
    require_upload,
    wanted,
)
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.resolve import require_possible
from filmroll.usecases.spool import Body
from filmroll.usecases.upload import Declaration, image_of, read_header
from filmroll.usecases.webhooks.announcing import Announcer


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """An item whose bytes are all here."""

    ref: str
    body: Body
    said: Said
    fetched: bool = False  # by a job, not sent by a client


@dataclass(frozen=True, kw_only=True, slots=True)
class _Draft:
    """What is to be written of an arrival; ``body`` if the image's bytes are to be kept."""

    entry: Entry
    body: Body | None = None


class Ingest:
    """Keeps what arrives for a batch: each ref once, the same bytes again without harm."""

    def __init__(
        self,
        *,
        blobs: BlobStore,
        catalog: Catalog,
        probe: Probe,
        outbox: Outbox,
        announcer: Announcer,
    ) -> None:
        self._blobs = blobs
        self._catalog = catalog
        self._probe = probe
        self._offering = Offering(catalog, outbox)
        self._announcer = announcer
        self._twins = Twins(catalog)

    async def take(self, batch: Batch, arrivals: Sequence[Arrival]) -> Sequence[Verdict]:
        """Keep a group of items; what is answered as stored is durable, ledger and all.

        An item that is refused fails on its own, and its line with it. Raises only what is the
        store's fault, and Conflict for a batch that takes no items at all; nothing is
        acknowledged then.
        """
        require_upload(batch)
        drafts = await self._drafts(batch, arrivals)
        return await self._keep(batch, arrivals, drafts)

    async def take_one(self, batch: str, arrival: Arrival) -> str:
        """Keep one item; return the id of its image, or raise what stands against it."""
        verdict, *_ = await self.take(known(await self._catalog.get_batch(batch)), [arrival])
        if verdict.problem is not None:
            raise verdict.problem
        return (verdict.line.image if verdict.line else None) or ""

    async def _drafts(
        self, batch: Batch, arrivals: Sequence[Arrival]
    ) -> Sequence["Verdict | _Draft"]:
        offered = [(one.ref, one.body.sha256) for one in arrivals]
        found = await self._twins.known(batch, offered)
        fresh: dict[str, Image] = {}  # of this group, by digest
        refs: set[str] = set()  # an image under one that came before will not be kept
        drafts: list[Verdict | _Draft] = []
        for arrival, what in zip(arrivals, found, strict=True):
            twin = what.twin or fresh.get(arrival.body.sha256)
            seen = what if twin is what.twin else replace(what, twin=twin)
            draft = await self._draft(batch, arrival, seen)
            drafts.append(draft)
            if isinstance(draft, _Draft) and draft.entry.image and cares(batch):
                if arrival.ref not in refs:
                    fresh[arrival.body.sha256] = draft.entry.image
                refs.add(arrival.ref)
        return drafts

    async def _draft(self, batch: Batch, arrival: Arrival, known: Known) -> "Verdict | _Draft":
        line = known.line
        decided = decide_arrived(
            batch, arrival.ref, known, arrival.body.sha256, fetched=arrival.fetched
        )
        if isinstance(decided, Verdict):
            return decided
        said = arrival.said.completed(line)
        if decided is Offer.AGAIN and line is not None:
            return _Draft(entry=await self._twins.again(batch, line, said))
        if decided is Offer.TWIN and known.twin is not None:
            blank = _line(batch, arrival, line, said, None)
            return _Draft(entry=await self._twins.entry(batch, blank, said, known.twin))
        return await self._own(batch, arrival, line, said)

    async def _own(self, batch: Batch, arrival: Arrival, line: Line | None, said: Said) -> "_Draft":
        """Return the draft of an item that gets an image of its own, or is refused."""
        try:
            header = await read_header(self._probe, arrival.body)
            variants = wanted(batch, said)
            require_possible(variants, header)
            declaration = Declaration(
                annotations=said.annotations(arrival.ref), variants=useful(variants, header)
            )
        except REFUSALS as fault:
            return _Draft(entry=failed(_line(batch, arrival, line, said, None), fault))
        image_id = await self._image_id(batch, arrival, line)
        image = image_of(
            image_id, arrival.body, header, declaration, batch=batch.id, ref=arrival.ref
        )
        told = await self._announcer.image(image)
        entry = stored(_line(batch, arrival, line, said, image), image, told)
        return _Draft(entry=entry, body=arrival.body)

    async def _image_id(self, batch: Batch, arrival: Arrival, line: Line | None) -> str:
        """Return the id of an item's image: the same at every attempt to keep these bytes.

        Other bytes under the ref get another id, so that of two racing clients none writes over
        what the other has stored.
        """
        image_id = derived_id("image", batch.id, arrival.ref, arrival.body.sha256)
        if line is not None:
            kept = await self._catalog.get_image(image_id)
            if kept is not None and kept.state is ImageState.DELETED:
                return new_id()
        return image_id

    async def _keep(
        self, batch: Batch, arrivals: Sequence[Arrival], drafts: Sequence[Verdict | _Draft]
    ) -> Sequence[Verdict]:
        new = [draft for draft in drafts if isinstance(draft, _Draft)]
        await self._store(new)
        standings = await self._offering.offer(batch.id, [draft.entry for draft in new])
        await self._discard(new, standings)
        outcomes = iter(standings)
        return [
            draft if isinstance(draft, Verdict) else _verdict(batch, arrival, next(outcomes))
            for arrival, draft in zip(arrivals, drafts, strict=True)
        ]

    async def _store(self, drafts: Sequence[_Draft]) -> None:
        """Make the bytes durable: small ones together, larger ones each on its own."""
        small = []
        for draft in drafts:
            image, body = draft.entry.image, draft.body
            if image is None or body is None:
                continue
            key = original_key(image.id)
            if isinstance(body.body, Path):
                await self._blobs.put(key, body.body, image.sha256)
            else:
                small.append(Blob(key=key, body=body.body, sha256=image.sha256))
        await self._blobs.put_all(small)

    async def _discard(self, drafts: Sequence[_Draft], standings: Sequence[Standing]) -> None:
        """Remove bytes that no record names, nor can: others were sent, or the batch closed.

        Where another attempt with these bytes may still succeed, it would lose its own: then they
        are left to the housekeeper.
        """
        lost = [
            image.id
            for draft, standing in zip(drafts, standings, strict=True)
            if (image := draft.entry.image) and _vain(image, standing)
        ]
        await self._blobs.delete([original_key(image) for image in lost])


def _vain(image: Image, standing: Standing) -> bool:
    """Whether an image was not taken, and none of the same bytes under its ref can be."""
    if standing.taken:
        return False
    kept = standing.line.image if standing.line else None
    return kept != image.id and (kept is not None or not standing.open)


def _line(
    batch: Batch, arrival: Arrival, line: Line | None, said: Said, image: Image | None
) -> Line:
    """Return the line of an item that has an image of its own, or as far as it goes without."""
    done = image is not None and not image.declared
    return Line(
        batch=batch.id,
        ref=arrival.ref,
        state=LineState.SUCCEEDED if done else LineState.PROCESSING,
        at=now(),
        image=image.id if image else None,
        source=line.source if line else None,
        sha256=arrival.body.sha256,
        bytes=arrival.body.bytes,
        received=True,
        variants=said.texts(),
        name=said.name,
        tags=said.tags or (),
        metadata=said.metadata or {},
    )


def _verdict(batch: Batch, arrival: Arrival, standing: Standing) -> Verdict:
    line = standing.line
    if standing.taken and line is not None:
        if line.problem is not None:
            error = line.problem.error()
            return Verdict(ref=arrival.ref, word=Word.REJECTED, line=line, problem=error)
        word = Word.HAVE if line.duplicate else Word.STORED
        return Verdict(ref=arrival.ref, word=word, line=line)
    if line is not None and line.image and line.sha256 == arrival.body.sha256:
        return Verdict(ref=arrival.ref, word=Word.HAVE, line=line)
    if line is not None and line.image:
        return Verdict.rejected(arrival.ref, other_bytes(line))
    if standing.open:  # the image that it was to refer to has just gone
        busy = "The image of the same bytes was just deleted. Send this again."
        return Verdict.rejected(arrival.ref, Overloaded(busy, retry_after=1))
    return Verdict.rejected(arrival.ref, closed_problem(batch))
