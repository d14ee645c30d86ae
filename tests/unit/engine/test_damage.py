"""Damaged, disguised and hostile sources end in a clear problem, whatever is asked of them."""

import pytest

from filmroll.engine import pipeline
from filmroll.errors import CorruptImage, TooManyFrames, TooManyPixels, UnsupportedMedia
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.model import Problem
from tests import samples
from tests.unit.engine.pictures import LADYBIRD

ASKED = [
    ["resize:width=60"],
    ["output:format=png"],
    ["crop:width=20,height=10,x=0,y=0"],
    ["resize:width=60,height=60,fit=cover", "resize:width=30"],
]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked[0])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("form", samples.FORMATS)
def test_truncated(form: str, part: float, asked: list[str]) -> None:
    data = samples.truncated(samples.make(form, 160, 120), part)
    with pytest.raises(CorruptImage) as caught:
        pipeline.make(data, [parse(text) for text in asked], {}, Limits())
    assert caught.value.detail.startswith("The image is damaged: ")
    assert "/" not in caught.value.detail.removeprefix("The image is damaged: ")


@pytest.mark.parametrize("length", [1, 3, 20, 200])
def test_next_to_nothing(length: int) -> None:
    with pytest.raises((CorruptImage, UnsupportedMedia)):
        pipeline.make(LADYBIRD[:length], [parse("output")], {}, Limits())


def test_nothing_at_all() -> None:
    with pytest.raises(UnsupportedMedia):
        pipeline.make(b"", [parse("output")], {}, Limits())


def test_pixel_flood_is_refused_by_its_header() -> None:
    with pytest.raises(TooManyPixels):
        pipeline.make(samples.pixel_flood_png(), [parse("output")], {}, Limits())


def test_endless_animation_is_refused_by_its_header() -> None:
    with pytest.raises(TooManyFrames):
        pipeline.make(samples.endless_gif(), [parse("output")], {}, Limits())


def test_heic_is_named() -> None:
    with pytest.raises(UnsupportedMedia, match="HEIC"):
        pipeline.make(samples.HEIC, [parse("output")], {}, Limits())


def test_damaged_watermark_is_the_fault_of_its_variant() -> None:
    mark, wanted = "b" * 26, [parse("watermark:image=" + "b" * 26), parse("resize:width=60")]
    torn = {mark: samples.truncated(samples.png(), 0.5)}
    problem, picture = pipeline.make(LADYBIRD, wanted, torn, Limits())
    assert isinstance(problem, Problem)
    assert problem.code == "corrupt-image"
    assert mark in problem.detail
    assert not isinstance(picture, Problem)
