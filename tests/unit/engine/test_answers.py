"""What the parent believes of a child's answer: it may be in foreign hands."""

import pytest

from filmroll.engine.pool import _results
from filmroll.errors import InternalError

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
