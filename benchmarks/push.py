"""``filmroll push`` as a whole process: how long it took, and what it used."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.missing import Wrong
from benchmarks.servers import Server


@dataclass(frozen=True, kw_only=True, slots=True)
class Pushed:
    """One run. ``memory`` in MiB, times in seconds."""

    seconds: float
    processor: float
    memory: float
    summary: dict[str, object]


def push(server: Server, source: Path, *options: str) -> Pushed:
    """Push a folder; raises Wrong unless everything arrived."""
    command = [sys.executable, "-m", "filmroll", "push", str(source), "--json", "--quiet"]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, *options],
        env=os.environ | {"FILMROLL_URL": server.url},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise Wrong(f"filmroll push ended with {status}: {printed}")
    return Pushed(
        seconds=seconds,
        processor=used.ru_utime + used.ru_stime,
        memory=used.ru_maxrss / 1024,
        summary=json.loads(printed.splitlines()[-1]),
    )
