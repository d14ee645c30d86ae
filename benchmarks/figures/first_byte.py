"""How long an upload's answer takes, with a variant made in the same call, when all is idle."""

import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from benchmarks import direct
from benchmarks.client import connect
from benchmarks.missing import Wrong
from benchmarks.photographs import photographs
from benchmarks.results import Row
from benchmarks.rounds import Spread
from benchmarks.servers import filmroll

TITLE = "First byte of an upload's answer with one 512 px variant, idle, beyond libvips' own time"

_LIMIT_MS = 60
_WARM_UP = 5
_UPLOADS = 50
_PAUSE_SECONDS = 0.05  # so that each finds the service idle
_TARGET = "/v1/images?variant=resize:width=512/output:format=jpeg,quality=80"


def run(folder: Path, rounds: int) -> list[Row]:
    """Upload each photograph, then have libvips do the same work; ``rounds`` passes over 50."""
    files = photographs(folder.parent / "photographs")[: _WARM_UP + _UPLOADS]
    with (
        filmroll(folder) as server,
        direct.workers(1) as pool,
        closing(connect(server)) as connection,
    ):
        pairs = [_pair(connection, pool, file) for file in files * rounds]
    uploads, works = zip(*pairs[_WARM_UP:], strict=True)
    beyond = [upload - work for upload, work in pairs[_WARM_UP:]]
    return [
        Row.of("Filmroll, all of it", Spread.of(list(uploads)), "ms"),
        Row.of("libvips thumbnail, a warm process", Spread.of(list(works)), "ms"),
        *(_beyond(percent, beyond) for percent in (50, 95)),
    ]


def _pair(connection: HTTPConnection, pool: ProcessPoolExecutor, file: Path) -> tuple[float, float]:
    time.sleep(_PAUSE_SECONDS)
    upload = _first_byte(connection, file.read_bytes())
    time.sleep(_PAUSE_SECONDS)
    return upload * 1e3, pool.submit(direct.seconds, direct.by_thumbnail, file).result() * 1e3


def _first_byte(connection: HTTPConnection, body: bytes) -> float:
    """Return the seconds from the first byte sent to the head of the answer."""
    start = time.perf_counter()
    connection.request("POST", _TARGET, body)
    answer = connection.getresponse()
    seconds = time.perf_counter() - start
    content = answer.read()
    if answer.status != 201 or b'"width":512' not in content.replace(b" ", b""):
        raise Wrong(f"{answer.status} {content[:500]!r}")
    return seconds


def _beyond(percent: int, values: list[float]) -> Row:
    reached = statistics.quantiles(values, n=100)[percent - 1]
    return Row(
        subject=f"Filmroll beyond libvips, p{percent}",
        value=round(reached, 2),
        unit="ms",
        limit=f"≤ {_LIMIT_MS}",
        met=reached <= _LIMIT_MS,
    )
