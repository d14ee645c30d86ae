"""Everything the routes need, put together by ``wiring``."""

from dataclasses import dataclass, field
from pathlib import Path

from filmroll.ports import BlobStore, Catalog, Engine, Epochs, JobQueue, Processor
from filmroll.settings import Settings
from filmroll.telemetry import Metrics
from filmroll.usecases.admission import Admission
from filmroll.usecases.download import Downloads
from filmroll.usecases.idempotency import Idempotency
from filmroll.usecases.images import Images
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.keys import Keys
from filmroll.usecases.liveness import Liveness
from filmroll.usecases.presets import Presets
from filmroll.usecases.spool import Memory, Spool
from filmroll.usecases.upload import Uploads


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The use cases of one process; the engine's only where pictures are made."""

    settings: Settings
    metrics: Metrics
    blobs: BlobStore
    catalog: Catalog
    queue: JobQueue
    epochs: Epochs
    processor: Processor
    uploads: Uploads
    images: Images
    jobs: Jobs
    downloads: Downloads
    presets: Presets
    keys: Keys
    idempotency: Idempotency
    engine: Engine | None = None
    admission: Admission | None = None
    liveness: Liveness | None = None
    internal_token: str
    memory: Memory = field(default_factory=Memory)

    @property
    def spool_folder(self) -> Path:
        """Where large bodies lie while they stream in."""
        return self.settings.data / "spool"

    def spool(self) -> Spool:
        """Return an empty spool for one upload."""
        return Spool(self.spool_folder, self.settings.max_upload_bytes, self.memory)
