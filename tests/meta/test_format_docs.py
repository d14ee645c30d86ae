"""What the pages say of formats in figures is what comes out."""

import re
from pathlib import Path

import pytest

from filmroll.engine.fitting import _AUTO, SQUEEZES, TARGET
from filmroll.engine.similarity import Similarity
from filmroll.usecases.avif import AVIF_PIXELS
from tests.samples import FIXTURES
from tests.unit.engine.pictures import load, make

DOCS = Path(__file__).parents[2] / "docs"
INSTRUCTIONS, HTTP = ((DOCS / name).read_text() for name in ("instructions.md", "http-api.md"))
CELL = r"([\d,]+) at (0\.\d{3})"
ROWS = re.findall(
    rf"^\| (?:`(\w+)`[^|]*)?\| (\w+) \| {CELL} \| {CELL} \|$", INSTRUCTIONS, re.MULTILINE
)
NAMES = ["ladybird", "yellowflower", "storm", "dune"]


def test_all_photographs_and_formats_are_in_the_table() -> None:
    assert [row[0] for row in ROWS if row[0]] == NAMES
    assert [row[1] for row in ROWS] == ["JPEG", "WebP", "AVIF"] * len(NAMES)


@pytest.mark.parametrize("place", range(12))
def test_bytes_and_scores_of_the_table(place: int) -> None:
    name, (_, form, *figures) = NAMES[place // 3], ROWS[place]
    data = (FIXTURES / f"{name}.jpg").read_bytes()
    original = Similarity(load(make(data, "resize:width=800/output:format=png").data))
    for more, size, score in (("", *figures[:2]), (",quality=auto", *figures[2:])):
        picture = make(data, f"resize:width=800/output:format={form.lower()}{more}")
        # With several threads, as in the tests, the encoder of AVIF comes to other bytes.
        assert len(picture.data) == pytest.approx(int(size.replace(",", "")), rel=0.08)
        assert original.of(picture.data) == pytest.approx(float(score), abs=0.002)


def test_limits_of_the_searches() -> None:
    assert f"stays at {TARGET} or more" in INSTRUCTIONS
    jpeg, webp, avif = (f"{span[0]} and {span[-1]}" for span in _AUTO.values())
    assert f"between {jpeg} for JPEG, {webp} for WebP, and {avif} for AVIF" in INSTRUCTIONS
    assert all(len(span) <= 2**5 for span in _AUTO.values())  # "in five tries at most"
    assert SQUEEZES == 5
    assert "five times at most" in INSTRUCTIONS
    assert f"{AVIF_PIXELS:,} pixels" in HTTP
