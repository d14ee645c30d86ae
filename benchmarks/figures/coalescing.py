"""Many ask for the same picture at the same moment, and nobody has made it yet."""

import itertools
import statistics
from contextlib import closing
from pathlib import Path

from benchmarks.client import fetch, upload
from benchmarks.crowd import Crowd
from benchmarks.photographs import photographs
from benchmarks.results import Row
from benchmarks.rounds import alternate
from benchmarks.servers import Server, filmroll

TITLE = "64 clients ask at once for one cold variant, 2,040 px → 512 px, beside one client"

_CLIENTS = 64
_TIMES = 1.3
_EACH = 20  # pictures in a round


def run(folder: Path, rounds: int) -> list[Row]:
    """Measure in turn how long the last of them waits."""
    files = photographs(folder.parent / "photographs")[:20]
    with filmroll(folder) as server:
        images = upload(server, files)
        cold = (
            f"/i/{image}/resize:width={width}/output:format=jpeg,quality=80"
            for width in itertools.count(512, -1)
            for image in images
        )
        subjects = {
            "one client": lambda: _milliseconds(server, list(itertools.islice(cold, _EACH)), 1),
            "the last of 64": lambda: _milliseconds(
                server, list(itertools.islice(cold, _EACH)), _CLIENTS
            ),
            "64 of a kept one": lambda: _kept(server, images[0]),
        }
        reached = alternate(subjects, rounds)
    # That 64 answers leave at all takes its time; the picture itself is to be made only once.
    made = reached["the last of 64"].median - reached["64 of a kept one"].median
    times = reached["the last of 64"].median / reached["one client"].median
    return [
        *(Row.of(subject, spread, "ms") for subject, spread in reached.items()),
        Row(
            subject="the last of 64 : one client",
            value=round(times, 2),
            unit="×",
            limit=f"≤ {_TIMES}",
            met=times <= _TIMES,
            note=f"{made:.1f} ms, but for what 64 answers take once it is kept",
        ),
    ]


def _milliseconds(server: Server, paths: list[str], clients: int) -> float:
    """Return how long it takes on average until all clients have a picture."""
    with closing(Crowd(server, clients)) as crowd:
        return statistics.mean(crowd.ask(path) for path in paths) * 1000


def _kept(server: Server, image: str) -> float:
    path = f"/i/{image}/resize:width=300"
    fetch(server, [path], 1)
    return _milliseconds(server, [path] * _EACH, _CLIENTS)
