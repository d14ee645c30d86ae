"""More than can be done: five times as many cold variants as there is capacity for."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.client import fetch, upload
from benchmarks.missing import Wrong
from benchmarks.open_loop import Answer, Generator, Latency
from benchmarks.photographs import photographs
from benchmarks.results import Row
from benchmarks.rounds import Spread
from benchmarks.servers import Server, filmroll

TITLE = "Overload: cold variants of 2,040 px photographs, five times the capacity, open loop"

_MEASURED = 200  # cold variants, to find the capacity
_SECONDS = 10
_TIMES = 5
_LOAD = 0.7
_KEPT_RATE = 100  # a second
_SHARE = 0.9
_SLOWER = 3


def run(folder: Path, rounds: int) -> list[Row]:
    """Find the capacity, then ask for more; every round has pictures that nobody asked for yet."""
    files = photographs(folder.parent / "photographs")
    with filmroll(folder) as server:
        images = upload(server, files)
        cold = never_asked_for(images)
        kept = f"/i/{images[0]}/resize:width=300/output:format=webp"
        fetch(server, [kept], 1)
        found = [asyncio.run(_round(server, cold, kept)) for _ in range(rounds)]
    return list(_rows(found))


def never_asked_for(images: Sequence[str]) -> Iterator[str]:
    """Yield paths of variants, a pixel narrower with every turn."""
    for width in itertools.count(512, -1):
        for image in images:
            yield f"/i/{image}/resize:width={width}/output:format=jpeg,quality=80"


class _Round:
    """What one round came to."""

    def __init__(self, capacity: float) -> None:
        self.capacity = capacity
        self.usual: list[Answer] = []  # cold, at 70 %
        self.idle: list[Answer] = []  # kept, alone
        self.flood: list[Answer] = []  # cold, at five times
        self.beside: list[Answer] = []  # kept, beside the flood

    @property
    def goodput(self) -> float:
        """Cold variants that were delivered in the flood, a second of it."""
        done = sum(one.status == 200 for one in self.flood)
        return done / _SECONDS


async def _round(server: Server, cold: Iterator[str], kept: str) -> _Round:
    burst = fetch(server, list(itertools.islice(cold, _MEASURED)), 8)
    found = _Round(burst.rate)
    known = [kept] * (_KEPT_RATE * _SECONDS)
    with closing(Generator(server.url)) as generator:
        usual = list(itertools.islice(cold, int(burst.rate * _LOAD * _SECONDS)))
        found.usual = await generator.send(usual, burst.rate * _LOAD)
        found.idle = await generator.send(known, _KEPT_RATE)
        flood = list(itertools.islice(cold, int(burst.rate * _TIMES * _SECONDS)))
        found.flood, found.beside = await asyncio.gather(
            generator.send(flood, burst.rate * _TIMES), generator.send(known, _KEPT_RATE)
        )
    for what in ("usual", "idle", "beside", "flood"):
        statuses = Counter(one.status for one in getattr(found, what))
        if not statuses.keys() <= ({200, 503} if what == "flood" else {200}):
            raise Wrong(f"answers to {what}: {statuses}")
    print(f"  {found.capacity:.1f}/s, in the flood {found.goodput:.1f}/s", flush=True)
    return found


def _rows(found: Sequence[_Round]) -> Iterator[Row]:
    capacity = Spread.of([one.capacity for one in found])
    goodput = Spread.of([one.goodput for one in found])
    usual, idle, flood, beside = (
        Latency.of([answer for one in found for answer in getattr(one, of)])
        for of in ("usual", "idle", "flood", "beside")
    )
    yield Row.of("capacity, 8 connections", capacity, "/s")
    yield Row.single("cold variants at 70 % of it", usual.p99, "ms p99", note=str(usual))
    yield Row.of("delivered at 5 × the capacity", goodput, "/s", note=f"{flood}; the rest 503")
    share = Spread.of([one.goodput / one.capacity for one in found])
    met = share.median >= _SHARE
    yield Row.of("delivered : capacity", share, "×", limit=f"≥ {_SHARE}", met=met)
    yield Row.single("kept variants, idle", idle.p99, "ms p99", note=str(idle))
    yield Row.single("kept variants, in the flood", beside.p99, "ms p99", note=str(beside))
    times = beside.p99 / idle.p99
    met = times <= _SLOWER
    yield Row.single("in the flood : idle", times, "× p99", limit=f"≤ {_SLOWER}", met=met)
