"""A server of somebody else's in a process of its own, on the loopback address."""

import fcntl
import functools
import itertools
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

STOP_SECONDS = 45
_CHANCE = random.SystemRandom()
_LOWEST, _SYSTEMS = 10_000, 32_768  # ports; from the latter on Linux gives them to clients
_ours: set[int] = set()


def free_port() -> int:
    """Return a port as ``free_ports`` does."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int, companion: int = 0) -> list[int]:
    """Return ports that nobody listens on now, all of them different.

    Free is, too, the port that lies ``companion`` above each. They are below those that the system
    gives to clients: nobody gets one of them by chance before it is used. Nor does another process
    that asks here: a port belongs to who got it for as long as that process lives, also while what
    listens on it is started again.
    """
    candidates = _CHANCE.sample(range(_LOWEST, _SYSTEMS - companion), 20 * count + 50)
    free = (
        port
        for port in candidates
        if _reserved(port) and (not companion or _reserved(port + companion))
    )
    return list(itertools.islice(free, count))


def _reserved(port: int) -> bool:
    """Whether a port is this process's from now on: nobody listens on it, nor has it reserved."""
    if port in _ours:
        return False
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    _ours.add(port)
    return True


@functools.cache
def _reservations() -> BinaryIO:
    """Return a file whose byte N is locked by the process that port N belongs to."""
    return (Path(tempfile.gettempdir()) / f"filmroll-ports-{os.getuid()}").open("ab")


def clean_environment() -> dict[str, str]:
    """Return this environment without settings of Filmroll's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FILMROLL_")}


class Server:
    """A program that is started, asked whether it is ready, and ended by its process id."""

    start_seconds = 60.0

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        ready: Callable[[], bool],
        log: Path | None = None,
        **variables: str,
    ) -> None:
        """``folder`` is where it works; by default its ``log`` lies there, too."""
        self.folder = folder
        self.log = log or folder / "server.log"
        self.command = list(command)
        self._ready = ready
        self._variables = variables
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None:
            self.stop()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=clean_environment() | self._variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + self.start_seconds
        while not self._ready():
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < deadline, self.log.read_text()[-4000:]
            time.sleep(0.05)

    def stop(self) -> int:
        """Ask it to stop, wait for it, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        self.process = None
        return code

    def kill(self) -> int:
        """End it at once, as a power cut would: nothing in it runs any more."""
        assert self.process is not None
        self.process.kill()
        code = self.process.wait()
        self.process = None
        return code
