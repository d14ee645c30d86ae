"""Originals that URLs of other servers name: kept ones, and such as are fetched on first use."""

import asyncio
from collections import Counter
from dataclasses import replace
from urllib.parse import urlsplit

from filmroll.errors import (
    FetchFailed,
    FetchUnavailable,
    ForbiddenAddress,
    NotFound,
    Overloaded,
    SourceFailed,
)
from filmroll.migration import Source, Sources
from filmroll.model import Job, JobKind, KeptSource, Lane, Problem, new_id, now
from filmroll.ports import Catalog
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.outbox import OVERDUE_SECONDS

WAIT_SECONDS = 30.0
REMEMBERED_SECONDS = 60.0  # a failure: so long its server is left alone
# So many sources of one host are waited for at a time; each asks the catalog again and again.
MOST_AWAITED = 64
_GONE = {404, 410}
_ORIGIN = {error.code for error in (FetchFailed, FetchUnavailable, ForbiddenAddress)}


class SourceImages:
    """Finds them; each is fetched once, however many ask for it, and in whatever process."""

    def __init__(self, sources: Sources, catalog: Catalog, jobs: Jobs) -> None:
        self._sources = sources
        self._catalog = catalog
        self._jobs = jobs
        self._flying: dict[str, asyncio.Task[Job | None]] = {}
        self._awaited: Counter[str] = Counter()  # flights, by host

    def find(self, text: str) -> Source:
        """Return what a source is here, fetched or not; raise UnknownSource."""
        return self._sources.find(text)

    async def image(self, source: Source) -> str:
        """Return the id of a source's image, fetched now if it never was; it may be deleted since.

        Raises NotFound if its server has it not, SourceFailed if that fails, Overloaded if it
        takes long or too many wait for that host, and what stands against the image.
        """
        if source.url is None:
            return source.id
        if kept := await self._kept(source):
            return kept
        ended = await asyncio.shield(self._flight(source, source.url))
        # Another attempt may have come to one, whatever became of this.
        if kept := await self._kept(source):
            return kept
        raise _told(ended)

    async def _kept(self, source: Source) -> str | None:
        found = await self._catalog.get_source(source.id)
        return None if found is None else found.image

    def _flight(self, source: Source, url: str) -> "asyncio.Task[Job | None]":
        if source.id not in self._flying:
            self._begin_flight(source.id, url, urlsplit(url).netloc)
        return self._flying[source.id]

    def _begin_flight(self, source: str, url: str, host: str) -> None:
        if self._awaited[host] >= MOST_AWAITED:
            detail = "Too many pictures of this source's server are being fetched. Try again later."
            raise Overloaded(detail, retry_after=5, limit=MOST_AWAITED)

        def landed(_: object) -> None:
            del self._flying[source]
            self._awaited[host] -= 1
            if not self._awaited[host]:
                del self._awaited[host]

        self._awaited[host] += 1
        self._flying[source] = asyncio.create_task(self._fetch(source, url))
        self._flying[source].add_done_callback(landed)

    async def _fetch(self, source: str, url: str) -> Job | None:
        job = await self._job(source, url)
        return await self._jobs.run(job, WAIT_SECONDS)

    async def _job(self, source: str, url: str) -> str:
        """Return the one job that fetches a source: it is under way, or has just ended, or new."""
        while True:
            stored = await self._catalog.get_source(source)
            job = await self._catalog.get_job(stored.job) if stored else None
            if stored is not None and job is None:  # whoever noted it did not live to begin it
                return await self._begin(source, url, stored.job)
            if job is not None and not _over(job):
                return job.id
            following = _following(stored, source)
            if await self._catalog.put_source(following):
                return await self._begin(source, url, following.job)

    async def _begin(self, source: str, url: str, job: str) -> str:
        """Write a job down, unless it is there."""
        at = now()
        fetch = Job(
            id=job,
            image="",
            instructions=(),
            created_at=at,
            due_at=at + OVERDUE_SECONDS,
            kind=JobKind.FETCH,
            lane=Lane.IO,
            source=url,
            said={"source": source, "metadata": {"source": url}},
        )
        await self._catalog.add_job(fetch)
        return job


def _over(job: Job) -> bool:
    """Whether a job ended so long ago that another may try."""
    ended = job.finished_at or 0.0
    return job.state.final and ended + REMEMBERED_SECONDS <= now()


def _following(stored: KeptSource | None, source: str) -> KeptSource:
    """Return the record of a source with a new job."""
    if stored is None:
        return KeptSource(id=source, job=new_id())
    return replace(stored, job=new_id(), version=stored.version + 1)


def _told(ended: Job | None) -> Exception:
    """Return what it means to who asked for the picture that a fetch came to none."""
    if ended is None:
        detail = "The source is still being fetched. Try again in a few seconds."
        return Overloaded(detail, retry_after=5)
    if ended.problem is None:
        return NotFound("The fetch of this source was called off. Try again in a minute.")
    return _refused(ended.problem)


def _refused(problem: Problem) -> Exception:
    if problem.code not in _ORIGIN:
        return problem.error()
    if problem.figures.get("origin_status") in _GONE:
        return NotFound(f"The source is not there: {problem.detail}")
    wait = problem.figures.get("retry_after")
    return SourceFailed(problem.detail, **({} if wait is None else {"retry_after": wait}))
