"""A real service in a process of its own, on a free port of the loopback address."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, TypeVar

import httpx

from deploy.local.cluster import Cluster, Stores, create_stores
from deploy.local.http import client, status
from deploy.local.process import Server, clean_environment, free_port

ROOT = Path(__file__).parents[2]
IMPATIENT = "tests.e2e.impatient"

# What a service keeps its data in: this machine's disk, or servers that speak as AWS does.
AWS = os.environ.get("FILMROLL_E2E", "embedded") == "aws"

T = TypeVar("T")


class Cloud:
    """Where the services of these tests keep their data, if not on this machine's disk."""

    stores: Stores | None = None
    _made: ClassVar[set[str]] = set()

    @classmethod
    def variables(cls, data: str) -> dict[str, str]:
        """Return the settings of the stores that belong to a data folder, which are there then."""
        if cls.stores is None or not data:
            return {}
        name = hashlib.sha256(data.encode()).hexdigest()[:16]
        variables = cls.stores.variables(name)
        if name not in cls._made:
            create_stores(variables)
            cls._made.add(name)
        return variables | {"FILMROLL_INTERNAL_TOKEN": name}


def environment(**variables: str) -> dict[str, str]:
    """Return this environment without settings of Filmroll's, plus the given ones."""
    stores = Cloud.variables(variables.get("FILMROLL_DATA", ""))
    return clean_environment() | stores | variables


def filmroll(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "filmroll", *arguments],
        env=environment(COLUMNS="200", **variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def children_of(pid: int) -> list[int]:
    """Return the processes that one has started: a service's engines."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for listing in tasks for child in listing.read_text().split()]


class Service(Server):
    """``filmroll <role>`` on a data folder; restarted on the same port after a stop or a kill."""

    start_seconds = 30.0

    def __init__(
        self,
        data: Path,
        role: str = "serve",
        port: int | None = None,
        module: str = "filmroll",
        **variables: str,
    ) -> None:
        """``module`` is what ``python -m`` runs: ``IMPATIENT`` for shorter leases and waits."""
        self.data = data
        self.role = role
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {
            "FILMROLL_DATA": str(data),
            "FILMROLL_PORT": str(self.port),
            "FILMROLL_LOG": "json",
            # So many are started that each has no more engines than it takes.
            "FILMROLL_ENGINES": "1",
        }
        super().__init__(
            [sys.executable, "-m", module, role],
            ROOT,
            self._answers,
            data.parent / f"{role}-{self.port}.log",
            **(Cloud.variables(str(data)) | settings | variables),
        )

    @property
    def pids(self) -> list[int]:
        """The ids of its processes; without those of its engines."""
        assert self.process is not None
        return [self.process.pid]

    @property
    def upload_port(self) -> int:
        """Where a process takes uploads, whatever stands before it."""
        return self.port

    def client(self, **options: object) -> httpx.Client:
        """Return a client of it."""
        return client(self.url, **options)

    def _answers(self) -> bool:
        return status(f"{self.url}/healthz") == 200


class Clustered(Cluster):
    """A cluster behind its load balancer, in the place of one service."""

    class Logs:
        """What all its processes have written."""

        def __init__(self, folder: Path) -> None:
            self._folder = folder

        def read_text(self) -> str:
            return "".join(log.read_text() for log in self._folder.glob("*/server.log"))

    def __init__(self, data: Path) -> None:
        super().__init__(data, Cloud.variables(str(data)))
        self.log = self.Logs(data)
        self.port = _port(self.url)

    @property
    def pids(self) -> list[int]:
        """The ids of all its processes."""
        processes = [one.process for role in self.roles.values() for one in role]
        return [process.pid for process in processes if process is not None]

    @property
    def upload_port(self) -> int:
        """Where one of its Upload APIs listens, behind the balancer."""
        return _port(self.roles["upload-api"][0].url)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def until(found: Callable[[], T], seconds: float = 10, pause: float = 0.05) -> T:
    """Return what is found at last: log lines and counts are written once an answer has left."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(pause)
    return value
