"""What the parent believes of a child's answer: it may be in foreign hands."""

import json
from dataclasses import asdict

import pytest

from filmroll.engine.pool import _info, _results
from filmroll.errors import InternalError
from tests.contract.records import info

ENTRY = {"format": "webp", "width": 1, "height": 1, "frames": 1}


def test_figures_under_other_names_are_dropped() -> None:
    spent = {"decode": 0.5, "x\r\nset-cookie: a": 1.0, "total": 2}
    [picture] = _results({"results": [ENTRY], "spent": spent}, [b"x"])
    assert picture.spent == {"decode": 0.5}


@pytest.mark.parametrize("spent", [None, {"decode": "x\r\n"}, {"encode": None}, 7])
def test_what_is_no_figure_makes_no_sense(spent) -> None:
    message = {"results": [ENTRY], "spent": spent}
    with pytest.raises(InternalError):
        _results(message, [b"x"])


def test_an_answer_without_figures_makes_no_sense() -> None:
    with pytest.raises(InternalError):
        _results({"results": [ENTRY]}, [b"x"])


TOLD = asdict(info())


def test_a_description_is_what_it_was() -> None:
    assert _info(json.loads(json.dumps({"info": TOLD}))) == info()


@pytest.mark.parametrize(
    "told", [None, 7, {}, TOLD | {"width": "x"}, TOLD | {"exif": {"a": 1}}, TOLD | {"palette": 1}]
)
def test_what_is_no_description_makes_no_sense(told) -> None:
    with pytest.raises(InternalError):
        _info({"info": told})
