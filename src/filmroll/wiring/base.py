"""The use cases that need no processing role; those of the processing role build on them."""

from dataclasses import dataclass

from filmroll.probe import HeaderProbe
from filmroll.settings import Settings
from filmroll.usecases.batch.ingest import Ingest
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


def build_base(settings: Settings, stores: Stores) -> Base:
    """Put them together."""
    blobs, catalog = stores.blobs, stores.catalog
    probe = HeaderProbe(settings.limits)
    outbox = Outbox(catalog, stores.queue)
    announcer = Announcer(catalog)
    return Base(
        spools=Spools(settings.data / "spool", settings.max_upload_bytes),
        images=Images(blobs, catalog, stores.epochs),
        outbox=outbox,
        announcer=announcer,
        uploads=Uploads(blobs=blobs, catalog=catalog, probe=probe, announcer=announcer),
        ingest=Ingest(
            blobs=blobs, catalog=catalog, probe=probe, outbox=outbox, announcer=announcer
        ),
    )
