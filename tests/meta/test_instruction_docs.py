"""docs/instructions.md: its examples parse, and it names every operation, key, word and default."""

import json
import re
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest

from filmroll.errors import InvalidInstructions
from filmroll.instructions import MAX_OPERATIONS, OPERATIONS, Operation, parse, parse_json
from filmroll.instructions.values import Choice

PAGE = (Path(__file__).parents[2] / "docs" / "instructions.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [line for kind, block in BLOCKS if kind == "text" for line in block.splitlines()]
REFUSED = re.findall(r"^\| `([a-z]+:[^`]+)` \| `(/[^`]*)` \|", PAGE, re.MULTILINE)
KEYS = [(kind, key) for kind in OPERATIONS.values() for key in fields(kind)]


def section(name: str) -> str:
    return PAGE.split(f"### {name}\n")[1].split("\n##")[0]


def row(kind: type[Operation], key: Field[Any]) -> list[str]:
    """Return the cells of the line that explains a key."""
    rows = re.findall(r"^\|(.+)\|(.+)\|(.*)\|(.+)\|$", section(kind.op), re.MULTILINE)
    return next([cell.strip() for cell in row] for row in rows if f"`{key.name}`" in row[0])


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_parse(text: str) -> None:
    assert parse(parse(text).canonical()) == parse(text)


def test_there_are_examples_of_every_operation() -> None:
    assert len(EXAMPLES) > 15
    shown = {operation.op for text in EXAMPLES for operation in parse(text).operations}
    assert shown == set(OPERATIONS)


def test_both_spellings_of_the_first_example_are_equal() -> None:
    (block,) = [block for kind, block in BLOCKS if kind == "json"]
    assert parse_json(json.loads(block)) == parse(EXAMPLES[0])


def test_examples_within_the_text_parse() -> None:
    presets = {"thumb": "resize:width=90"}
    inline = re.findall(r": `([a-z]+:[^`]*=[^`]*)`|or `([^`]+/thumb)`", PAGE)
    assert len(inline) == 2
    for text in ("".join(pair) for pair in inline):
        parse(text, presets)


@pytest.mark.parametrize(("text", "pointer"), REFUSED)
def test_refusals_are_as_the_page_says(text: str, pointer: str) -> None:
    with pytest.raises(InvalidInstructions) as caught:
        parse(text)
    assert caught.value.figures["pointer"] == pointer


@pytest.mark.parametrize(("kind", "key"), KEYS, ids=lambda part: getattr(part, "name", ""))
def test_every_key_is_explained(kind: type[Operation], key: Field[Any]) -> None:
    _, values, default, meaning = row(kind, key)
    assert meaning
    value = key.metadata["value"]
    if isinstance(value, Choice) and not values.startswith("as for"):
        assert re.findall(r"`([^`]+)`", values) == list(value.words)
    if key.default is not None and key.name != "angle":
        assert default.strip("`") == str(key.default).lower()


def test_no_key_is_explained_that_does_not_exist() -> None:
    for name, kind in OPERATIONS.items():
        known = {key.name for key in fields(kind)}
        first_cells = re.findall(r"^\| (`[^|]+) \|", section(name), re.MULTILINE)
        assert {word for cell in first_cells for word in re.findall(r"`(\w+)`", cell)} == known


def test_limits_on_the_page() -> None:
    assert f"At most {MAX_OPERATIONS} operations" in PAGE
