"""wrk, Debian's load generator."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.missing import Wrong, tool

_SCRIPTS = Path(__file__).parent / "load"


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What wrk counted; ``bytes`` are those of all answers, their headers included."""

    requests: int
    seconds: float
    bytes: int
    errors: int
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds


def wrk(url: str, connections: int, seconds: int, script: str = "report.lua", **env: str) -> Load:
    """Run wrk with two threads; raises Wrong if an answer was an error, or there was none."""
    command = [tool("wrk", "wrk"), "-t2", f"-c{connections}", f"-d{seconds}s"]
    command += ["--timeout", "30s", "-s", script, url]
    done = subprocess.run(
        command, cwd=_SCRIPTS, env=os.environ | env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Wrong(f"wrk {url}: {done.stdout}{done.stderr}")
    load = Load(**json.loads(done.stdout.splitlines()[-1]))
    if load.errors or not load.requests:
        raise Wrong(f"wrk {url}: {load}")
    return load
