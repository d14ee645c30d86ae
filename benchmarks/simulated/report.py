"""An outcome as text."""

import math
from collections.abc import Iterator, Sequence

from benchmarks.simulated.cluster import Outcome
from benchmarks.simulated.jobs import Broken
from benchmarks.simulated.traffic import Kind

NAMES = {
    Kind.WAITED: "interactive, by direct call",
    Kind.QUEUED: "interactive, by the queue",
    Kind.BULK: "bulk",
    Kind.IO: "io (fetches)",
    Kind.COLD: "cold variants, by direct call",
}
_SHARES = (0.5, 0.95, 0.99, 1.0)
_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 60


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return what so many do not exceed; 0 of nothing."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def lines(outcome: Outcome) -> Iterator[str]:
    """Yield the report of one scenario."""
    scenario, tally, shown = outcome.scenario, outcome.tally, outcome.shown
    yield f"\n## {scenario.name}"
    yield (
        f"{len(tally.ends):,} jobs, {tally.counts['cold']:,} cold variants; the last one ended "
        f"{outcome.ended - scenario.end:+,.0f} s after the last arrival"
    )
    yield (
        f"{'seconds':32}{'waits p50':>10}{'p95':>8}{'p99':>8}{'max':>8}"
        f"{'ready p50':>12}{'p95':>8}{'p99':>8}{'max':>8}"
    )
    for kind, name in NAMES.items():
        if not tally.readies[kind]:
            continue
        waits, readies = sorted(tally.waits[kind]), sorted(tally.readies[kind])
        first = "".join(f"{percentile(waits, share):8.2f}" for share in _SHARES)
        second = "".join(f"{percentile(readies, share):8.2f}" for share in _SHARES)
        yield f"{name:32}  {first}    {second}"
    yield from _chart("interactive queue", [one.interactive for one in shown], "messages wait")
    yield from _chart("bulk queue", [one.bulk for one in shown], "messages wait")
    yield from _chart("hosts", [one.hosts for one in shown], "hosts")
    yield from _chart("use of processors", [100 * one.use for one in shown], "%")
    told = ", ".join(f"{name} {count:,}" for name, count in sorted(tally.counts.items()) if count)
    yield (
        f"most in flight in a lane {outcome.most_hidden:,}; "
        f"most attempts at a job {tally.most_attempts}; {told}"
    )
    yield _verdict(outcome)


def _verdict(outcome: Outcome) -> str:
    try:
        outcome.tally.check()
    except Broken as broken:
        return f"BROKEN: {broken}"
    return "jobs lost 0, done twice 0: checked"


def _chart(title: str, amounts: Sequence[float], unit: str) -> Iterator[str]:
    """Yield a bar for each stretch of time, the highest that it held."""
    step = max(1, -(-len(amounts) // _WIDTH))
    highest = [max(amounts[at : at + step]) for at in range(0, len(amounts), step)]
    top = max(highest, default=0.0) or 1.0
    bars = "".join(_BARS[math.ceil(8 * amount / top)] for amount in highest)
    yield f"{title:20}|{bars}| {min(amounts):,.0f} – {max(amounts):,.0f} {unit}"
