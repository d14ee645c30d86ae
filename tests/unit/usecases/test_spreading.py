"""Which engine makes which of several variants."""

import itertools

import pytest

from filmroll.instructions import parse
from filmroll.usecases.spreading import spread


def spread_texts(texts: list[str], parts: int) -> list[list[str]]:
    return [
        [one.canonical() for one in part] for part in spread([parse(text) for text in texts], parts)
    ]


def test_the_largest_is_left_alone():
    widths = [f"resize:width={width}" for width in (320, 640, 960, 1280, 1920)]
    assert spread_texts(widths, 2) == [[widths[4]], widths[3::-1]]


def test_what_is_not_scaled_is_most_of_all():
    small, whole = "resize:width=4000,height=3000,fit=cover", "rotate:angle=90"
    assert spread_texts([small, small, small, whole], 2) == [[whole], [small, small, small]]


def test_density_and_height_count():
    dense, high, plain = "resize:width=300,dpr=3", "resize:height=850", "resize:width=840"
    assert spread_texts([plain, high, dense], 3) == [[dense], [high], [plain]]


@pytest.mark.parametrize(("parts", "used"), [(0, 1), (1, 1), (2, 2), (9, 2)])
def test_no_engine_for_nothing(parts, used):
    texts = ["resize:width=100", "resize:width=200"]
    found = spread_texts(texts, parts)
    assert len(found) == used
    assert sorted(itertools.chain(*found)) == texts
