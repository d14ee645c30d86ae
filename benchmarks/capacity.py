"""``python -m benchmarks.capacity``: 10 million images a day, simulated.

What an original with its variants takes of an engine, and what the calls to the stores cost a
worker, is measured first; then scenarios run, each a simulation of discrete events that checks
that every job ends exactly once. See docs/capacity.md.
"""

import argparse
import gc
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.missing import Missing
from benchmarks.simulated import report
from benchmarks.simulated.cluster import Cluster
from benchmarks.simulated.jobs import Broken
from benchmarks.simulated.parameters import (
    Hosts,
    Mishaps,
    Scaling,
    Scenario,
    Traffic,
    Work,
)
from benchmarks.simulated.traffic import rate_at

if TYPE_CHECKING:  # it needs libvips and servers
    from benchmarks.simulated.measured import Calls, EngineTimes

WORK = Path(__file__).parent.resolve() / ".work"
_PART = 20  # of the traffic, in the scenario of a whole day
_HANDS = 3  # times as many jobs in hand, where the stores are far away
_AROUND = 210.0  # s before and after the peak


def scenarios(work: Work, seed: int) -> list[Scenario]:
    """Return what is to be run."""
    traffic = Traffic()
    peak = _peak(work, seed)
    slow = _slower(peak.scaling)
    return [
        _day(work, seed),
        peak,
        peak.but(
            name=f"Peak, {_HANDS} times as many jobs in the hands of a worker",
            hosts=Hosts(hands_factor=_HANDS),
        ),
        peak.but(
            name="Spot: half of the hosts go at the peak, half of those without notice",
            mishaps=Mishaps(spot_at=traffic.peak_at),
        ),
        peak.but(
            name="Peak, scaling twice as slow",
            scaling=slow,
            hosts_at_first=_hosts(work, slow, peak.begin),
        ),
        peak.but(
            name="Peak, all queues purged at it", mishaps=Mishaps(purge_at=traffic.peak_at)
        ),
    ]  # fmt: skip


def _peak(work: Work, seed: int) -> Scenario:
    """Return the minutes around the peak at full size, begun as the scaler would have it."""
    traffic, scaling = Traffic(), Scaling()
    begin = traffic.peak_at - _AROUND
    return Scenario(
        name="Peak × 4 with a batch of 100,000",
        begin=begin,
        end=traffic.peak_at + _AROUND,
        hosts_at_first=_hosts(work, scaling, begin),
        seed=seed,
        work=work,
    )


def _hosts(work: Work, scaling: Scaling, moment: float) -> int:
    """Return how many there are: what was wanted when those began to boot that are ready now."""
    traffic = Traffic()
    seen_at = moment - scaling.late - scaling.period - sum(scaling.boot) / 2
    busy = rate_at(traffic, seen_at) * (1 + traffic.cold) * needs(work)
    return math.ceil(busy / scaling.use / Hosts().engines)


def _slower(law: Scaling) -> Scaling:
    return replace(
        law,
        period=2 * law.period,
        late=2 * law.late,
        cooldown=2 * law.cooldown,
        boot=(2 * law.boot[0], 2 * law.boot[1]),
    )


def _day(work: Work, seed: int) -> Scenario:
    """Return a day at a part of its size: hosts are as much smaller as four engines allow.

    Few small hosts share less than many large ones, so waits come out rather too long.
    """
    return Scenario(
        name=f"A plain day: all of it at 1/{_PART}, hosts of one engine",
        part=1 / _PART,
        hosts_at_first=2,
        seed=seed,
        work=work,
        hosts=Hosts(engines=1),
        scaling=Scaling(least=2, interactive_each=50, bulk_each=750),
    )


def needs(work: Work) -> float:
    """Return seconds of a processor for one image."""
    return sum(work.engine) / len(work.engine) * work.crowding + work.loop


def run(scenario: Scenario) -> tuple[list[str], bool]:
    """Run one; return its report, and whether the promise held."""
    gc.disable()  # there are no cycles, and it would look for them among a million objects
    outcome = Cluster(scenario).run()
    try:
        outcome.tally.check()
    except Broken:
        return list(report.lines(outcome)), False
    return list(report.lines(outcome)), True


def measure() -> tuple[Work, Sequence[str]]:
    """Measure service times; return them, and what is to be said of them."""
    from benchmarks.simulated import measured  # noqa: PLC0415 - only those who measure need SDKs and engines

    times = measured.engine_times(WORK / "photographs")
    folder = WORK / "capacity"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        asked = measured.calls(folder)
    finally:
        shutil.rmtree(folder)
    work = Work(engine=times.least, loop=asked.loop)
    return work, [*_told(times), *_told_calls(asked)]


def _told(times: "EngineTimes") -> Iterator[str]:
    least = 1000 * sum(times.least) / len(times.least)
    yield f"engine, three variants of an original of {times.original_bytes:,} bytes: {least:.1f} ms"
    yield (
        f"  (mean of the least of each picture; median of all {1000 * times.medians:.1f} ms); "
        f"{times.made_bytes:,} bytes made"
    )


def _told_calls(asked: "Calls") -> Iterator[str]:
    yield f"calls to the stores, of a worker's processor: {1000 * asked.loop:.1f} ms for each job"
    yield f"the same of an Upload API's, without HTTP: {1000 * asked.upload:.1f} ms for each upload"
    yield f"calls for a single upload and its job, by the queue: {_table(asked.single)}"
    yield f"calls for an item of a batch of 64 and its job: {_table(asked.bulk)}"
    sizes = ", ".join(f"{size:,} {step}" for step, size in asked.sizes.items())
    yield f"bytes of an image's item in the catalog: {sizes}"


def _table(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {count:.2f}" for name, count in counts.items())


def _outcomes(todo: Sequence[Scenario]) -> Iterator[tuple[list[str], bool]]:
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        yield from pool.map(run, todo)


def main() -> int:
    """Measure, simulate, print; 1 if the promise was broken anywhere."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--given", action="store_true", help="measure nothing; same again by seed")
    options = parser.parse_args()
    start = time.perf_counter()
    work = Work()
    notes: Sequence[str] = ["service times as given in benchmarks/simulated/parameters.py"]
    if not options.given:
        try:
            work, notes = measure()
        except Missing as missing:
            notes = [f"not measured, {missing}", *notes]
    print("\n".join(notes), flush=True)
    print(f"in all {1000 * needs(work):.0f} ms of a processor for each image", flush=True)
    kept = True
    for lines, well in _outcomes(scenarios(work, options.seed)):
        print("\n".join(lines), flush=True)
        kept &= well
    print(f"\n{time.perf_counter() - start:.0f} s")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
