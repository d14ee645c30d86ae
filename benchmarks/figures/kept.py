"""A variant that is kept, asked for again and again, beside nginx with the same file."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path

from benchmarks.client import ask, connect, upload
from benchmarks.figures.uploads import Uploads
from benchmarks.missing import Wrong
from benchmarks.open_loop import Generator, Latency
from benchmarks.photographs import photographs, small, with_serial
from benchmarks.results import Row
from benchmarks.rounds import Spread, alternate
from benchmarks.servers import Server, filmroll, nginx, running
from benchmarks.wrk import wrk
from deploy.local.process import free_port

TITLE = "Kept variant, GET, 64 connections, beside nginx with the same file"

_BARE = "granian with an application that only answers"
_SHARE = 0.6
_SLOWER = 3
_OPEN_RATE = 500  # a second
_IDLE = f"{_OPEN_RATE} a second, idle"
_FLOODED = "the same in a flood of uploads"
_UPLOADS = "uploads of 80 KB, 32 connections"
_CONNECTIONS = 64
_SECONDS = 5


def run(folder: Path, rounds: int) -> list[Row]:
    """Measure both in turn."""
    photograph = photographs(folder.parent / "photographs")[0]
    with ExitStack() as stack:
        own = stack.enter_context(filmroll(folder))
        path = f"/i/{upload(own, [photograph])[0]}/resize:width=512"
        picture = _body(own, path)
        rival = stack.enter_context(_nginx(folder, picture))
        bare = stack.enter_context(_bare(folder))
        subjects = {
            "Filmroll": lambda: _rate(own, path, picture),
            "nginx": lambda: _rate(rival, "/picture.jpg", picture),
            _BARE: lambda: _rate(bare, "/picture.jpg", picture),
        }
        reached = alternate(subjects, rounds)
        beside = _beside_uploads(own, path, folder, photograph, rounds)
    share = reached["Filmroll"].median / reached["nginx"].median
    note = f"{len(picture):,} bytes"
    return [
        *(Row.of(name, spread, "/s", note=note) for name, spread in reached.items()),
        Row(
            subject="Filmroll : nginx",
            value=round(share, 2),
            unit="× as fast",
            limit=f"≥ {_SHARE}",
            met=share >= _SHARE,
        ),
        *beside,
    ]


def _beside_uploads(
    server: Server, path: str, folder: Path, photograph: Path, rounds: int
) -> list[Row]:
    """Measure the latency alone, and while 32 connections upload 80 KB all the time, in turn."""
    flood = Uploads(
        server,
        folder / "flood",
        with_serial(small(photograph, 640), 80_000),
        {"TARGET": "/v1/images"},
    )
    last: dict[str, Latency] = {}
    rates: list[float] = []

    def looked(subject: str) -> float:
        last[subject] = asyncio.run(_open_loop(server, path))
        return last[subject].p99

    def flooded() -> float:
        with ThreadPoolExecutor(1) as pool:
            flooding = pool.submit(flood.measure)
            p99 = looked(_FLOODED)
            rates.append(flooding.result())
        return p99

    subjects = {_IDLE: lambda: looked(_IDLE), _FLOODED: flooded, _UPLOADS: flood.measure}
    reached = alternate(subjects, rounds)
    times = reached[_FLOODED].median / reached[_IDLE].median
    met = times <= _SLOWER
    return [
        *(Row.of(name, reached[name], "ms p99", note=f"at last {last[name]}") for name in last),
        Row.single("in the flood : idle", times, "× p99", limit=f"≤ {_SLOWER}", met=met),
        Row.of(_UPLOADS, reached[_UPLOADS], "/s"),
        Row.of(f"{_UPLOADS}, beside who looks", Spread.of(rates[1:]), "/s"),
    ]


async def _open_loop(server: Server, path: str) -> Latency:
    with closing(Generator(server.url)) as generator:
        answers = await generator.send([path] * (_OPEN_RATE * _SECONDS), _OPEN_RATE)
    if {one.status for one in answers} != {200}:
        raise Wrong("a kept variant was not delivered")
    return Latency.of(answers)


def _nginx(folder: Path, picture: bytes) -> AbstractContextManager[Server]:
    root = folder / "root"
    root.mkdir()
    (root / "picture.jpg").write_bytes(picture)
    port = free_port()
    http = f"server {{ listen 127.0.0.1:{port}; root {root}; }}"
    return nginx(folder / "nginx", port, http, workers=2)


def _bare(folder: Path) -> AbstractContextManager[Server]:
    port, file = free_port(), str(folder / "root" / "picture.jpg")
    command = [sys.executable, "-m", "benchmarks.bare", str(port), file]
    return running(command, port, folder / "bare.log")


def _rate(server: Server, path: str, picture: bytes) -> float:
    """Measure, and check the bytes by their number on the way and one by one at the end."""
    load = wrk(server.url + path, _CONNECTIONS, _SECONDS)
    if load.bytes < load.requests * len(picture) or _body(server, path) != picture:
        raise Wrong(f"{server.url}{path} sent something else than the picture")
    return load.rate


def _body(server: Server, path: str) -> bytes:
    with closing(connect(server)) as connection:
        return ask(connection, "GET", path)
