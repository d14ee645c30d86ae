"""The processing role: engines, and the work that is done with them or beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from filmroll.engine.pool import EnginePool
from filmroll.engine.process import Bounds
from filmroll.fetch import GuardedClient
from filmroll.model import JobKind, Lane
from filmroll.ports import Fetcher
from filmroll.probe import HeaderProbe
from filmroll.settings import CannotStart, Settings, split
from filmroll.usecases.admission import Admission
from filmroll.usecases.batch.acting import Acting
from filmroll.usecases.batch.fetching import Fetching
from filmroll.usecases.batch.turns import Turns
from filmroll.usecases.engines import Engines
from filmroll.usecases.errands import Errand
from filmroll.usecases.liveness import Liveness
from filmroll.usecases.process import Processing
from filmroll.usecases.uploads.making import Making
from filmroll.usecases.webhooks.sending import Sender
from filmroll.wiring.base import Base
from filmroll.wiring.stores import Stores

_BULK_NICENESS = 15
_BULK_STRETCH = 10.0
_BULK_IDLE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessingRole:
    """What only a process has in which pictures are made."""

    engine: EnginePool
    admission: Admission
    liveness: Liveness
    processor: Processing
    acting: Acting
    sender: Sender


@asynccontextmanager
async def open_processing(
    settings: Settings, stores: Stores, base: Base
) -> AsyncIterator[ProcessingRole]:
    """Start the engines; end them in the end."""
    # One more than processors: while one waits for its next picture, the others have them busy.
    slots = dict.fromkeys([Lane.INTERACTIVE, Lane.BULK], settings.engines + 1)
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
    admission = Admission(
        slots, settings.waiting_line, settings.decode_memory_bytes, HeaderProbe(settings.limits)
    )
    liveness = Liveness(engine)
    fetcher = _guarded_client(settings)
    poster = _guarded_client(settings)  # apart: many fetches from a host hold up no webhook to it
    acting = Acting(stores.catalog, base.images, base.outbox)
    await engine.start()
    try:
        yield ProcessingRole(
            engine=engine,
            admission=admission,
            liveness=liveness,
            processor=Processing(
                blobs=stores.blobs,
                catalog=stores.catalog,
                engines=Engines(
                    engines={Lane.INTERACTIVE: engine, Lane.BULK: bulk},
                    admission=admission,
                    liveness=liveness,
                ),
                errands=_errands(settings, stores, base, fetcher) | {JobKind.BATCH: acting.run},
                announcer=base.announcer,
            ),
            acting=acting,
            sender=Sender(stores.catalog, poster),
        )
    finally:
        await fetcher.close()
        await poster.close()
        await bulk.close()
        await engine.close()


def _guarded_client(settings: Settings) -> GuardedClient:
    allowed = split(settings.fetch_allow)
    try:
        return GuardedClient(allow=allowed)
    except ValueError as fault:
        raise CannotStart(f"FILMROLL_FETCH_ALLOW: {fault}") from fault


def _errands(
    settings: Settings, stores: Stores, base: Base, fetcher: Fetcher
) -> dict[JobKind, Errand]:
    fetching = Fetching(
        fetcher=fetcher,
        blobs=stores.blobs,
        catalog=stores.catalog,
        ingest=base.ingest,
        uploads=base.uploads,
        outbox=base.outbox,
        turns=Turns(stores.catalog, base.outbox),
        spool=base.spools.new,
        max_bytes=settings.max_upload_bytes,
        sources=settings.source_bases,
    )
    making = Making(
        blobs=stores.blobs,
        catalog=stores.catalog,
        uploads=base.uploads,
        ingest=base.ingest,
        archives=base.archives,
        outbox=base.outbox,
        folder=base.spools.folder,
    )
    return {JobKind.FETCH: fetching.run, JobKind.UPLOAD: making.run}
