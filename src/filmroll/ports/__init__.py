"""The ports: what the use cases need of the world. The comments are promises.

Every adapter keeps them and passes the one contract suite of its port (``tests/contract``).
All methods may raise StoreUnavailable when the store is out of reach, StorageFull when it has no
room; an adapter lets no error of its SDK through. Nothing here blocks the event loop for long.
"""

from filmroll.ports.access import AccessCatalog
from filmroll.ports.batches import BatchesCatalog, BatchFilter, BatchPage, Entry, Standing
from filmroll.ports.blobs import (
    CHECKS,
    Blob,
    BlobInfo,
    BlobStore,
    DirectDownloads,
    DirectObject,
    DirectPut,
    DirectUploads,
    LocalFiles,
)
from filmroll.ports.catalog import Catalog
from filmroll.ports.clock import Clock
from filmroll.ports.images import ImageFilter, ImagePage, ImagesCatalog, Similar
from filmroll.ports.jobs import JobsCatalog
from filmroll.ports.outside import Fetched, Fetcher, Poster, Reply, Sink
from filmroll.ports.processing import Engine, Epochs, Fresh, Picture, Probe, Processor
from filmroll.ports.queue import Delivery, Depth, JobQueue
from filmroll.ports.uploads import PartStanding, UploadsCatalog
from filmroll.ports.webhooks import DeliveryFilter, DeliveryPage, WebhooksCatalog

__all__ = [
    "CHECKS",
    "AccessCatalog",
    "BatchFilter",
    "BatchPage",
    "BatchesCatalog",
    "Blob",
    "BlobInfo",
    "BlobStore",
    "Catalog",
    "Clock",
    "Delivery",
    "DeliveryFilter",
    "DeliveryPage",
    "Depth",
    "DirectDownloads",
    "DirectObject",
    "DirectPut",
    "DirectUploads",
    "Engine",
    "Entry",
    "Epochs",
    "Fetched",
    "Fetcher",
    "Fresh",
    "ImageFilter",
    "ImagePage",
    "ImagesCatalog",
    "JobQueue",
    "JobsCatalog",
    "LocalFiles",
    "PartStanding",
    "Picture",
    "Poster",
    "Probe",
    "Processor",
    "Reply",
    "Similar",
    "Sink",
    "Standing",
    "UploadsCatalog",
    "WebhooksCatalog",
]
