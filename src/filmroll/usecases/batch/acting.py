"""What a batch does with images that are kept: deletes or describes them, or makes variants."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from filmroll.errors import Deleted, FilmrollError, InvalidRequest, NotFound
from filmroll.instructions import parse_canonical
from filmroll.model import Action, Batch, BatchState, Image, Job, Line, LineState, now
from filmroll.ports import Catalog, Entry, ImageFilter
from filmroll.usecases.batch.entries import Offering, Twins, failed
from filmroll.usecases.batch.lines import Said, known
from filmroll.usecases.errands import NotNow
from filmroll.usecases.images import MAX_PAGE, Images, header_of
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.resolve import require_possible


class Acting:
    """The work of a batch's own job: a line for every image that its filter finds.

    An attempt that breaks off is repeated from the start: lines that exist stay as they are. It
    lasts as long as there are images, so it breaks off where the process is to end.
    """

    def __init__(self, catalog: Catalog, images: Images, outbox: Outbox) -> None:
        self._catalog = catalog
        self._images = images
        self._offering = Offering(catalog, outbox)
        self._twins = Twins(catalog)
        self._stopped = False

    def stop(self) -> None:
        """End all attempts after the page that each is at."""
        self._stopped = True

    async def run(self, job: Job) -> Job:
        """Go through the images; return the job. Raises NotNow once it is to stop."""
        assert job.batch is not None, "it is the job of a batch"
        batch = known(await self._catalog.get_batch(job.batch))
        if batch.action is Action.DELETE:  # also in one that was cancelled since
            await self._end_deletions(batch)
        async for page in self._pages(batch):
            if not await self._goes_on(job):
                return job
            if batch.action is Action.DELETE:
                await self._delete(batch, page)
            else:
                await self._make(batch, page)
        await self._catalog.close_batch(batch.id, BatchState.SEALED, now())
        return job

    async def _goes_on(self, job: Job) -> bool:
        """Whether there is more to do: if the batch was called off, its job is with it."""
        self._heed_stop()
        batch = await self._catalog.get_batch(job.batch or "")
        if batch is not None and batch.state in {BatchState.CANCELLED, BatchState.EXPIRED}:
            await self._catalog.cancel_job(job.id, now())
        return batch is not None and batch.state is BatchState.OPEN

    def _heed_stop(self) -> None:
        if self._stopped:
            raise NotNow(0.0)

    async def _pages(self, batch: Batch) -> AsyncIterator[Sequence[Image]]:
        """Yield the images that the filter finds, without those that came after the batch."""
        where, cursor = image_filter(batch.where), None
        while True:
            page = await self._images.list(where, MAX_PAGE, cursor)
            yield [image for image in page.items if image.created_at <= batch.created_at]
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _end_deletions(self, batch: Batch) -> None:
        """Delete what an attempt that broke off has written down."""
        after = 0
        while lines := await self._catalog.list_lines(batch.id, LineState.QUEUED, after, MAX_PAGE):
            self._heed_stop()
            await self._delete_lines(batch, lines)
            after = lines[-1].number

    async def _delete(self, batch: Batch, page: Sequence[Image]) -> None:
        lines = [_line(batch, image, LineState.QUEUED) for image in page]
        standings = await self._catalog.put_lines(batch.id, [Entry(line=line) for line in lines])
        begun = [line for line, *_ in standings if line and line.state is LineState.QUEUED]
        await self._delete_lines(batch, begun)

    async def _delete_lines(self, batch: Batch, lines: Sequence[Line]) -> None:
        """Delete the images, which their lines outlive."""
        await asyncio.gather(*(self._delete_one(line) for line in lines))
        ended = [replace(line, state=LineState.SUCCEEDED, at=now()) for line in lines]
        await self._catalog.put_lines(batch.id, [Entry(line=line) for line in ended])

    async def _delete_one(self, line: Line) -> None:
        with suppress(NotFound, Deleted):
            await self._images.delete(line.ref)

    async def _make(self, batch: Batch, page: Sequence[Image]) -> None:
        entries = [await self._entry(batch, image) for image in page]
        await self._offering.offer(batch.id, entries)

    async def _entry(self, batch: Batch, image: Image) -> Entry:
        line = _line(batch, image, LineState.PROCESSING)
        try:
            require_possible([parse_canonical(text) for text in batch.variants], header_of(image))
        except FilmrollError as fault:
            return failed(line, fault)
        return await self._twins.reference(batch, line, Said(), image)


def image_filter(where: Mapping[str, Any]) -> ImageFilter:
    """Return the filter that a client wrote; raise InvalidRequest for one that finds everything."""
    found = ImageFilter(**where)
    if found == ImageFilter():
        raise InvalidRequest("Say which images: by tag, batch, sha256 or time.", pointer="/where")
    return found


def _line(batch: Batch, image: Image, state: LineState) -> Line:
    return Line(batch=batch.id, ref=image.id, state=state, at=now(), sha256=image.sha256)
