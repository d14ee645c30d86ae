"""100,000 files of 4 KB: pushed, pushed again, one request each; beside peers and the disk."""

import itertools
import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks import disk, peers
from benchmarks.client import ask, connect
from benchmarks.missing import Missing, Wrong
from benchmarks.photographs import SERIAL_DIGITS, photographs, small, with_serial
from benchmarks.processes import memory, peak
from benchmarks.push import Pushed, push
from benchmarks.results import Row
from benchmarks.rounds import Spread
from benchmarks.servers import Server, filmroll
from benchmarks.small_files import small_files
from benchmarks.wrk import wrk

TITLE = "Bulk: 100,000 files of 4 KB, all durable when acknowledged"

_FILES = 100_000
_CONNECTIONS = 32
_SECONDS = 8
_JSON = "application/json"
_PUSH, _AGAIN = "filmroll push", "filmroll push again, when all are there"
_ONE = "one PUT each, 32 connections"
_SERVICE, _CLIENT = "memory of the service, peak", "memory of the client, peak"
# Unit, the least and the most that is allowed.
_LIMITS: dict[str, tuple[str, int | None, int | None]] = {
    _PUSH: ("s", None, 60),
    _AGAIN: ("s", None, 15),
    _ONE: ("/s", 900, None),
    _SERVICE: ("MiB", None, 300),
    _CLIENT: ("MiB", None, 200),
}
_NUMBERS = itertools.count(1)  # of measurements; each sends bodies that none before it sent


def run(folder: Path, rounds: int) -> list[Row]:
    """Push into a fresh service in each round; measure the others in between."""
    source = small_files(folder.parent / f"small-{_FILES}", _FILES)
    template = with_serial(small(photographs(folder.parent / "photographs")[0], 96), 4096)
    reached: dict[str, list[float]] = {}
    skipped = []
    with ExitStack() as stack:
        rates: dict[str, Callable[[], float]] = {
            "cp, then an fsync of each": lambda: _copied(source, folder),
            "the disk, 32 share a syncfs": lambda: disk.in_groups(folder, template[0]),
        }
        for name, start in _PEERS.items():
            try:
                rival = stack.enter_context(start(folder, 2))
                rates[name] = _by_tus(rival, folder, template)
            except Missing as missing:
                skipped.append(Row.skipped(name, missing))
        for number in range(rounds):
            inner = folder / f"round-{number}"
            inner.mkdir()
            with filmroll(inner) as server:
                _measure(server, source, inner, template, reached)
            for name, measure in rates.items():
                reached.setdefault(name, []).append(measure())
            shown = ", ".join(f"{name} {found[-1]:,.1f}" for name, found in reached.items())
            print(f"  round {number + 1}: {shown}", flush=True)
    return [*(_row(name, found) for name, found in reached.items()), *skipped]


def _measure(
    server: Server,
    source: Path,
    folder: Path,
    template: tuple[bytes, int],
    reached: dict[str, list[float]],
) -> None:
    first = push(server, source)
    _check(server, first, sent=_FILES)
    again = push(server, source)
    _check(server, again, sent=0)
    found = {
        _PUSH: first.seconds,
        _AGAIN: again.seconds,
        _SERVICE: peak(server.pids[0]),
        _CLIENT: max(first.memory, again.memory),
        _ONE: _one_by_one(server, folder, template),
    }
    for name, value in found.items():
        reached.setdefault(name, []).append(value)
    print(f"    memory of all processes now: {sum(memory(server.pids[0])):.0f} MiB", flush=True)


def _check(server: Server, pushed: Pushed, sent: int) -> None:
    """Hold what the client says against the ledger."""
    summary = pushed.summary
    with closing(connect(server)) as connection:
        batch = json.loads(ask(connection, "GET", f"/v1/batches/{summary['batch']}"))
    counts = batch["counts"]
    wanted = {"declared": _FILES, "succeeded": _FILES, "failed": 0, "bytes": _FILES * 4096}
    if summary["sent"] != sent or {name: counts[name] for name in wanted} != wanted:
        raise Wrong(f"{summary} and {counts} do not agree")


def _one_by_one(server: Server, folder: Path, template: tuple[bytes, int]) -> float:
    with closing(connect(server)) as connection:
        batch = json.loads(ask(connection, "POST", "/v1/batches", b"{}", 201, media_type=_JSON))[
            "id"
        ]
    target = {"TARGET": f"/v1/batches/{batch}/items/", "METHOD": "PUT", "REFS": "1"}
    rate = _wrk(server, folder, template, **target)
    with closing(connect(server)) as connection:
        counts = json.loads(ask(connection, "GET", f"/v1/batches/{batch}"))["counts"]
    answered = sum(len(path.read_text().splitlines()) for path in folder.glob("answers-*"))
    if not answered <= counts["stored"] == counts["declared"] <= answered + _CONNECTIONS:
        raise Wrong(f"{answered} were answered, but {counts}")
    return rate


def _by_tus(server: Server, folder: Path, template: tuple[bytes, int]) -> Callable[[], float]:
    inner = folder / f"load-{server.port}"
    inner.mkdir()
    return lambda: _wrk(server, inner, template, TARGET="/files", TUS="1")


def _wrk(server: Server, folder: Path, template: tuple[bytes, int], **environment: str) -> float:
    body, offset = template
    (folder / "body").write_bytes(body)
    environment |= {
        "BODY": str(folder / "body"),
        "OFFSET": str(offset),
        "DIGITS": str(SERIAL_DIGITS),
        "FIRST": str(next(_NUMBERS) * 10_000_000),
        "OUT": str(folder / "answers-"),
    }
    load = wrk(server.url, _CONNECTIONS, _SECONDS, "upload.lua", **environment)
    lines = "".join(path.read_text() for path in folder.glob("answers-*")).splitlines()
    statuses = {line.split()[0] for line in lines}
    if statuses != {"201"}:
        raise Wrong(f"not every answer was 201: {statuses}")
    return load.rate


def _copied(source: Path, folder: Path) -> float:
    """Return files per second of a copy by 4 threads that syncs each file."""
    target = folder / f"copies-{next(_NUMBERS)}"
    files = sorted(source.glob("00[0-9]/*.jpg"))  # a tenth: the rate is the same
    for inner in {path.parent.name for path in files}:
        (target / inner).mkdir(parents=True)
    start = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda path: _copy(path, target / path.parent.name / path.name), files):
            pass
    return len(files) / (time.perf_counter() - start)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    disk.sync(target)


_PEERS: dict[str, Callable[..., object]] = {
    f"{peers.npm_version('@tus/server')} without fsync, one POST each": peers.tus,
    f"{peers.pip_version('tuspyserver')} without fsync, one POST each": peers.tuspyserver,
}


def _row(name: str, found: list[float]) -> Row:
    spread = Spread.of(found)
    unit, least, most = _LIMITS.get(name, ("/s", None, None))
    note = ""
    if unit == "s":
        note = f"{_FILES / spread.median:,.0f} files/s; ledger, sums and summary agree"
    elif unit == "/s":
        note = f"100,000 would take {_FILES / spread.median:,.0f} s"
    if most is not None:
        met, limit = spread.median <= most, f"≤ {most}"
    elif least is not None:
        met, limit = spread.median >= least, f"≥ {least}"
    else:
        return Row.of(name, spread, unit, note=note)
    return Row.of(name, spread, unit, limit=limit, met=met, note=note)
