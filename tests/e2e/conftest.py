"""One service for the tests that do it no harm; those that do start their own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.cluster import Stores
from tests.e2e.origin import Origin
from tests.e2e.service import AWS, Cloud, Clustered, Service


@pytest.fixture(scope="session", autouse=True)
def _cloud(request: pytest.FixtureRequest) -> None:
    if AWS:
        Cloud.stores = Stores(
            request.getfixturevalue("seaweedfs"), request.getfixturevalue("ministack")
        )


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service | Clustered]:
    data = tmp_path_factory.mktemp("shared") / "data"
    with Clustered(data) if AWS else Service(data, FILMROLL_ENGINES="2") as running:
        yield running


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    running = Origin()
    yield running
    running.close()
