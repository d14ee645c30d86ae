"""From settings to objects: the one place that knows every adapter."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from filmroll.archives import ArchiveLimits
from filmroll.blobs.disk import DiskBlobs
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.catalog.tombstones import Tombstones
from filmroll.durable import make_folders
from filmroll.engine.pool import EnginePool
from filmroll.engine.process import Bounds
from filmroll.errors import StorageFull, StoreUnavailable
from filmroll.fetch import GuardedClient
from filmroll.model import JobKind, Lane
from filmroll.ports import BlobStore, Catalog, Epochs, Fetcher, JobQueue, Processor
from filmroll.probe import HeaderProbe
from filmroll.queues.sqlite import SqliteQueue
from filmroll.settings import CannotStart, Role, Settings
from filmroll.telemetry import Metrics
from filmroll.usecases.admission import Admission
from filmroll.usecases.batch.acting import Acting
from filmroll.usecases.batch.archive import Archives
from filmroll.usecases.batch.batches import Batches
from filmroll.usecases.batch.export import Export
from filmroll.usecases.batch.fetching import Fetching
from filmroll.usecases.batch.ingest import Ingest
from filmroll.usecases.batch.manifest import Manifest
from filmroll.usecases.by_url import UrlUploads
from filmroll.usecases.completion import Completion
from filmroll.usecases.download import Downloads
from filmroll.usecases.housekeeping import Housekeeping
from filmroll.usecases.idempotency import Idempotency
from filmroll.usecases.images import Images
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.keys import Keys
from filmroll.usecases.liveness import Liveness
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.presets import Presets
from filmroll.usecases.process import Errand, Processing
from filmroll.usecases.spool import Spools
from filmroll.usecases.upload import Uploads
from filmroll.usecases.webhooks.announcing import Announcer
from filmroll.usecases.webhooks.endpoints import Endpoints
from filmroll.usecases.webhooks.sending import Sender
from filmroll.web.app import PROCESSING
from filmroll.web.remote import RemoteProcessor
from filmroll.web.services import Services
from filmroll.worker import Worker

_BULK_NICENESS = 15
_BULK_STRETCH = 10.0
_BULK_IDLE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Stores:
    """The three stores, and what tells the caches of this machine about changes."""

    blobs: BlobStore
    catalog: Catalog
    queue: JobQueue
    epochs: Epochs


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open the stores that the settings name; close them at the end."""
    async with AsyncExitStack() as stack:
        with _opening(settings.data):
            _require_writable(settings.data)
            blobs = DiskBlobs(settings.store_path("blobs", "blobs"))
            stack.push_async_callback(blobs.close)
            catalog = SqliteCatalog(settings.store_path("catalog", "catalog.db"))
            stack.push_async_callback(catalog.close)
            queue = SqliteQueue(settings.store_path("queue", "queue.db"))
            stack.push_async_callback(queue.close)
            epochs = Tombstones(settings.data / "epochs")
        yield Stores(blobs=blobs, catalog=catalog, queue=queue, epochs=epochs)


@asynccontextmanager
async def open_services(settings: Settings, role: Role) -> AsyncIterator[Services]:
    """Put together the use cases of one role; what was begun is finished at the end."""
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings))
        with _opening(settings.data):
            token = settings.internal_token or _shared_token(settings.data)
        base = _base(settings, stores)
        if role in PROCESSING:
            processing = await stack.enter_async_context(_processing(settings, stores, base))
            processor: Processor = processing.processor
        else:
            processing = None
            remote = RemoteProcessor(settings.worker_url, token)
            stack.push_async_callback(remote.close)
            processor = remote
        services = _services(
            settings, stores, base, processor=processor, processing=processing, token=token
        )
        stack.push_async_callback(base.outbox.drain)
        yield services


