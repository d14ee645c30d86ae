"""Everything the routes need, put together by ``wiring``."""

from dataclasses import dataclass
from pathlib import Path

from filmroll.ports import BlobStore, Catalog, Engine, Epochs, JobQueue, Processor
from filmroll.settings import Settings
from filmroll.telemetry import Metrics
from filmroll.usecases.admission import Admission
from filmroll.usecases.batch.acting import Acting
from filmroll.usecases.batch.archive import Archives
from filmroll.usecases.batch.batches import Batches
from filmroll.usecases.batch.export import Export
from filmroll.usecases.batch.gathering import Gathering
from filmroll.usecases.batch.manifest import Manifest
from filmroll.usecases.by_url import UrlUploads
from filmroll.usecases.completion import Completion
from filmroll.usecases.download import Downloads
from filmroll.usecases.formats import Formats
from filmroll.usecases.idempotency import Idempotency
from filmroll.usecases.images import Images
from filmroll.usecases.infos import Infos
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.keys import Keys
from filmroll.usecases.liveness import Liveness
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.presets import Presets
from filmroll.usecases.sources import SourceImages
from filmroll.usecases.spool import Spool, Spools
from filmroll.usecases.upload import Uploads
from filmroll.usecases.uploads.appending import Appending
from filmroll.usecases.uploads.completion import Completions
from filmroll.usecases.uploads.direct import Direct
from filmroll.usecases.uploads.parts import Parts
from filmroll.usecases.uploads.sessions import Sessions
from filmroll.usecases.uploads.tus import Tus
from filmroll.usecases.webhooks.announcing import Announcer
from filmroll.usecases.webhooks.endpoints import Endpoints
from filmroll.usecases.webhooks.sending import Sender
from filmroll.web.precedence import Precedence


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The use cases of one process; the engine's only where pictures are made."""

    settings: Settings
    metrics: Metrics
    precedence: Precedence
    blobs: BlobStore
    catalog: Catalog
    queue: JobQueue
    epochs: Epochs
    processor: Processor
    outbox: Outbox
    uploads: Uploads
    completion: Completion
    url_uploads: UrlUploads
    batches: Batches
    manifest: Manifest
    gathering: Gathering
    archives: Archives
    sessions: Sessions
    parts: Parts
    direct: Direct
    completions: Completions
    appending: Appending
    tus: Tus
    images: Images
    infos: Infos
    sources: SourceImages
    jobs: Jobs
    downloads: Downloads
    formats: Formats
    export: Export
    presets: Presets
    keys: Keys
    idempotency: Idempotency
    announcer: Announcer
    endpoints: Endpoints
    acting: Acting | None = None
    sender: Sender | None = None
    engine: Engine | None = None
    admission: Admission | None = None
    liveness: Liveness | None = None
    internal_token: str
    spools: Spools

    @property
    def spool_folder(self) -> Path:
        """Where large bodies lie while they stream in."""
        return self.spools.folder

    def spool(self) -> Spool:
        """Return an empty spool for one upload."""
        return self.spools.new()
