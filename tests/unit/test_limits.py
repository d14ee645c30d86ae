"""Limits: what is admitted, what is refused, and that the refusal holds the figures."""

import pytest

from filmroll.errors import TooLarge, TooManyFrames, TooManyPixels
from filmroll.limits import Limits
from filmroll.model import Header


def header(width: int, height: int, frames: int = 1) -> Header:
    return Header(format="gif", width=width, height=height, frames=frames)


LIMITS = Limits(max_pixels=1_000, max_side=100, max_frames=10)


@pytest.mark.parametrize("admitted", [(1, 1), (10, 100), (100, 10), (10, 10, 10), (100, 1, 10)])
def test_admitted(admitted: tuple[int, ...]) -> None:
    assert LIMITS.admit(header(*admitted)) == header(*admitted)


@pytest.mark.parametrize(
    ("refused", "error", "limit", "actual"),
    [
        ((101, 1), TooManyPixels, 100, 101),
        ((1, 101), TooManyPixels, 100, 101),
        ((100, 11), TooManyPixels, 1_000, 1_100),
        ((10, 11, 10), TooManyFrames, 1_000, 1_100),
        ((1, 1, 11), TooManyFrames, 10, 11),
        ((65_535, 65_535), TooManyPixels, 100, 65_535),
    ],
)
def test_refused(refused: tuple[int, ...], error: type[TooLarge], limit: int, actual: int) -> None:
    with pytest.raises(error) as caught:
        LIMITS.admit(header(*refused))
    assert caught.value.figures == {"limit": limit, "actual": actual}


def test_defaults_take_large_photographs_and_refuse_floods() -> None:
    assert Limits().admit(header(11_648, 8_736 - 152))
    with pytest.raises(TooManyPixels):
        Limits().admit(header(65_535, 65_535))
