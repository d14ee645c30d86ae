"""A variant that is kept, asked for again and again, beside nginx with the same file."""

from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path

from benchmarks.client import ask, connect, upload
from benchmarks.missing import Wrong
from benchmarks.photographs import photographs
from benchmarks.results import Row
from benchmarks.rounds import alternate
from benchmarks.servers import Server, filmroll, free_port, nginx
from benchmarks.wrk import wrk

TITLE = "Kept variant, GET, 64 connections, beside nginx with the same file"

_SHARE = 0.4
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
        subjects = {
            "Filmroll": lambda: _rate(own, path, picture),
            "nginx": lambda: _rate(rival, "/picture.jpg", picture),
        }
        reached = alternate(subjects, rounds)
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
    ]


def _nginx(folder: Path, picture: bytes) -> AbstractContextManager[Server]:
    root = folder / "root"
    root.mkdir()
    (root / "picture.jpg").write_bytes(picture)
    port = free_port()
    http = f"server {{ listen 127.0.0.1:{port}; root {root}; }}"
    return nginx(folder / "nginx", port, http, workers=2)


def _rate(server: Server, path: str, picture: bytes) -> float:
    """Measure, and check the bytes by their number on the way and one by one at the end."""
    load = wrk(server.url + path, _CONNECTIONS, _SECONDS)
    if load.bytes < load.requests * len(picture) or _body(server, path) != picture:
        raise Wrong(f"{server.url}{path} sent something else than the picture")
    return load.rate


def _body(server: Server, path: str) -> bytes:
    with closing(connect(server)) as connection:
        return ask(connection, "GET", path)
