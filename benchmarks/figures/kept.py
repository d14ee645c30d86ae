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
from benchmarks.rounds import alternate
from benchmarks.servers import Server, filmroll, nginx, running
from benchmarks.wrk import wrk
from deploy.local.process import free_port

TITLE = "Kept variant, GET, 64 connections, beside nginx with the same file"

_BARE = "granian with an application that only answers"
_SHARE = 0.6
_SLOWER = 3
_OPEN_RATE = 500  # a second
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
        idle, flooded = _beside_uploads(own, path, folder, photograph)
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
        Row.single(f"{_OPEN_RATE} a second, idle", idle.p99, "ms p99", note=str(idle)),
        Row.single("the same in a flood of uploads", flooded.p99, "ms p99", note=str(flooded)),
        Row.single(
            "in the flood : idle",
            flooded.p99 / idle.p99,
            "× p99",
            limit=f"≤ {_SLOWER}",
            met=flooded.p99 <= _SLOWER * idle.p99,
        ),
    ]


def _beside_uploads(
    server: Server, path: str, folder: Path, photograph: Path
) -> tuple[Latency, Latency]:
    """Return the latencies alone, and while 32 connections upload 80 KB all the time."""
    flood = Uploads(
        server,
        folder / "flood",
        with_serial(small(photograph, 640), 80_000),
        {"TARGET": "/v1/images"},
    )
    idle = asyncio.run(_open_loop(server, path))
    with ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(flood.measure)
        flooded = asyncio.run(_open_loop(server, path))
        flooding.result()
    return idle, flooded


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
