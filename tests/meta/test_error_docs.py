"""Every error has its text, its status and its line in docs/errors.md, and every line its error."""

import re
from pathlib import Path

import pytest

import filmroll.errors
from filmroll.errors import FilmrollError, Kind, catalogue
from filmroll.web.problems import STATUS

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
ROWS = dict(re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \| .+ \| .+ \|$", PAGE, re.MULTILINE))
ERRORS = list(catalogue())


@pytest.mark.parametrize("error", ERRORS)
def test_has_its_own_texts(error: type[FilmrollError]) -> None:
    """The docstring is what the page /problems/<code> shows."""
    own = vars(error)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", own["code"])
    assert own["title"]
    assert re.fullmatch(r"[A-Z].+[.:].*", own["__doc__"], re.DOTALL)


def test_codes_and_titles_are_unique() -> None:
    assert len({error.code for error in ERRORS}) == len(ERRORS)
    assert len({error.title for error in ERRORS}) == len(ERRORS)


def test_page_lists_exactly_the_errors_with_their_statuses() -> None:
    assert {error.code: str(STATUS[error.kind]) for error in ERRORS} == ROWS


def test_every_kind_has_a_status() -> None:
    assert set(STATUS) == set(Kind)


def test_tree_in_the_module_is_the_tree_there_is() -> None:
    drawn = re.findall(r"── (\w+) +([a-z-]+)", filmroll.errors.__doc__ or "")
    assert dict(drawn) == {error.__name__: error.code for error in ERRORS}
