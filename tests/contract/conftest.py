"""Every adapter of every port, each on a place of its own."""

import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from filmroll.blobs.disk import DiskBlobs
from filmroll.blobs.memory import MemoryBlobs
from filmroll.catalog.memory import MemoryCatalog
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.ports import BlobStore, Catalog, JobQueue
from filmroll.queues.memory import MemoryQueue
from filmroll.queues.sqlite import SqliteQueue

MAX_ATTEMPTS = 3

BLOBS: dict[str, Callable[[Path], BlobStore]] = {
    "disk": lambda place: DiskBlobs(place / "blobs"),
    "memory": lambda _: MemoryBlobs(),
}
CATALOGS: dict[str, Callable[[Path], Catalog]] = {
    "sqlite": lambda place: SqliteCatalog(place / "catalog.db"),
    "memory": lambda _: MemoryCatalog(),
}
QUEUES: dict[str, Callable[[Path], JobQueue]] = {
    "sqlite": lambda place: SqliteQueue(place / "queue.db", MAX_ATTEMPTS),
    "memory": lambda _: MemoryQueue(MAX_ATTEMPTS),
}


async def _opened(build: Callable[[Path], Any], place: Path) -> AsyncIterator[Any]:
    store = build(place)
    yield store
    await store.close()


@pytest.fixture(params=BLOBS)
async def blobs(request, tmp_path):
    async for store in _opened(BLOBS[request.param], tmp_path):
        yield store


@pytest.fixture(params=CATALOGS)
async def catalog(request, tmp_path):
    async for store in _opened(CATALOGS[request.param], tmp_path):
        yield store


@pytest.fixture(params=QUEUES)
async def queue(request, tmp_path):
    async for store in _opened(QUEUES[request.param], tmp_path):
        yield store


@pytest.fixture
def shm_path():
    """A folder on another file system than the data."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        pytest.skip("there is no second file system here: /dev/shm is missing")
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)
