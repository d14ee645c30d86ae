"""Instructions that are right: both spellings, one canonical text, one recipe."""

import json
import math
from dataclasses import fields
from typing import Any

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from filmroll.errors import InvalidInstructions
from filmroll.instructions import (
    AUTO_FORMATS,
    ENGINE_VERSION,
    MAX_OPERATIONS,
    OPERATIONS,
    Instructions,
    Operation,
    Output,
    Watermark,
    operation_schema,
    parse,
    parse_json,
    preset_names,
)
from filmroll.instructions.values import Choice, Color, Flag, ImageId, Number, NumberOr, Text
from filmroll.model import new_id

# ---------------------------------------------------------------- strategies, out of the fields

LETTERS = st.one_of(st.characters(exclude_categories=["Cc", "Cs"]), st.just("\n"))
BOTH_WAYS = st.sampled_from("abc שלום سلام\n")  # to the right and to the left
TEXTS = st.one_of(
    st.text(LETTERS, min_size=1, max_size=60), st.text(BOTH_WAYS, min_size=1, max_size=60)
).filter(str.strip)


def _reads(value: Any, raw: Any) -> bool:
    try:
        value.read(raw)
    except ValueError:
        return False
    return True


def numbers(value: Number) -> st.SearchStrategy[float]:
    whole = st.integers(math.ceil(max(value.low, -400)), int(min(value.high, 20_000)))
    if value.whole:
        return whole
    return st.one_of(whole, st.floats(value.low, value.high)).filter(
        lambda number: _reads(value, number)
    )


def values(value: Any) -> st.SearchStrategy[Any]:
    match value:
        case Number():
            return numbers(value)
        case NumberOr():
            return st.one_of(values(value.number), st.just(value.word))
        case Choice():
            return st.sampled_from(value.words)
        case Flag():
            return st.booleans()
        case Color():
            return st.from_regex(r"\A([0-9a-f]{3}|[0-9A-F]{6}|[0-9a-f]{8}|white)\Z")
        case Text():
            return TEXTS
        case ImageId():
            return st.builds(new_id)
    raise AssertionError(value)


def _mended(kind: type[Operation], pool: dict[str, Any], wanted: set[str]) -> Operation | None:
    """Take or leave keys until they no longer contradict each other; None if they always do."""
    for _ in range(8):
        raw = {"op": kind.op} | {key: pool[key] for key in pool if key in wanted}
        try:
            return parse_json([raw]).operations[0]
        except InvalidInstructions as fault:
            wanted = wanted ^ {fault.figures["pointer"].removeprefix("/0/")}
    return None


def operations(kind: type[Operation]) -> st.SearchStrategy[Any]:
    pool = {key.name: values(key.metadata["value"]) for key in fields(kind)}
    wanted = st.sets(st.sampled_from([*pool])) if pool else st.just(set())
    return st.builds(_mended, st.just(kind), st.fixed_dictionaries(pool), wanted).filter(
        lambda operation: operation is not None
    )


STEPS = st.one_of(*(operations(kind) for kind in OPERATIONS.values() if kind is not Output))
OUTPUTS = operations(Output)
INSTRUCTIONS = st.builds(
    lambda steps, output: Instructions((*steps, *output)),
    st.lists(STEPS, min_size=1, max_size=4),
    st.lists(OUTPUTS.filter(lambda output: output != Output()), max_size=1),  # it says nothing
)


def as_json(instructions: Instructions) -> Any:
    """Return the JSON spelling with every key written out."""
    items = [
        {"op": operation.op} | {key.name: getattr(operation, key.name) for key in fields(operation)}
        for operation in instructions.operations
    ]
    return json.loads(json.dumps(items))


@given(INSTRUCTIONS)
@settings(max_examples=300)
def test_what_is_written_reads_as_the_same(instructions: Instructions) -> None:
    text = instructions.canonical()
    assert parse(text) == instructions
    assert parse(text).canonical() == text
    assert parse(text).recipe() == instructions.recipe()
    assert text.isascii()
    assert not set(text) & set(' ?#"<>\\')


@given(INSTRUCTIONS)
@settings(max_examples=200)
def test_both_spellings_mean_the_same(instructions: Instructions) -> None:
    assert parse_json(as_json(instructions)) == instructions


@given(INSTRUCTIONS, INSTRUCTIONS)
@settings(max_examples=100)
def test_texts_are_equal_where_instructions_are(one: Instructions, other: Instructions) -> None:
    assert (one == other) == (one.canonical() == other.canonical())
    assert (one == other) == (one.recipe() == other.recipe())


# ---------------------------------------------------------------------------------- by example

