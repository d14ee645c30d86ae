"""Uploads of which a client sends only the address: a job fetches them."""

from filmroll.errors import InvalidRequest
from filmroll.model import Job, JobKind, Lane, new_id, now
from filmroll.ports import Catalog
from filmroll.usecases.batch.lines import is_url
from filmroll.usecases.outbox import OVERDUE_SECONDS
from filmroll.usecases.upload import Declaration


class UrlUploads:
    """Writes down what is to be fetched."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def begin(self, url: str, declaration: Declaration, job_id: str | None = None) -> Job:
        """Return the job that fetches and keeps an image; once under one id.

        Raises InvalidRequest for what is no URL. Whether it leads anywhere, and whether it may
        be followed there, the job finds out.
        """
        if not is_url(url):
            raise InvalidRequest("Give a URL of http or https.", pointer="/url")
        said = declaration.annotations
        at = now()
        job = Job(
            id=job_id or new_id(),
            image="",
            instructions=tuple(one.canonical() for one in declaration.variants),
            created_at=at,
            due_at=at + OVERDUE_SECONDS,
            kind=JobKind.FETCH,
            lane=Lane.IO,
            source=url,
            said={"name": said.name, "tags": said.tags, "metadata": said.metadata},
        )
        await self._catalog.add_job(job)
        return job
