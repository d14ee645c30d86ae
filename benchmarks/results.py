"""Rows of figures: on the screen, in ``results/latest.json`` and as a table beside it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.missing import Missing
from benchmarks.rounds import Spread

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What one subject reached. ``met`` is None where there is no limit to meet."""

    subject: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    limit: str = ""
    met: bool | None = None
    note: str = ""

    @classmethod
    def of(cls, subject: str, spread: Spread, unit: str, **more: Any) -> "Row":
        """Return a row with the spread over all rounds."""
        low, median, high = (round(x, 2) for x in (spread.low, spread.median, spread.high))
        return cls(subject=subject, value=median, low=low, high=high, unit=unit, **more)

    @classmethod
    def single(cls, subject: str, value: float, unit: str, **more: Any) -> "Row":
        """Return a row of what was measured only once."""
        return cls.of(subject, Spread.of([value]), unit, **more)

    @classmethod
    def skipped(cls, subject: str, reason: Missing) -> "Row":
        """Return a row that says why there is nothing to say."""
        return cls(subject=subject, note=f"SKIPPED: {reason}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """All rows that were measured in one run."""

    name: str
    title: str
    rounds: int
    machine: Machine
    rows: list[Row]


def keep(figure: Figure) -> None:
    """Print a figure, and put it in the place of its last measurement."""
    print("\n".join(_table([asdict(row) for row in figure.rows])), flush=True)
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / "latest.json"
    figures = json.loads(path.read_text()) if path.exists() else {}
    figures[figure.name] = asdict(figure)
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    pages = [_page(figures[name]) for name in sorted(figures)]
    (FOLDER / "latest.md").write_text("# Latest results\n\n" + "\n".join(pages))


def _page(figure: dict[str, Any]) -> str:
    machine = Machine(**figure["machine"])
    where = (
        f"{machine.at}, commit {machine.commit}, {machine.cores} × {machine.processor}, "
        f"{machine.memory_mib} MiB, Linux {machine.kernel}; rounds: {figure['rounds']}; "
        f"others used {machine.others_percent} % of the processors meanwhile."
    )
    if not machine.idle:
        where += " **NOT IDLE: rates and times are those of a shared machine.**"
    lines = [f"## {figure['title']}", "", where, "", *_table(figure["rows"]), ""]
    return "\n".join(lines)


def _table(rows: list[dict[str, Any]]) -> list[str]:
    head = "| subject | reached (median) | least – most | limit | | notes |"
    return [head, "|---|---|---|---|---|---|", *(_line(row) for row in rows)]


def _line(row: dict[str, Any]) -> str:
    verdict = {True: "met", False: "MISSED", None: ""}[row["met"]]
    value = "" if row["value"] is None else f"{row['value']:,} {row['unit']}"
    spread = "" if row["low"] is None else f"{row['low']:,} – {row['high']:,}"
    cells = (row["subject"], value, spread, row["limit"], verdict, row["note"])
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
