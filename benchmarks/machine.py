"""What was measured on, and what else it did meanwhile: results mean nothing without it."""

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
_IDLE_PERCENT = 5
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor time so far, in seconds: of all there is, used by anyone, used by us."""

    total: float
    used: float
    ours: float

    @classmethod
    def now(cls) -> "Spent":
        """Return it; ours holds that of ended children, so ask while none are running."""
        with Path("/proc/stat").open() as file:
            ticks = [int(field) for field in file.readline().split()[1:9]]
        idle = ticks[3] + ticks[4]  # waiting for a disk is idling, too
        return cls(sum(ticks) / _TICKS, (sum(ticks) - idle) / _TICKS, sum(os.times()[:4]))

    def others_since(self, start: "Spent") -> float:
        """Return the share of all processor time that others used between two moments."""
        others = (self.used - start.used) - (self.ours - start.ours)
        return max(0.0, others / (self.total - start.total))


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The machine, and how much of its processors others used during a figure."""

    at: str
    commit: str
    processor: str
    cores: int
    memory_mib: int
    kernel: str
    others_percent: int

    @property
    def idle(self) -> bool:
        """Whether the clock measured what it should: nothing else was going on."""
        return self.others_percent <= _IDLE_PERCENT


def facts(start: Spent) -> Machine:
    """Return them for what was measured since ``start``."""
    return Machine(
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        commit=_commit(),
        processor=_field("/proc/cpuinfo", "model name"),
        cores=len(os.sched_getaffinity(0)),
        memory_mib=int(_field("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        kernel=platform.release(),
        others_percent=round(100 * Spent.now().others_since(start)),
    )


def _field(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "?")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
