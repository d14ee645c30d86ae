"""The entries that a ledger is offered; ``on_duplicate`` decides about bytes kept already."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from filmroll.errors import Duplicate, FilmrollError
from filmroll.model import Batch, Image, Job, Line, LineState, OnDuplicate, Problem, WebhookDelivery
from filmroll.ports import Catalog, Entry
from filmroll.usecases.batch.lines import Said, variants_job, wanted
from filmroll.usecases.outbox import OVERDUE_SECONDS


class Twins:
    """Finds images by their bytes. Two clients that send the same at once may still get two."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def find(self, batch: Batch, sha256s: Iterable[str | None]) -> dict[str, Image]:
        """Return the images that are kept, by digest; none if the batch does not care."""
        if not cares(batch):
            return {}
        return dict(await self._catalog.find_images([one for one in sha256s if one]))

    async def entry(self, batch: Batch, line: Line, said: Said, twin: Image) -> Entry:
        """Return the line of bytes that are there: it refers to their image, or it fails."""
        if batch.on_duplicate is OnDuplicate.REJECT:
            problem = "The same bytes are kept already, as the image named here."
            return failed(line, Duplicate(problem, image=twin.id))
        return await self.reference(batch, line, said, twin)

    async def reference(self, batch: Batch, line: Line, said: Said, twin: Image) -> Entry:
        """Return the line that refers to an image, with the job for variants it has not."""
        made = {variant.instructions for variant in await self._catalog.list_variants(twin.id)}
        texts = [one.canonical() for one in wanted(batch, said)]
        missing = [text for text in texts if text not in made]
        refers = replace(
            line, state=_state(missing), image=twin.id, bytes=twin.bytes, duplicate=True
        )
        return Entry(line=refers, job=_job(refers, missing))


def cares(batch: Batch) -> bool:
    """Whether it matters to a batch that the same bytes are kept already."""
    return batch.on_duplicate is not OnDuplicate.NEW


def failed(line: Line, fault: FilmrollError) -> Entry:
    """Return the line of an item that is refused."""
    return Entry(line=replace(line, state=LineState.FAILED, problem=Problem.of(fault)))


def stored(line: Line, image: Image, deliveries: Sequence[WebhookDelivery]) -> Entry:
    """Return the line of an item that gets an image of its own, and what tells of it."""
    job = _job(line, image.declared)
    return Entry(line=line, image=image, job=job, deliveries=deliveries)


def _state(missing: Sequence[str]) -> LineState:
    return LineState.PROCESSING if missing else LineState.SUCCEEDED


def _job(line: Line, missing: Sequence[str]) -> Job | None:
    """Return the job for variants that are still to be made."""
    return variants_job(line, missing, line.at + OVERDUE_SECONDS) if missing else None
