"""What was measured on: results mean nothing without it."""

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
_IDLE_PERCENT = 5
_SAMPLE_SECONDS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The machine, and how busy others kept it just before or after, whichever was more."""

    at: str
    commit: str
    processor: str
    cores: int
    memory_mib: int
    kernel: str
    busy_percent: int

    @property
    def idle(self) -> bool:
        """Whether the clock measures what it should: nothing else was going on."""
        return self.busy_percent <= _IDLE_PERCENT


def facts() -> Machine:
    """Return them as they are now."""
    return Machine(
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        commit=_commit(),
        processor=_field("/proc/cpuinfo", "model name"),
        cores=len(os.sched_getaffinity(0)),
        memory_mib=int(_field("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        kernel=platform.release(),
        busy_percent=busy_percent(),
    )


def busy_percent() -> int:
    """Return how much of all processors' time is used now; call it while nothing of ours runs."""
    used, total = _spent()
    time.sleep(_SAMPLE_SECONDS)
    used_then, total_then = _spent()
    return round(100 * (used_then - used) / (total_then - total))


def _spent() -> tuple[int, int]:
    with Path("/proc/stat").open() as file:
        spent = [int(field) for field in file.readline().split()[1:9]]
    idle = spent[3] + spent[4]  # waiting for a disk is idling, too
    return sum(spent) - idle, sum(spent)


def _field(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "?")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
