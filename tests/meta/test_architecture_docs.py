"""The tour of the folders in docs/architecture.md passes through every room."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
TOUR = PAGE.split("## A tour of the folders")[1].split("```")[1].split()
SOURCES, TESTS = ROOT / "src" / "filmroll", ROOT / "tests"
ROOMS = {path.name for path in SOURCES.glob("[!_]*.py")}
ROOMS |= {f"{path.parent.name}/" for room in (SOURCES, TESTS) for path in room.glob("*/*.*")}
ROOMS -= {"__pycache__/"}


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_every_room_is_named(room: str) -> None:
    assert room in TOUR