def build_worker(services: Services) -> Worker:
    """Return the loops of the processing role."""
    assert services.sender is not None, "only the processing role has a worker"
    return Worker(
        queue=services.queue,
        processor=services.processor,
        housekeeping=Housekeeping(
            blobs=services.blobs,
            catalog=services.catalog,
            queue=services.queue,
            epochs=services.epochs,
            spool=services.spool_folder,
        ),
        announcer=services.announcer,
        sender=services.sender,
        metrics=services.metrics,
        engines=services.settings.engines,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Processing:
    engine: EnginePool
    admission: Admission
    liveness: Liveness
    processor: Processing
    sender: Sender


@dataclass(frozen=True, kw_only=True, slots=True)
class _Base:
    """The use cases that need no processing role; those of the processing role build on them."""

    spools: Spools
    images: Images
    outbox: Outbox
    announcer: Announcer
    uploads: Uploads
    ingest: Ingest


def _base(settings: Settings, stores: Stores) -> _Base:
    blobs, catalog = stores.blobs, stores.catalog
    probe = HeaderProbe(settings.limits)
    outbox = Outbox(catalog, stores.queue)
    announcer = Announcer(catalog)
    return _Base(
        spools=Spools(settings.data / "spool", settings.max_upload_bytes),
        images=Images(blobs, catalog, stores.epochs),
        outbox=outbox,
        announcer=announcer,
        uploads=Uploads(blobs=blobs, catalog=catalog, probe=probe, announcer=announcer),
        ingest=Ingest(
            blobs=blobs, catalog=catalog, probe=probe, outbox=outbox, announcer=announcer
        ),
    )


def _guarded_client(settings: Settings) -> GuardedClient:
    allowed = [host.strip() for host in settings.fetch_allow.split(",") if host.strip()]
    try:
        return GuardedClient(allow=allowed)
    except ValueError as fault:
        raise CannotStart(f"FILMROLL_FETCH_ALLOW: {fault}") from fault


def _errands(
    settings: Settings, stores: Stores, base: _Base, fetcher: Fetcher
) -> Mapping[JobKind, Errand]:
    fetching = Fetching(
        fetcher=fetcher,
        blobs=stores.blobs,
        catalog=stores.catalog,
        ingest=base.ingest,
        uploads=base.uploads,
        outbox=base.outbox,
        spool=base.spools.new,
        max_bytes=settings.max_upload_bytes,
    )
    acting = Acting(stores.catalog, base.images, base.outbox)
    return {JobKind.FETCH: fetching.run, JobKind.BATCH: acting.run}


@asynccontextmanager
async def _processing(
    settings: Settings, stores: Stores, base: _Base
) -> AsyncIterator[_Processing]:
    slots = {Lane.INTERACTIVE: settings.engines + 1, Lane.BULK: settings.engines}
    bounds = Bounds(
        memory=settings.engine_memory_bytes,
        seconds=settings.engine_seconds,
        limits=settings.limits,
    )
    engine = EnginePool(slots[Lane.INTERACTIVE], line=slots[Lane.INTERACTIVE], bounds=bounds)
    # These are there while there is bulk work, and step back for everybody else: so their wall
    # time says little.
    patient = replace(bounds, niceness=_BULK_NICENESS, stretch=_BULK_STRETCH)
    bulk = EnginePool(
        slots[Lane.BULK], line=slots[Lane.BULK], bounds=patient, idle_seconds=_BULK_IDLE_SECONDS
    )
    admission = Admission(slots, settings.waiting_line)
    liveness = Liveness(engine)
    fetcher = _guarded_client(settings)
    poster = _guarded_client(settings)  # apart: many fetches from a host hold up no webhook to it
    await engine.start()
    try:
        yield _Processing(
            engine=engine,
            admission=admission,
            liveness=liveness,
            processor=Processing(
                blobs=stores.blobs,
                catalog=stores.catalog,
                engines={Lane.INTERACTIVE: engine, Lane.BULK: bulk},
                admission=admission,
                liveness=liveness,
                errands=_errands(settings, stores, base, fetcher),
                announcer=base.announcer,
            ),
            sender=Sender(stores.catalog, poster),
        )
    finally:
        await fetcher.close()
        await poster.close()
        await bulk.close()
        await engine.close()


def _services(
    settings: Settings,
    stores: Stores,
    base: _Base,
    *,
    processor: Processor,
    processing: _Processing | None,
    token: str,
) -> Services:
    catalog, outbox = stores.catalog, base.outbox
    jobs = Jobs(catalog, outbox, processor)
    batches = Batches(catalog, outbox)
    downloads = Downloads(
        blobs=stores.blobs, catalog=catalog, processor=processor, images=base.images
    )
    manifest = Manifest(catalog, outbox, settings.max_upload_bytes)
    return Services(
        settings=settings,
        metrics=Metrics(),
        blobs=stores.blobs,
        catalog=catalog,
        queue=stores.queue,
        epochs=stores.epochs,
        processor=processor,
        spools=base.spools,
        outbox=outbox,
        uploads=base.uploads,
        completion=Completion(base.images, jobs, outbox),
        url_uploads=UrlUploads(catalog),
        batches=batches,
        manifest=manifest,
        ingest=base.ingest,
        archives=Archives(
            catalog=catalog,
            ingest=base.ingest,
            manifest=manifest,
            spool=base.spools.new,
            limits=ArchiveLimits(member_bytes=settings.max_upload_bytes),
        ),
        images=base.images,
        jobs=jobs,
        downloads=downloads,
        export=Export(batches=batches, images=base.images, downloads=downloads),
        presets=Presets(catalog),
        keys=Keys(catalog),
        idempotency=Idempotency(catalog),
        announcer=base.announcer,
        endpoints=Endpoints(catalog, base.announcer),
        sender=processing.sender if processing else None,
        engine=processing.engine if processing else None,
        admission=processing.admission if processing else None,
        liveness=processing.liveness if processing else None,
        internal_token=token,
    )


def _shared_token(data: Path) -> str:
    """Return the secret of the roles on this data folder; whoever comes first makes it."""
    path = data / "internal-token"
    if not path.exists():
        draft = data / f".token-{secrets.token_hex(4)}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(32))
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()


def _require_writable(folder: Path) -> None:
    make_folders(folder.absolute())
    probe = folder / f".writable-{secrets.token_hex(4)}"
    probe.touch()
    probe.unlink()


@contextmanager
def _opening(folder: Path) -> Iterator[None]:
    """Say in one line what keeps this user from using a data folder."""
    try:
        yield
    except (OSError, StoreUnavailable, StorageFull) as fault:
        cause = fault.__cause__ or fault
        reason = cause.strerror if isinstance(cause, OSError) else cause
        where = getattr(cause, "filename", None) or folder
        raise CannotStart(
            f"cannot use the data folder {folder}: {reason} ({where}). Choose another with "
            "FILMROLL_DATA, or give this user the right to write there."
        ) from fault
