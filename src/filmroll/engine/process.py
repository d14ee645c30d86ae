"""One child process, seen by its parent."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from filmroll.engine import dialogue
from filmroll.engine.faults import too_much_memory, too_slow
from filmroll.errors import EngineCrashed, FilmrollError
from filmroll.limits import Limits

_PAGE = os.sysconf("SC_PAGE_SIZE")
_LAST_WORDS = 4096  # bytes of standard error that are worth a log line
_MEMORY_WORDS = ("failed to allocate", "out of memory", "Cannot allocate memory", "MemoryError")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """What one child may use."""

    limits: Limits = field(default_factory=Limits)
    seconds: float = 30.0  # CPU time of one job
    stretch: float = 1.0  # wall time : CPU time
    memory: int = 2 << 30  # bytes of address space
    output: int = 256 << 20  # bytes of all pictures of one job
    jobs: int = 2_000  # then a fresh process takes over: leaks of C libraries end with it
    resident: int = 512 << 20  # bytes kept after a job; a child that holds more is replaced
    niceness: int = 5  # whoever hands out the work, and answers everybody else, comes first


class ChildProcess:
    """A child and the socket to it. Start it from the thread of the event loop."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._process, self._socket = _spawn(bounds)
        self._statm = Path(f"/proc/{self._process.pid}/statm").open(  # noqa: SIM115 -- lives with the child
            "rb", buffering=0
        )
        self._talk = asyncio.Lock()
        self._end: asyncio.Task[None] | None = None
        self.jobs = 0

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has had; 0 if it is gone."""
        try:
            return time.clock_gettime(_cpu_clock(self.pid))
        except OSError:
            return 0.0

    @property
    def worn(self) -> bool:
        """Whether it has done enough, or holds too much memory."""
        pages = int(os.pread(self._statm.fileno(), 64, 0).split()[1])
        return self.jobs >= self._bounds.jobs or pages * _PAGE > self._bounds.resident

    async def ready(self) -> None:
        """Wait until it takes requests. Raises Hangup if it never will."""
        async with self._talk:
            await dialogue.answer(self._socket, self._bounds.output)

    async def ask(
        self, request: dict[str, Any], descriptors: Sequence[int]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Have it do a job. Raises Hangup if it dies of it."""
        self.jobs += 1
        async with self._talk:
            await dialogue.ask(self._socket, request, descriptors)
            return await dialogue.answer(self._socket, self._bounds.output)

    def kill(self) -> "asyncio.Task[None]":
        """End it, whatever it does; the task is done when nothing is left of it."""
        if self._end is None:
            self._process.kill()
            self._end = asyncio.create_task(self._reap())
        return self._end

    async def _reap(self) -> None:
        await asyncio.to_thread(self._process.wait)
        async with self._talk:  # whoever listens still has to hear the end before the socket goes
            self._close()

    async def autopsy(self) -> FilmrollError:
        """Return what it died of. The last words are the error's cause, not its public text."""
        code = await asyncio.to_thread(self._wait_briefly)
        said = self._last_words()
        self._close()
        error = _cause_of_death(code, said, self._bounds)
        error.__cause__ = RuntimeError(f"exit code {code}: {said}")
        return error

    def _wait_briefly(self) -> int:
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout=1)
        self._process.kill()
        return self._process.wait()

    def _last_words(self) -> str:
        stderr = self._process.stderr
        assert stderr is not None
        os.set_blocking(stderr.fileno(), False)
        return (stderr.read(_LAST_WORDS) or b"").decode(errors="replace").strip()

    def _close(self) -> None:
        self._socket.close()
        self._statm.close()
        assert self._process.stderr is not None
        self._process.stderr.close()


def _cpu_clock(pid: int) -> int:
    """Return the id of the clock that a process' CPU time is read from, as Linux numbers them.

    glibc's clock_getcpuclockid, which Python does not have. /proc says the same, but has to be
    opened, read and parsed: a fifth of what a job costs its supervisor.
    """
    return (~pid << 3) | 2


def _spawn(bounds: Bounds) -> tuple[subprocess.Popen[bytes], socket.socket]:
    settings = {
        "limits": asdict(bounds.limits),
        "memory": bounds.memory,
        "output": bounds.output,
        "seconds": bounds.seconds,
        "niceness": bounds.niceness,
    }
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003 -- the library's signature
    with theirs:
        process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            [sys.executable, "-I", "-m", "filmroll.engine.child", json.dumps(settings)],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(bounds.memory),
            cwd="/",
            close_fds=True,
            bufsize=0,
        )
    return process, ours


def _environment(memory: int) -> dict[str, str]:
    """Return all that a child knows of the machine: nothing of the service's own settings."""
    return {
        "LC_ALL": "C.UTF-8",
        "VIPS_CONCURRENCY": "1",  # parallelism comes from several children
        "VIPS_BLOCK_UNTRUSTED": "1",
        # libvips would put large pictures into files, which are forbidden; so none is as large.
        "VIPS_DISC_THRESHOLD": f"{(memory >> 20) + 1}m",
        "VIPS_WARNING": "0",
        "FONTCONFIG_FILE": str(files("filmroll.engine") / "fonts" / "fonts.conf"),
        "OPENBLAS_NUM_THREADS": "1",  # comes with the face detector, which has no use for it
        "MALLOC_ARENA_MAX": "2",  # libvips' threads are short-lived; arenas for each only grow
    }


def _cause_of_death(code: int, said: str, bounds: Bounds) -> FilmrollError:
    if code == -signal.SIGXCPU:
        return too_slow(bounds.seconds)
    if any(words in said for words in _MEMORY_WORDS):
        return too_much_memory()
    how = f"by signal {-code}" if code < 0 else f"with code {code}"
    return EngineCrashed(f"The decoder ended {how} on this image.")
