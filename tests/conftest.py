"""What all tests share: how they heed Ctrl-C, and the servers that the distributed engine needs."""

import signal
from collections.abc import Iterator

import pytest

from deploy.local.aws import CREDENTIALS, MiniStack, SeaweedFS


@pytest.fixture(scope="session", autouse=True)
def _heeding_interrupts() -> None:
    """Undo what a shell does to those it starts in the background: they, and theirs, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _credentials() -> Iterator[None]:
    """What the clients in this process sign with."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    with SeaweedFS(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    with MiniStack(tmp_path_factory.mktemp("ministack")) as server:
        yield server
