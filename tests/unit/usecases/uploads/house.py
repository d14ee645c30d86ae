"""Uploads in parts on stores in memory: real bodies, no server."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from filmroll.archives import ArchiveLimits
from filmroll.blobs.memory import MemoryBlobs
from filmroll.catalog.memory import MemoryCatalog
from filmroll.limits import Limits
from filmroll.model import Job, Transfer, Upload, part_key
from filmroll.probe import HeaderProbe
from filmroll.queues.memory import MemoryQueue
from filmroll.usecases.batch.archive import Archives
from filmroll.usecases.batch.batches import Batches
from filmroll.usecases.batch.ingest import Ingest
from filmroll.usecases.batch.manifest import Manifest
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.spool import Held, Spools
from filmroll.usecases.upload import Uploads
from filmroll.usecases.uploads.completion import Completions
from filmroll.usecases.uploads.direct import Direct
from filmroll.usecases.uploads.making import Making
from filmroll.usecases.uploads.parts import Listed, Parts
from filmroll.usecases.uploads.sessions import Intent, Sessions
from filmroll.usecases.uploads.sweeping import Sweeping
from filmroll.usecases.webhooks.announcing import Announcer

LIMIT = 100_000_000


@dataclass
class UploadHouse:
    """Everything that has to do with uploads in parts, in this process."""

    folder: Path
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)

    def __post_init__(self) -> None:
        blobs, catalog = self.blobs, self.catalog
        outbox = Outbox(catalog, MemoryQueue())
        probe, announcer = HeaderProbe(Limits()), Announcer(catalog)
        stores = {"blobs": blobs, "catalog": catalog, "probe": probe, "announcer": announcer}
        ingest = Ingest(outbox=outbox, **stores)
        self.batches = Batches(catalog, outbox)
        self.sessions = Sessions(catalog)
        self.parts = Parts(blobs, catalog)
        self.completions = Completions(
            catalog=catalog,
            sessions=self.sessions,
            direct=Direct(blobs, catalog, self.sessions),
            batches=self.batches,
            outbox=outbox,
        )
        self.making = Making(
            blobs=blobs,
            catalog=catalog,
            uploads=Uploads(**stores),
            ingest=ingest,
            archives=Archives(
                catalog=catalog,
                ingest=ingest,
                manifest=Manifest(catalog, outbox, LIMIT),
                spool=Spools(self.folder, LIMIT).new,
                limits=ArchiveLimits(),
            ),
            outbox=outbox,
            folder=self.folder,
        )
        self.sweeping = Sweeping(blobs, catalog)

    async def begin(self, **fields: object) -> Upload:
        return await self.sessions.create(Intent(**fields))

    async def send(self, upload: Upload, *bodies: bytes) -> list[Listed]:
        """Send parts 1, 2, …; return the list that completes them."""
        for number, body in enumerate(bodies, 1):
            await self.parts.take(upload, number, Held(body))
        parts = await self.catalog.list_parts(upload.id, 0, len(bodies))
        return [Listed(part.number, part.etag) for part in parts]

    async def completed(self, *bodies: bytes, **fields: object) -> Job:
        """Complete an upload of these parts, however small; return its job, claimed."""
        upload = await self.begin(**fields)
        await self.send(upload, *bodies)
        upload = await self.sessions.get(upload.id, Transfer.PARTS)
        parts = await self.catalog.list_parts(upload.id, 0, len(bodies))
        assert await self.completions.fix(upload, parts, upload.sha256)
        job = await self.catalog.claim_job(upload.id, 0.0, 60.0)
        assert job is not None
        return job

    async def stored(self, root: str) -> list[str]:
        """Return the keys of what is kept below a root."""
        return [blob.key async for blob in self.blobs.list(root)]

    async def put_stray(self, upload: str, number: int = 1) -> None:
        """Put a part's bytes without its record, as one does that dies in between."""
        body = b"stray"
        await self.blobs.put(part_key(upload, number), body, hashlib.sha256(body).hexdigest())


def aged(upload: Upload) -> Upload:
    """Return an upload whose time has come."""
    return replace(upload, expires_at=1.0, version=upload.version + 1)
