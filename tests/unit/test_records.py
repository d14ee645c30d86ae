"""Records as text, as versions side by side read and write them."""

import json

import pytest

from filmroll.catalog.records import decode, encode, others
from filmroll.model import Image, ImageState, Line, LineState, Problem
from tests.contract import records

PROBLEM = Problem(code="truncated", detail="It ends too early.")


def line():
    return Line(batch="b", ref="r", state=LineState.FAILED, at=1.0, problem=PROBLEM, tags=("t",))


@pytest.mark.parametrize(
    "record",
    [records.image(state=ImageState.FAILED, problem=PROBLEM), records.variant(), line()],
    ids=lambda record: type(record).__name__,
)
def test_what_a_later_version_adds_is_left_aside(record):
    text = json.loads(encode(record, others(type(record), ())))
    text["later"] = {"of": "another version"}
    if text.get("problem"):
        text["problem"]["later"] = 1
    assert decode(type(record), json.dumps(text), {}) == record


def test_a_field_that_is_not_there_gets_its_default():
    text = json.loads(encode(records.image(), others(Image, ())))
    del text["tags"], text["problem"]
    found = decode(Image, json.dumps(text), {})
    assert (found.tags, found.problem) == ((), None)
