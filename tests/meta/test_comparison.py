"""docs/comparison.md says of Filmroll what tests show, and the tests that it names exist."""

import ast
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "comparison.md").read_text()
FILES = dict(re.findall(r"^\[([\w/]+)\]: (\S+)$", PAGE, re.MULTILINE))
LINK = re.compile(r"\[(\w+)\]\[([\w/]+)\]")
TABLES = PAGE.split("\n## Geometry\n")[1].split("\n## Speed\n")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLES.splitlines()
    if line.startswith("| ") and "| shown by |" not in line
]


def names_in(file: Path) -> set[str]:
    """Return the names of a file's tests, without ``test_``."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in ast.parse(file.read_text()).body if isinstance(node, kinds)}
    return {name.removeprefix("test_") for name in names if name.startswith("test_")}


@pytest.mark.parametrize(("test", "file"), sorted(set(LINK.findall(PAGE))))
def test_a_test_that_is_named_exists(test: str, file: str) -> None:
    assert test in names_in(DOCS / FILES[file])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_filmroll_does_is_shown(row: list[str]) -> None:
    _what, here, *others, shown = row
    assert len(others) == 5
    assert here
    assert all(others)
    assert LINK.search(shown) or here.startswith("no")


def test_no_file_is_left_over() -> None:
    assert set(FILES) == {file for _, file in LINK.findall(PAGE)}
