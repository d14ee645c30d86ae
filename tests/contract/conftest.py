"""Every adapter of every port, each on a place of its own."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.local.aws import REGION
from filmroll.aws import client
from filmroll.blobs.disk import DiskBlobs
from filmroll.blobs.memory import MemoryBlobs
from filmroll.blobs.s3 import S3Blobs, open_s3
from filmroll.blobs.s3_bucket import prepare_bucket
from filmroll.catalog.dynamodb import create_table, open_dynamodb
from filmroll.catalog.memory import MemoryCatalog
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.model import new_id
from filmroll.place import Place
from filmroll.queues.memory import MemoryQueue
from filmroll.queues.sqlite import SqliteQueue
from filmroll.queues.sqs import create_queues, open_sqs

MAX_ATTEMPTS = 3
_PREPARED: set[str] = set()  # endpoints of servers that have the bucket

Opener = Callable[[pytest.FixtureRequest, Path], AbstractAsyncContextManager[Any]]


def _local(build: Callable[[Path], Any]) -> Opener:
    """Return the opener of a store that needs nothing but a folder."""

    @asynccontextmanager
    async def opener(_: pytest.FixtureRequest, place: Path) -> AsyncIterator[Any]:
        store = build(place)
        yield store
        await store.close()

    return opener


async def new_queues(endpoint: str) -> Place:
    """Create queues under a name that nobody else has."""
    place = Place(service="sqs", name=new_id(), region=REGION, endpoint=endpoint)
    async with client(place) as sqs:
        await create_queues(sqs, place.name, MAX_ATTEMPTS)
    return place


@asynccontextmanager
async def _sqs(request: pytest.FixtureRequest, _: Path) -> AsyncIterator[Any]:
    place = await new_queues(request.getfixturevalue("ministack").endpoint)
    async with open_sqs(place) as store:
        yield store


async def s3_place(endpoint: str) -> Place:
    """Return a prefix of its own in a bucket that is there."""
    bucket = Place(service="s3", name="blobs", region=REGION, endpoint=endpoint)
    if endpoint not in _PREPARED:
        async with client(bucket) as requests:
            await prepare_bucket(requests, bucket)
        _PREPARED.add(endpoint)
    return replace(bucket, path=new_id())


@asynccontextmanager
async def _s3(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[S3Blobs]:
    place = await s3_place(request.getfixturevalue("seaweedfs").endpoint)
    async with open_s3(place, folder / "opened") as store:
        yield store


@asynccontextmanager
async def _dynamodb(request: pytest.FixtureRequest, _: Path) -> AsyncIterator[Any]:
    endpoint = request.getfixturevalue("ministack").endpoint
    place = Place(service="dynamodb", name=f"t-{new_id()}", region=REGION, endpoint=endpoint)
    async with client(place) as sdk:
        await create_table(sdk, place.name)
    async with open_dynamodb(place) as catalog:
        yield catalog


BLOBS: dict[str, Opener] = {
    "disk": _local(lambda place: DiskBlobs(place / "blobs")),
    "memory": _local(lambda _: MemoryBlobs()),
    "s3": _s3,
}
CATALOGS: dict[str, Opener] = {
    "sqlite": _local(lambda place: SqliteCatalog(place / "catalog.db")),
    "memory": _local(lambda _: MemoryCatalog()),
    "dynamodb": _dynamodb,
}
QUEUES: dict[str, Opener] = {
    "sqlite": _local(lambda place: SqliteQueue(place / "queue.db", MAX_ATTEMPTS)),
    "memory": _local(lambda _: MemoryQueue(MAX_ATTEMPTS)),
    "sqs": _sqs,
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
def queue_kind(request):
    return request.param


@pytest.fixture
async def queue(request, tmp_path, queue_kind):
    async with QUEUES[queue_kind](request, tmp_path) as store:
        yield store


@pytest.fixture
def short(queue_kind):
    """The shortest lease or delay that the queue knows, or one that is short enough."""
    return 1.0 if queue_kind == "sqs" else 0.08  # s


@pytest.fixture
def shm_path():
    """A folder on another file system than the data."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        pytest.skip("there is no second file system here: /dev/shm is missing")
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)
