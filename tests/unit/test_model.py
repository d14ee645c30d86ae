"""Records, ids and keys."""

import re
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmroll.errors import InternalError, InvalidInstructions, TooManyPixels
from filmroll.model import (
    Header,
    JobState,
    Problem,
    derived_id,
    is_id,
    new_id,
    original_key,
    variant_key,
    variant_prefix,
)


def test_ids_differ_and_have_their_form() -> None:
    ids = {new_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(is_id(id_) for id_ in ids)
    assert {len(id_) for id_ in ids} == {26}


def test_first_letters_of_ids_spread() -> None:
    """Blobs lie in folders named by the first two; they must not pile up in one."""
    folders = {original_key(new_id())[2:4] for _ in range(2_000)}
    assert len(folders) > 200


@given(st.text(), st.text())
def test_derived_ids_are_the_same_every_time(one: str, other: str) -> None:
    assert derived_id(one, other) == derived_id(one, other)
    assert is_id(derived_id(one, other))


def test_derived_ids_depend_on_every_part() -> None:
    assert len({derived_id("a", "bc"), derived_id("ab", "c"), derived_id("abc"), derived_id()}) == 4


@pytest.mark.parametrize(
    "text",
    ["", "..", "a" * 25, "a" * 27, "A" * 26, "a" * 25 + "/", "a" * 25 + "\n", "a" * 26 + "\n",
     "a" * 25 + "\0", "é" * 26, "١" * 26, "x" * 10_000, "😀" * 26],
)  # fmt: skip
def test_what_is_no_id(text: str) -> None:
    assert not is_id(text)


def test_keys() -> None:
    image, recipe = new_id(), "0f" * 16
    assert original_key(image) == f"o/{image[:2]}/{image}"
    assert variant_key(image, recipe) == f"{variant_prefix(image)}{recipe}"
    assert re.fullmatch(r"v/../[0-9a-z]{26}/[0-9a-f]{32}", variant_key(image, recipe))


def test_records_do_not_change() -> None:
    header = Header(format="png", width=3, height=4)
    with pytest.raises(FrozenInstanceError):
        header.width = 5
    assert replace(header, width=5) == Header(format="png", width=5, height=4)


def test_final_states() -> None:
    assert {state for state in JobState if state.final} == {"succeeded", "failed", "cancelled"}


def test_problems_keep_what_errors_say() -> None:
    error = TooManyPixels("Too many.", limit=3, actual=4)
    back = Problem.of(error).error()
    assert type(back) is TooManyPixels
    assert (back.detail, back.figures) == (error.detail, error.figures)
    pointed = Problem.of(InvalidInstructions("No.", pointer="/0/width"))
    assert pointed == Problem(
        code="invalid-instructions", detail="No.", figures={"pointer": "/0/width"}
    )


def test_problems_of_a_later_version_are_still_errors() -> None:
    assert type(Problem(code="not-invented-yet", detail="?").error()) is InternalError
