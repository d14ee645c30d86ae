"""Side by side: every subject is measured once per round, so that noise falls on all alike."""

import os
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """What one subject reached over all rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Sum up."""
        return cls(statistics.median(values), min(values), max(values))


def alternate(subjects: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Spread]:
    """Measure all subjects in turn, so many times; a first round only warms them up."""
    for measure in subjects.values():
        measure()
    values: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds):
        for name, measure in subjects.items():
            os.sync()  # what the one before left unwritten is not charged to this one
            values[name].append(measure())
        shown = ", ".join(f"{name} {values[name][-1]:,.1f}" for name in subjects)
        print(f"  round {number + 1} (load {os.getloadavg()[0]:.1f}): {shown}", flush=True)
    return {name: Spread.of(found) for name, found in values.items()}
