"""Every adapter of every port, each on a place of its own."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from filmroll.blobs.disk import DiskBlobs
from filmroll.blobs.memory import MemoryBlobs
from filmroll.catalog.memory import MemoryCatalog
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.queues.memory import MemoryQueue
from filmroll.queues.sqlite import SqliteQueue

MAX_ATTEMPTS = 3

Opener = Callable[[pytest.FixtureRequest, Path], AbstractAsyncContextManager[Any]]


def _local(build: Callable[[Path], Any]) -> Opener:
    """Return the opener of a store that needs nothing but a folder."""

    @asynccontextmanager
    async def opener(_: pytest.FixtureRequest, place: Path) -> AsyncIterator[Any]:
        store = build(place)
        yield store
        await store.close()

    return opener


BLOBS: dict[str, Opener] = {
    "disk": _local(lambda place: DiskBlobs(place / "blobs")),
    "memory": _local(lambda _: MemoryBlobs()),
}
CATALOGS: dict[str, Opener] = {
    "sqlite": _local(lambda place: SqliteCatalog(place / "catalog.db")),
    "memory": _local(lambda _: MemoryCatalog()),
}
QUEUES: dict[str, Opener] = {
    "sqlite": _local(lambda place: SqliteQueue(place / "queue.db", MAX_ATTEMPTS)),
    "memory": _local(lambda _: MemoryQueue(MAX_ATTEMPTS)),
}


@pytest.fixture(params=BLOBS)
async def blobs(request, tmp_path):
    async with BLOBS[request.param](request, tmp_path) as store:
        yield store


@pytest.fixture(params=CATALOGS)
async def catalog(request, tmp_path):
    async with CATALOGS[request.param](request, tmp_path) as store:
        yield store


@pytest.fixture(params=QUEUES)
async def queue(request, tmp_path):
    async with QUEUES[request.param](request, tmp_path) as store:
        yield store


@pytest.fixture
def shm_path():
    """A folder on another file system than the data."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        pytest.skip("there is no second file system here: /dev/shm is missing")
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)
