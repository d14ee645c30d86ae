"""The use cases of one role, put together, and the loops of the processing role."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from filmroll.ports import Processor
from filmroll.settings import Role, Settings
from filmroll.telemetry import Metrics
from filmroll.usecases.batch.batches import Batches
from filmroll.usecases.batch.export import Export
from filmroll.usecases.batch.gathering import Gathering
from filmroll.usecases.by_url import UrlUploads
from filmroll.usecases.completion import Completion
from filmroll.usecases.download import Downloads
from filmroll.usecases.formats import Formats
from filmroll.usecases.housekeeping import Housekeeping
from filmroll.usecases.idempotency import Idempotency
from filmroll.usecases.infos import Infos
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.keys import Keys
from filmroll.usecases.presets import Presets
from filmroll.usecases.sources import SourceImages
from filmroll.usecases.uploads.appending import Appending
from filmroll.usecases.uploads.completion import Completions
from filmroll.usecases.uploads.direct import Direct
from filmroll.usecases.uploads.parts import Parts
from filmroll.usecases.uploads.sessions import Sessions
from filmroll.usecases.uploads.tus import Tus
from filmroll.usecases.webhooks.endpoints import Endpoints
from filmroll.web.app import PROCESSING
from filmroll.web.precedence import Precedence
from filmroll.web.remote import RemoteProcessor
from filmroll.web.services import Services
from filmroll.wiring.base import Base, build_base
from filmroll.wiring.processing import ProcessingRole, open_processing
from filmroll.wiring.stores import Stores, internal_token, open_stores
from filmroll.worker import Worker


@asynccontextmanager
async def open_services(settings: Settings, role: Role) -> AsyncIterator[Services]:
    """Put together the use cases of one role; what was begun is finished at the end."""
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings))
        token = internal_token(settings, role)
        base = build_base(settings, stores)
        if role in PROCESSING:
            processing = await stack.enter_async_context(open_processing(settings, stores, base))
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


@asynccontextmanager
async def open_housekeeping(settings: Settings) -> AsyncIterator[Housekeeping]:
    """Put together what mends broken-off work, without a role."""
    async with open_stores(settings) as stores:
        yield _housekeeping(stores, settings.data / "spool")


def build_worker(services: Services) -> Worker:
    """Return the loops of the processing role."""
    assert services.acting is not None, "only the processing role has a worker"
    assert services.sender is not None, "as above"
    return Worker(
        queue=services.queue,
        processor=services.processor,
        housekeeping=_housekeeping(services, services.spool_folder),
        announcer=services.announcer,
        acting=services.acting,
        sender=services.sender,
        metrics=services.metrics,
        engines=services.settings.engines,
    )


def _housekeeping(of: Stores | Services, spool: Path) -> Housekeeping:
    return Housekeeping(
        blobs=of.blobs, catalog=of.catalog, queue=of.queue, epochs=of.epochs, spool=spool
    )


def _services(
    settings: Settings,
    stores: Stores,
    base: Base,
    *,
    processor: Processor,
    processing: ProcessingRole | None,
    token: str,
) -> Services:
    catalog, outbox = stores.catalog, base.outbox
    jobs = Jobs(catalog, outbox, processor)
    batches = Batches(catalog, outbox)
    downloads = Downloads(
        blobs=stores.blobs, catalog=catalog, processor=processor, images=base.images
    )
    sessions, parts = Sessions(catalog), Parts(stores.blobs, catalog)
    direct = Direct(stores.blobs, catalog, sessions)
    completions = Completions(
        catalog=catalog, sessions=sessions, direct=direct, batches=batches, outbox=outbox
    )
    return Services(
        settings=settings,
        metrics=Metrics(),
        precedence=Precedence(shared=not (settings.place("blobs") or settings.place("catalog"))),
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
        manifest=base.manifest,
        gathering=Gathering(catalog, base.ingest),
        archives=base.archives,
        sessions=sessions,
        parts=parts,
        direct=direct,
        completions=completions,
        appending=Appending(parts, base.spools),
        tus=Tus(catalog=catalog, sessions=sessions, completions=completions, outbox=outbox),
        images=base.images,
        infos=Infos(catalog, processor),
        sources=SourceImages(settings.source_bases, catalog, jobs),
        jobs=jobs,
        downloads=downloads,
        formats=Formats(catalog=catalog, outbox=outbox),
        export=Export(batches=batches, images=base.images, downloads=downloads),
        presets=Presets(catalog, base.announcer),
        keys=Keys(catalog),
        idempotency=Idempotency(catalog),
        announcer=base.announcer,
        endpoints=Endpoints(catalog, base.announcer),
        acting=processing.acting if processing else None,
        sender=processing.sender if processing else None,
        engine=processing.engine if processing else None,
        admission=processing.admission if processing else None,
        liveness=processing.liveness if processing else None,
        internal_token=token,
    )
