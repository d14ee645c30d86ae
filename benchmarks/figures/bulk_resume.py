"""100,000 files pushed; service and client killed half way; started and pushed again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from benchmarks.client import ask, connect
from benchmarks.missing import Wrong
from benchmarks.push import push
from benchmarks.results import Row
from benchmarks.servers import Server, filmroll
from benchmarks.small_files import small_files

TITLE = "Bulk: kill -9 of service and client half way through 100,000 files, then push again"

_FILES = 100_000
_SAMPLE = 500
_LOOK_SECONDS = 0.2


def run(folder: Path, rounds: int) -> list[Row]:
    """Push, kill, push again; then hold ledger, catalog and a sample of the bytes to the files."""
    del rounds  # there is nothing to alternate with
    source = small_files(folder.parent / f"small-{_FILES}", _FILES)
    before = _killed_half_way(folder, source)
    with filmroll(folder) as server:
        there = _counts(server)
        again = push(server, source)
        counts = _counts(server)
        doubled = _FILES - len(_checked(server, source))
    sent = int(str(again.summary["sent"]))
    lost = _FILES - counts["succeeded"]
    if lost or doubled or sent + there["stored"] != _FILES:
        raise Wrong(f"{there} were there, {sent} sent again, {counts} in the end")
    return [
        Row.single("until both were killed", before, "s"),
        Row.single("in the ledger after that", there["stored"], "files"),
        Row.single("the second push", again.seconds, "s"),
        Row.single("of these sent again", sent, "files"),
        Row.single("lost", lost, "files"),
        Row.single("doubled", doubled, "files", note=f"{_SAMPLE} read back with their sha256"),
    ]


def _killed_half_way(folder: Path, source: Path) -> float:
    """Push until half of the files are there, then kill everything; return the seconds."""
    with filmroll(folder) as server:
        command = [sys.executable, "-m", "filmroll", "push", str(source), "--quiet"]
        start = time.perf_counter()
        client = subprocess.Popen(command, env=os.environ | {"FILMROLL_URL": server.url})
        while _counts(server).get("stored", 0) < _FILES // 2:
            time.sleep(_LOOK_SECONDS)
        os.kill(server.pids[0], signal.SIGKILL)
        client.kill()
        client.wait()
        return time.perf_counter() - start


def _counts(server: Server) -> dict[str, int]:
    with closing(connect(server)) as connection:
        batches = json.loads(ask(connection, "GET", "/v1/batches"))["items"]
    return dict(batches[0]["counts"]) if batches else {}


def _checked(server: Server, source: Path) -> set[str]:
    """Return the images that the ledger names; every ref has to have its file's digest."""
    with closing(connect(server)) as connection:
        batch = json.loads(ask(connection, "GET", "/v1/batches"))["items"][0]["id"]
        text = ask(connection, "GET", f"/v1/batches/{batch}/results")
        lines = [json.loads(line) for line in text.splitlines()]
        if len({line["ref"] for line in lines}) != _FILES:
            raise Wrong(f"{len(lines)} lines for {_FILES} files")
        for line in lines:
            if sha256((source / line["ref"]).read_bytes()).hexdigest() != line["sha256"]:
                raise Wrong(f"{line} does not fit its file")
        for line in random.sample(lines, _SAMPLE):
            body = ask(connection, "GET", f"/i/{line['image']}")
            if sha256(body).hexdigest() != line["sha256"]:
                raise Wrong(f"{line} came back with other bytes")
    return {line["image"] for line in lines}