CANONICAL = [
    ("resize:width=800", "resize:width=800"),
    ("resize:w=800", "resize:width=800"),
    ("/resize:w=800/", "resize:width=800"),
    ("resize:h=5,w=8", "resize:width=8,height=5"),
    ("resize:width=800.0", "resize:width=800"),
    ("resize:width=8e2", "resize:width=800"),
    ("resize:width=0800", "resize:width=800"),
    ("resize:width=800,fit=contain,enlarge=false,dpr=1", "resize:width=800"),
    ("resize:width=800,enlarge=1", "resize:width=800,enlarge=true"),
    ("resize:width=800,enlarge=TRUE", "resize:width=800,enlarge=true"),
    ("resize:width=8,height=8,fit=COVER", "resize:width=8,height=8,fit=cover"),
    ("resize:width=8,background=%23FFF", "resize:width=8,background=ffffff"),
    ("resize:width=8,background=ffffffff", "resize:width=8,background=ffffff"),
    ("resize:width=8,background=00ffff", "resize:width=8,background=00ffff"),
    ("resize:width=8,background=black", "resize:width=8,background=000000"),
    ("resize:width=8,background=transparent", "resize:width=8,background=00000000"),
    ("resize:width=8,dpr=1.50", "resize:width=8,dpr=1.5"),
    ("crop:width=8,focus_y=.5,focus_x=1", "crop:width=8,focus_x=1,focus_y=0.5"),
    ("crop:w=10,h=20,gravity=center", "crop:width=10,height=20"),
    ("crop:w=.5,unit=ratio", "crop:width=0.5,unit=ratio"),
    ("crop:w=5,x=-0,y=0", "crop:width=5,x=0,y=0"),
    ("rotate:angle=90", "rotate:angle=90"),
    ("rotate:angle=-90.0", "rotate:angle=-90"),
    ("flip:axis=X", "flip:axis=x"),
    ("watermark:text=a%20b%2Cc%2Fd%3De", "watermark:text=a%20b%2Cc%2Fd%3De"),
    ("watermark:text=a b=c", "watermark:text=a%20b%3Dc"),
    ("watermark:text=©%20Zoë", "watermark:text=%C2%A9%20Zo%C3%AB"),
    ("watermark:text=50%", "watermark:text=50%25"),
    ("watermark:text=two%0Alines", "watermark:text=two%0Alines"),
    ("watermark:text=👩\u200d🚀", "watermark:text=%F0%9F%91%A9%E2%80%8D%F0%9F%9A%80"),
    ("watermark:text=%E5%86%99%E3%80%80%E7%9C%9F", "watermark:text=%E5%86%99%E3%80%80%E7%9C%9F"),
    ("watermark:text=..", "watermark:text=.."),
    ("output", "output"),
    ("output:q=80,f=webp", "output:format=webp,quality=80"),
    ("output:f=AUTO,q=Auto", "output:format=auto,quality=auto"),
    ("output:max_bytes=9e3,f=auto-webp", "output:format=auto-webp,max_bytes=9000"),
    ("resize:w=8/output", "resize:width=8"),
    ("resize:w=8/output:format=same,metadata=none", "resize:width=8"),
    ("resize:w=8/output:effort=0", "resize:width=8/output:effort=0"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "canonical"), CANONICAL)
def test_canonical(text: str, canonical: str) -> None:
    assert parse(text).canonical() == canonical
    assert parse(canonical).canonical() == canonical


def test_json_takes_short_keys_null_and_texts() -> None:
    items = [{"op": "resize", "w": "800", "height": None}, {"op": "output", "f": "webp", "q": 80}]
    assert parse_json(items).canonical() == "resize:width=800/output:format=webp,quality=80"


def test_parts() -> None:
    one, other = new_id(), new_id()
    instructions = parse(
        f"watermark:image={one}/watermark:image={other}/watermark:image={one}/output:quality=7"
    )
    assert instructions.watermarks == (one, other)
    assert instructions.output == Output(quality=7)
    assert [type(step) for step in instructions.steps] == [Watermark] * 3
    assert parse("flip:axis=x").output == Output()


PRESETS = {"thumb": "resize:width=90/output:format=webp", "grey": "rotate:angle=90"}


def test_presets_are_read_in_place() -> None:
    assert parse("thumb", PRESETS) == parse(PRESETS["thumb"])
    text = "flip:axis=x/grey/thumb"
    assert parse(text, PRESETS).canonical() == "flip:axis=x/rotate:angle=90/" + PRESETS["thumb"]
    assert preset_names(text + "/output") == ("grey", "thumb")


def test_as_many_operations_as_are_allowed() -> None:
    text = "/".join(["flip:axis=x"] * MAX_OPERATIONS)
    assert len(parse(text).operations) == MAX_OPERATIONS
    assert parse_json([{"op": "flip", "axis": "x"}] * MAX_OPERATIONS) == parse(text)


@pytest.mark.parametrize("kind", OPERATIONS.values())
def test_schema_tells_all_keys(kind: type[Operation]) -> None:
    schema = operation_schema(kind)
    assert list(schema["properties"]) == ["op", *(key.name for key in fields(kind))]
    assert schema["description"]
    json.dumps(schema, allow_nan=False)


def test_recipe_is_stable() -> None:
    """A new recipe makes every kept variant again: it may change only with the engine."""
    assert ENGINE_VERSION == "2/vips-8.18"
    assert (
        parse("resize:width=800/output:format=webp").recipe() == "acdaafaaefb7d75f72d08deaf6fde79e"
    )


def test_engine_version_names_the_installed_libvips() -> None:
    installed = f"vips-{pyvips.version(0)}.{pyvips.version(1)}"
    assert ENGINE_VERSION.split("/")[1] == installed


def test_a_format_for_each_client_is_another_recipe_for_each_word() -> None:
    auto = parse("resize:width=80/output:format=auto,quality=auto")
    resolved = [auto.resolved(choice) for choice in AUTO_FORMATS]
    assert [one.output.format for one in resolved] == [*AUTO_FORMATS]
    assert len({one.recipe() for one in (auto, *resolved)}) == 1 + len(AUTO_FORMATS)
    for one in resolved:
        assert not one.automatic
        assert parse(one.canonical()) == one
    fixed = parse("output:format=webp,quality=auto")
    assert fixed.resolved("auto-basic") is fixed
