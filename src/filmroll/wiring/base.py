"""The use cases that need no processing role; those of the processing role build on them."""

from dataclasses import dataclass

from filmroll.archives import ArchiveLimits
from filmroll.probe import HeaderProbe
from filmroll.settings import Settings
from filmroll.usecases.batch.archive import Archives
from filmroll.usecases.batch.ingest import Ingest
from filmroll.usecases.batch.manifest import Manifest
from filmroll.usecases.images import Images
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.spool import Spools
from filmroll.usecases.upload import Uploads
from filmroll.usecases.webhooks.announcing import Announcer
from filmroll.wiring.stores import Stores


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """What both sides share."""

    spools: Spools
    images: Images
    outbox: Outbox
    announcer: Announcer
    uploads: Uploads
    ingest: Ingest
    manifest: Manifest
    archives: Archives


def build_base(settings: Settings, stores: Stores) -> Base:
    """Put them together."""
    blobs, catalog = stores.blobs, stores.catalog
    probe = HeaderProbe(settings.limits)
    outbox = Outbox(catalog, stores.queue)
    announcer = Announcer(catalog)
    spools = Spools(settings.data / "spool", settings.max_upload_bytes)
    ingest = Ingest(blobs=blobs, catalog=catalog, probe=probe, outbox=outbox, announcer=announcer)
    manifest = Manifest(catalog, outbox, settings.max_upload_bytes)
    return Base(
        spools=spools,
        images=Images(blobs, catalog, stores.epochs, announcer),
        outbox=outbox,
        announcer=announcer,
        uploads=Uploads(blobs=blobs, catalog=catalog, probe=probe, announcer=announcer),
        ingest=ingest,
        manifest=manifest,
        archives=Archives(
            catalog=catalog,
            ingest=ingest,
            manifest=manifest,
            spool=spools.new,
            limits=ArchiveLimits(member_bytes=settings.max_upload_bytes),
        ),
    )
