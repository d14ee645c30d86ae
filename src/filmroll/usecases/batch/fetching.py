"""Fetching what a client did not send itself: from a URL, or from among the objects to import."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from filmroll.errors import FetchFailed
from filmroll.migration import Sources
from filmroll.model import Job, LineState, derived_id
from filmroll.ports import BlobStore, Catalog, Fetcher
from filmroll.usecases.batch.ingest import Arrival, Ingest
from filmroll.usecases.batch.lines import IMPORTS, Said
from filmroll.usecases.batch.turns import Turns
from filmroll.usecases.images import Annotations, living
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.spool import Spool
from filmroll.usecases.upload import Declaration, Uploads

_CHUNK = 256 << 10


class Fetching:
    """The work of jobs that fetch: one attempt each, harmless when it is repeated."""

    def __init__(
        self,
        *,
        fetcher: Fetcher,
        blobs: BlobStore,
        catalog: Catalog,
        ingest: Ingest,
        uploads: Uploads,
        outbox: Outbox,
        turns: Turns,
        spool: Callable[[], Spool],
        max_bytes: int,
        sources: Sources,
    ) -> None:
        self._fetcher = fetcher
        self._blobs = blobs
        self._catalog = catalog
        self._ingest = ingest
        self._uploads = uploads
        self._outbox = outbox
        self._turns = turns
        self._spool = spool
        self._max_bytes = max_bytes
        self._sources = sources

    async def run(self, job: Job) -> Job:
        """Fetch and keep the image; return the job, with the image it came to.

        Raises what the fetcher raises, what stands against the image, and NotNow while many others
        fetch from the same host.
        """
        assert job.source is not None, "a fetch has a source"
        if job.source.startswith(IMPORTS):
            return await self._fetch(job)
        with self._turns.at(urlsplit(job.source).hostname or "", job.id):
            return await self._fetch(job)

    async def _fetch(self, job: Job) -> Job:
        if job.batch is not None and not await self._awaited(job):
            return job  # an earlier attempt has kept it and could not say so
        if job.kept_source and (kept := await self._kept(job.kept_source)):
            return replace(job, image=kept)
        spool = self._spool()
        try:
            name = await self._read(job, spool)
            await spool.seal()
            if job.batch:
                image = await self._keep_line(job, spool)
            else:
                image = await self._keep(job, spool, name)
        finally:
            spool.close()
        return replace(job, image=image)

    async def _awaited(self, job: Job) -> bool:
        assert job.batch, "only lines are awaited"
        assert job.ref, "a batch knows its items by ref"
        line = (await self._catalog.get_lines(job.batch, [job.ref])).get(job.ref)
        return line is not None and line.state is LineState.QUEUED

    async def _read(self, job: Job, spool: Spool) -> str | None:
        """Fill the spool; return the name that the other server gives it."""
        assert job.source is not None, "a fetch has a source"
        if not job.source.startswith(IMPORTS):
            allowed = self._sources.covers if job.kept_source else None
            fetched = await self._fetcher.fetch(job.source, spool, self._max_bytes, allowed)
            return fetched.name
        try:
            file = await self._blobs.open(job.source)
        except ValueError:  # it is no key at all
            file = None
        if file is None:
            raise FetchFailed(f"There is no object {job.source} to import.")
        with file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                await spool.write(chunk)
        return None

    async def _keep_line(self, job: Job, spool: Spool) -> str:
        assert job.batch, "see _awaited"
        assert job.ref, "see _awaited"
        arrival = Arrival(ref=job.ref, body=spool, said=Said(), fetched=True)
        return await self._ingest.take_one(job.batch, arrival)

    async def _keep(self, job: Job, spool: Spool, name: str | None) -> str:
        said = Annotations(
            name=job.said.get("name") or name,
            tags=tuple(job.said.get("tags") or ()),
            metadata=job.said.get("metadata"),
        )
        declaration = await self._uploads.declare(said, job.instructions)
        if job.kept_source:
            return await self._keep_source(job.kept_source, spool, declaration)
        image_id = derived_id("fetch", job.id, spool.sha256)
        image = await self._uploads.store(spool, declaration, image_id)
        self._outbox.enqueue_variants(image)
        return image.id

    async def _keep_source(self, source: str, spool: Spool, declaration: Declaration) -> str:
        """Keep the image of a source, unless another attempt was faster: the first one counts.

        Each attempt writes under an id of its own bytes, so that none overwrites what another was
        told is kept. Should two of them keep different bytes, one is an image that no URL leads to.
        """
        if kept := await self._kept(source):
            return kept
        image_id = derived_id("source", source, spool.sha256)
        image = await self._uploads.store(spool, declaration, image_id, revive=False)
        return await self._name(source, image.id)

    async def _name(self, source: str, image: str) -> str:
        """Note which image a source came to, if none is noted; return the one that is."""
        while not (kept := await self._kept(source)):
            stored = await self._catalog.get_source(source)
            assert stored is not None, "its job was begun in its name"
            named = replace(stored, image=image, version=stored.version + 1)
            await self._catalog.put_source(named)
        return kept

    async def _kept(self, source: str) -> str | None:
        """Return the image that a source came to, None if it did not yet; raise Deleted."""
        found = await self._catalog.get_source(source)
        if found is None or found.image is None:
            return None
        return (await living(self._catalog, found.image)).id
