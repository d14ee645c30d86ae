"""Filmroll beside ipx, at the same work in turn."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks import peers
from benchmarks.missing import Missing
from benchmarks.results import Row
from benchmarks.rounds import alternate
from benchmarks.servers import Server

_PROCESSES = 2


def beside_ipx(
    folder: Path,
    sources: Path,
    own: Callable[[], float],
    theirs: Callable[[Server], float],
    rounds: int,
    *,
    unit: str,
    times: float,
    note: str = "",
) -> list[Row]:
    """Measure both, and how many ``times`` as fast Filmroll is, which it should at least be.

    ipx runs over the folder of ``sources``; without it there is only a row for Filmroll.
    """
    name = f"{peers.npm_version('ipx')}, {peers.npm_version('sharp')}"
    subjects, skipped = {"Filmroll": own}, []
    with ExitStack() as stack:
        try:
            ipx = stack.enter_context(peers.ipx(folder, sources, _PROCESSES))
        except Missing as missing:
            skipped.append(Row.skipped(name, missing))
        else:
            subjects[name] = lambda: theirs(ipx)
        reached = alternate(subjects, rounds)
    rows = [Row.of(subject, spread, unit) for subject, spread in reached.items()]
    if name in reached:
        ratio = reached["Filmroll"].median / reached[name].median
        limit, met = f"≥ {times}", ratio >= times
        rows.append(
            Row.single(f"Filmroll : {name}", ratio, "× as fast", limit=limit, met=met, note=note)
        )
    return rows + skipped
