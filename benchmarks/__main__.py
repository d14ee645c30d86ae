"""``python -m benchmarks [name…]``: measure figures, print them, and renew ``results/``."""

import argparse
import importlib
import shutil
from pathlib import Path

from benchmarks.machine import Spent, facts
from benchmarks.missing import Missing
from benchmarks.results import Figure, Row, keep

FIGURES = (
    "uploads",
    "cold",
    "kept",
    "first_byte",
    "memory",
    "bulk",
    "bulk_variants",
    "bulk_resume",
    "parts",
    "distributed",
    "overload",
    "widths",
    "coalescing",
    "animated",
    "memory_cold",
)
WORK = Path(__file__).parent / ".work"


def main() -> None:
    """Measure what was asked for, one figure after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured")
    options = parser.parse_args()
    unknown = set(options.names) - set(FIGURES)
    if unknown:
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    for name in options.names or FIGURES:
        keep(_measured(name, options.rounds))


def _measured(name: str, rounds: int) -> Figure:
    """Run one figure in a folder of its own, on the disk this file lies on."""
    module = importlib.import_module(f"benchmarks.figures.{name}")
    print(f"\n{module.TITLE}", flush=True)
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start = Spent.now()
    try:
        rows = module.run(folder, rounds)
    except Missing as missing:
        rows = [Row.skipped("all of it", missing)]
    finally:
        shutil.rmtree(folder)
    machine = facts(start)
    if not machine.idle:
        print(f"  NOT IDLE: others used {machine.others_percent} % of the processors meanwhile")
    return Figure(name=name, title=module.TITLE, rounds=rounds, machine=machine, rows=rows)


if __name__ == "__main__":
    main()
