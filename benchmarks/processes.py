"""What processes use, with all that they started: memory and processor time, from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> list[float]:
    """Return the MiB of a process and of each below it; shared pages count once (PSS)."""
    return [_pss(each) for each in _tree(pid)]


def peak(pid: int) -> float:
    """Return the most MiB that one process ever held; pages that it shares count in full."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and all below it, so far; of those alive now."""
    return sum(_ticks(each) for each in _tree(pid)) / _TICKS


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


def _pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _ticks(pid: int) -> int:
    # The name, in brackets, may hold anything; utime and stime are fields 14 and 15.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
