"""A whole cluster on this machine: S3, SQS and DynamoDB, six role processes, a load balancer.

``python -m deploy.local.cluster`` runs it until it is interrupted; ``make cluster`` does. The tests
take it to pieces while it works.
"""

import argparse
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from deploy.local.aws import CREDENTIALS, MiniStack, SeaweedFS
from deploy.local.balancer import Caddy
from deploy.local.http import client, status
from deploy.local.process import Server, clean_environment, free_port, free_ports

ROLES = ("upload-api", "download-api", "worker")
_COPIES = 2


@dataclass(frozen=True, slots=True)
class Stores:
    """Two servers in which several Filmrolls may keep their data, side by side."""

    seaweedfs: SeaweedFS
    ministack: MiniStack

    def variables(self, name: str) -> dict[str, str]:
        """Return the settings of the Filmroll of that name, with what they sign with."""
        aws = self.ministack.endpoint
        return CREDENTIALS | {
            "FILMROLL_BLOBS": f"s3://filmroll/{name}?endpoint={self.seaweedfs.endpoint}",
            "FILMROLL_CATALOG": f"dynamodb://filmroll-{name}?endpoint={aws}",
            "FILMROLL_QUEUE": f"sqs://filmroll-{name}?endpoint={aws}",
        }


def create_stores(variables: Mapping[str, str]) -> None:
    """Run ``filmroll init``."""
    subprocess.run(
        [sys.executable, "-m", "filmroll", "init"],
        env=clean_environment() | dict(variables),
        check=True,
        stdout=subprocess.DEVNULL,
    )


class Role(Server):
    """A process of one role, with a folder of its own."""

    def __init__(
        self, role: str, folder: Path, port: int, variables: Mapping[str, str], program: list[str]
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "FILMROLL_DATA": str(folder),
            "FILMROLL_PORT": str(port),
            "FILMROLL_LOG": "json",
        }
        super().__init__(
            [*program, role],
            folder,
            self._answers,
            **{**variables, **settings},
        )

    def _answers(self) -> bool:
        return status(f"{self.url}/readyz") == 200


class Cluster:
    """Two processes of each role behind one address."""

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        port: int | None = None,
        module: str = "filmroll",
        python: str = sys.executable,
    ) -> None:
        """``variables`` name the stores; ``module`` is what ``python -m`` runs."""
        ports = free_ports(_COPIES * len(ROLES))
        of = {role: ports[n * _COPIES : (n + 1) * _COPIES] for n, role in enumerate(ROLES)}
        self.data = folder
        self.balancer = Caddy(
            folder / "balancer",
            port or free_port(),
            upload_apis=of["upload-api"],
            download_apis=of["download-api"],
            workers=of["worker"],
        )
        self.url = self.balancer.url
        self.variables = {
            **variables,
            "FILMROLL_WORKER_URL": self.balancer.worker_url,
            "FILMROLL_INTERNAL_TOKEN": secrets.token_urlsafe(32),
            "FILMROLL_PUBLIC_URL": self.url,
        }
        self.roles = {
            role: [
                Role(role, folder / f"{role}-{port}", port, self.variables, [python, "-m", module])
                for port in of[role]
            ]
            for role in ROLES
        }

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            create_stores(self.variables)
            for role in ROLES:
                for process in self.roles[role]:
                    stack.enter_context(process)
            stack.enter_context(self.balancer)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def client(self, **options: Any) -> httpx.Client:
        """Return a client of it, by way of the load balancer."""
        return client(self.url, **options)


def main() -> None:
    """Run a cluster until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("filmroll-cluster"))
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    folder = arguments.data.resolve()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        SeaweedFS(folder / "seaweedfs") as seaweedfs,
        MiniStack(folder / "ministack") as ministack,
        Cluster(
            folder, Stores(seaweedfs, ministack).variables("cluster"), arguments.port
        ) as cluster,
    ):
        print(f"A cluster of Filmroll is ready: {cluster.url}")
        print(f"  data     {folder}")
        for role, processes in cluster.roles.items():
            print(f"  {role:12} {' '.join(process.url for process in processes)}")
        print(f"  S3       {seaweedfs.endpoint}")
        print(f"  SQS, DynamoDB {ministack.endpoint}")
        print("  stop it with Ctrl-C")
        sys.stdout.flush()
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("stopping")


if __name__ == "__main__":
    main()
