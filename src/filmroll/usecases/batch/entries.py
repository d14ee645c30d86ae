"""The entries that a ledger is offered; ``on_duplicate`` decides about bytes kept already."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from filmroll.errors import Duplicate, FilmrollError
from filmroll.model import (
    Action,
    Batch,
    Image,
    Job,
    Line,
    LineState,
    OnDuplicate,
    Problem,
    VariantState,
    WebhookDelivery,
    now,
)
from filmroll.ports import Catalog, Entry, Standing
from filmroll.usecases.batch.deciding import Known
from filmroll.usecases.batch.lines import Said, info_job, variants_job, wanted
from filmroll.usecases.formats import set_apart
from filmroll.usecases.outbox import OVERDUE_SECONDS, Outbox


class Twins:
    """Finds what is there already. Two clients that send the same at once may still get two."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def known(
        self, batch: Batch, offered: Sequence[tuple[str, str | None]]
    ) -> Sequence[Known]:
        """Return what is known of items, offered as pairs of ref and digest."""
        lines = await self._catalog.get_lines(batch.id, [ref for ref, _ in offered])
        images = [line.image for line in lines.values() if line.image]
        alive = await self._catalog.which_live(images) if images else ()
        twins = await self._find(batch, [sha256 for _, sha256 in offered])
        found = []
        for ref, sha256 in offered:
            line = lines.get(ref)
            lives = line is not None and line.image in alive
            found.append(Known.of(line, alive=lives, twin=twins.get(sha256 or "")))
        return found

    async def _find(self, batch: Batch, sha256s: Iterable[str | None]) -> Mapping[str, Image]:
        if not cares(batch):
            return {}
        return await self._catalog.find_images([one for one in sha256s if one])

    async def entry(self, batch: Batch, line: Line, said: Said, twin: Image) -> Entry:
        """Return the line of bytes that are there: it refers to their image, or it fails."""
        if batch.on_duplicate is OnDuplicate.REJECT:
            problem = "The same bytes are kept already, as the image named here."
            return failed(line, Duplicate(problem, image=twin.id))
        return await self.reference(batch, line, said, twin)

    async def reference(self, batch: Batch, line: Line, said: Said, twin: Image) -> Entry:
        """Return the line that refers to an image, with the job for variants it has not."""
        refers = replace(line, image=twin.id, bytes=twin.bytes, duplicate=True)
        return await self._begun(batch, refers, said)

    async def again(self, batch: Batch, line: Line, said: Said) -> Entry:
        """Return a failed line whose image is there, with the job for what that has not."""
        fresh = replace(
            line,
            problem=None,
            at=now(),
            variants=said.texts(),
            name=said.name,
            tags=said.tags or (),
            metadata=said.metadata or {},
        )
        return await self._begun(batch, fresh, said)

    async def _begun(self, batch: Batch, line: Line, said: Said) -> Entry:
        """Return a line with the job that it waits for, or as ended if there is none."""
        job = await self._job(batch, line, said)
        state = LineState.PROCESSING if job else LineState.SUCCEEDED
        return Entry(line=replace(line, state=state), job=job)

    async def _job(self, batch: Batch, line: Line, said: Said) -> Job | None:
        """Return the job for what is still to be made of a line's image."""
        assert line.image is not None, "its image is there"
        if batch.action is Action.INFO:
            info = await self._catalog.get_info(line.image)
            return None if info and info.current else info_job(line, line.at + OVERDUE_SECONDS)
        return _variants_job(line, await self._missing(batch, said, line.image))

    async def _missing(self, batch: Batch, said: Said, image: str) -> Sequence[str]:
        variants = await self._catalog.list_variants(image)
        made = {one.instructions for one in variants if one.state is VariantState.READY}
        asked = wanted(batch, said)
        apart = await set_apart(self._catalog, image, asked)
        texts = [one.canonical() for one in asked if one not in apart]
        return [text for text in texts if text not in made]


class Offering:
    """Offers lines to ledgers, and sends the jobs of those that were taken."""

    def __init__(self, catalog: Catalog, outbox: Outbox) -> None:
        self._catalog = catalog
        self._outbox = outbox

    async def offer(self, batch: str, entries: Sequence[Entry]) -> Sequence[Standing]:
        """Return what stands now for each; none of it waits for the queue."""
        if not entries:
            return ()
        standings = await self._catalog.put_lines(batch, entries)
        taken = zip(entries, standings, strict=True)
        self._outbox.enqueue_all(entry.job for entry, it in taken if it.taken and entry.job)
        return standings


def cares(batch: Batch) -> bool:
    """Whether it matters to a batch that the same bytes are kept already."""
    return batch.on_duplicate is not OnDuplicate.NEW


def failed(line: Line, fault: FilmrollError) -> Entry:
    """Return the line of an item that is refused."""
    return Entry(line=replace(line, state=LineState.FAILED, problem=Problem.of(fault)))


def stored(line: Line, image: Image, deliveries: Sequence[WebhookDelivery]) -> Entry:
    """Return the line of an item that gets an image of its own, and what tells of it."""
    job = _variants_job(line, image.declared)
    return Entry(line=line, image=image, job=job, deliveries=deliveries)


def _variants_job(line: Line, missing: Sequence[str]) -> Job | None:
    """Return the job for variants that are still to be made."""
    return variants_job(line, missing, line.at + OVERDUE_SECONDS) if missing else None
