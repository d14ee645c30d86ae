"""Originals that URLs of other servers name: kept ones, and such as are fetched on first use."""

import asyncio

from filmroll.errors import (
    FetchFailed,
    FetchUnavailable,
    ForbiddenAddress,
    NotFound,
    Overloaded,
    SourceFailed,
)
from filmroll.migration import Source, Sources
from filmroll.model import Image, Job, JobKind, Lane, Problem, derived_id, now
from filmroll.ports import Catalog
from filmroll.usecases.images import Images
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.outbox import OVERDUE_SECONDS

WAIT_SECONDS = 30.0
# So long a URL's failure is remembered. A fetch is over before a second one such span begins.
_SPAN_SECONDS = 60.0
_GONE = {404, 410}
_ORIGIN = {error.code for error in (FetchFailed, FetchUnavailable, ForbiddenAddress)}


class SourceImages:
    """Finds them; each is fetched once, however many ask for it, and in whatever process."""

    def __init__(self, sources: Sources, images: Images, catalog: Catalog, jobs: Jobs) -> None:
        self._sources = sources
        self._images = images
        self._catalog = catalog
        self._jobs = jobs
        self._flying: dict[str, asyncio.Task[None]] = {}

    def find(self, text: str) -> Source:
        """Return what a source is here, fetched or not; raise UnknownSource."""
        return self._sources.find(text)

    async def image(self, source: Source) -> Image:
        """Return the image of a source, fetched now if it never was.

        Raises NotFound, Deleted, SourceFailed if its server fails, Overloaded if that takes long,
        and what stands against the image.
        """
        try:
            return await self._images.get(source.image)
        except NotFound:
            if source.url is None:
                raise
        await asyncio.shield(self._flight(source))
        return await self._images.get(source.image)

    def _flight(self, source: Source) -> "asyncio.Task[None]":
        if source.image not in self._flying:
            task = asyncio.create_task(self._fetch(source))
            self._flying[source.image] = task
            task.add_done_callback(lambda _: self._flying.pop(source.image, None))
        return self._flying[source.image]

    async def _fetch(self, source: Source) -> None:
        job = await self._job(source)
        ended = await self._jobs.run(job.id, WAIT_SECONDS)
        if ended is None:
            detail = "The source is still being fetched. Try again in a few seconds."
            raise Overloaded(detail, retry_after=5)
        if ended.problem is not None:
            raise _told(ended.problem)

    async def _job(self, source: Source) -> Job:
        """Return the job that fetches a source: one that is under way, or that of this minute."""
        assert source.url is not None, "only what has a URL is fetched"
        span = int(now() // _SPAN_SECONDS)
        before = await self._catalog.get_job(_job_id(source.url, span - 1))
        if before is not None and not before.state.final:
            return before
        at = now()
        job = Job(
            id=_job_id(source.url, span),
            image="",
            instructions=(),
            created_at=at,
            due_at=at + OVERDUE_SECONDS,
            kind=JobKind.FETCH,
            lane=Lane.IO,
            source=source.url,
            said={"image": source.image, "metadata": {"source": source.url}},
        )
        await self._catalog.add_job(job)
        return job


def _job_id(url: str, span: int) -> str:
    return derived_id("source", url, str(span))


def _told(problem: Problem) -> Exception:
    """Return what a failed fetch means to who asked for the picture."""
    if problem.code not in _ORIGIN:
        return problem.error()
    if problem.figures.get("origin_status") in _GONE:
        return NotFound(f"The source is not there: {problem.detail}")
    wait = problem.figures.get("retry_after")
    return SourceFailed(problem.detail, **({} if wait is None else {"retry_after": wait}))
