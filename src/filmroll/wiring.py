"""From settings to objects: the one place that knows every adapter."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filmroll.blobs.disk import DiskBlobs
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.catalog.tombstones import Tombstones
from filmroll.durable import make_folders
from filmroll.engine.pool import EnginePool
from filmroll.engine.process import Bounds
from filmroll.errors import StorageFull, StoreUnavailable
from filmroll.ports import BlobStore, Catalog, Epochs, JobQueue, Processor
from filmroll.probe import HeaderProbe
from filmroll.queues.sqlite import SqliteQueue
from filmroll.settings import CannotStart, Role, Settings
from filmroll.telemetry import Metrics
from filmroll.usecases.admission import Admission
from filmroll.usecases.download import Downloads
from filmroll.usecases.housekeeping import Housekeeping
from filmroll.usecases.idempotency import Idempotency
from filmroll.usecases.images import Images
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.keys import Keys
from filmroll.usecases.liveness import Liveness
from filmroll.usecases.presets import Presets
from filmroll.usecases.process import Processing
from filmroll.usecases.upload import Uploads
from filmroll.web.app import PROCESSING
from filmroll.web.remote import RemoteProcessor
from filmroll.web.services import Services
from filmroll.worker import Worker


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
        if role in PROCESSING:
            processing = await stack.enter_async_context(_processing(settings, stores))
            processor: Processor = processing.processor
        else:
            processing = None
            remote = RemoteProcessor(settings.worker_url, token)
            stack.push_async_callback(remote.close)
            processor = remote
        services = _services(settings, stores, processor, processing, token)
        stack.push_async_callback(services.jobs.drain)
        yield services


def build_worker(services: Services) -> Worker:
    """Return the loops of the processing role."""
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
        metrics=services.metrics,
        hands=services.settings.engines,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Processing:
    engine: EnginePool
    admission: Admission
    liveness: Liveness
    processor: Processing


@asynccontextmanager
async def _processing(settings: Settings, stores: Stores) -> AsyncIterator[_Processing]:
    size = settings.engines + 1  # bulk never takes the last one
    bounds = Bounds(
        memory=settings.engine_memory_bytes,
        seconds=settings.engine_seconds,
        limits=settings.limits,
    )
    engine = EnginePool(size, line=size, bounds=bounds)
    admission = Admission(size, settings.waiting_line)
    liveness = Liveness(engine)
    await engine.start()
    try:
        yield _Processing(
            engine=engine,
            admission=admission,
            liveness=liveness,
            processor=Processing(
                blobs=stores.blobs,
                catalog=stores.catalog,
                engine=engine,
                admission=admission,
                liveness=liveness,
            ),
        )
    finally:
        await engine.close()


def _services(
    settings: Settings,
    stores: Stores,
    processor: Processor,
    processing: _Processing | None,
    token: str,
) -> Services:
    images = Images(stores.blobs, stores.catalog, stores.epochs)
    jobs = Jobs(stores.catalog, stores.queue, processor)
    probe = HeaderProbe(settings.limits)
    return Services(
        settings=settings,
        metrics=Metrics(),
        blobs=stores.blobs,
        catalog=stores.catalog,
        queue=stores.queue,
        epochs=stores.epochs,
        processor=processor,
        uploads=Uploads(
            blobs=stores.blobs, catalog=stores.catalog, probe=probe, images=images, jobs=jobs
        ),
        images=images,
        jobs=jobs,
        downloads=Downloads(
            blobs=stores.blobs, catalog=stores.catalog, processor=processor, images=images
        ),
        presets=Presets(stores.catalog),
        keys=Keys(stores.catalog),
        idempotency=Idempotency(stores.catalog),
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
