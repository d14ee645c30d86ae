"""Sizes: what each operation makes of a picture, for every picture and by example."""

from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from filmroll.errors import FilmrollError, InvalidInstructions, TooManyPixels
from filmroll.geometry import (
    Box,
    Size,
    around_all,
    crop_box,
    place,
    radius,
    rotated,
    scaling,
    size_after,
)
from filmroll.instructions import MAX_GROWN_PIXELS, MAX_SIDE, Crop, Resize, Rotate, Round, parse
from filmroll.limits import Limits

SIDES = st.one_of(st.integers(1, 40), st.integers(1, 65_535), st.sampled_from([1, 2, 65_535]))
SIZES = st.builds(Size, SIDES, SIDES)
TARGETS = st.one_of(st.integers(1, 40), st.integers(1, MAX_SIDE))
FITS = st.sampled_from(["contain", "cover", "fill", "pad"])


def after(text: str, width: int, height: int) -> tuple[int, int]:
    size = size_after(parse(text), Size(width, height))
    return size.width, size.height


EXAMPLES = [
    ("resize:width=800", (2040, 1360), (800, 533)),
    ("resize:height=800", (2040, 1360), (1200, 800)),
    ("resize:width=800,height=100", (2040, 1360), (150, 100)),
    ("resize:width=800", (400, 300), (400, 300)),
    ("resize:width=800,enlarge=true", (400, 300), (800, 600)),
    ("resize:width=400,dpr=2", (2040, 1360), (800, 533)),
    ("resize:width=3,dpr=1.5", (100, 100), (4, 4)),
    ("resize:width=1", (65535, 1), (1, 1)),
    ("resize:width=200,height=200,fit=cover", (2040, 1360), (200, 200)),
    ("resize:width=500,height=200,fit=cover", (1000, 100), (250, 100)),
    ("resize:width=500,height=200,fit=cover,enlarge=true", (1000, 100), (500, 200)),
    ("resize:width=200,height=200,fit=fill", (2040, 100), (200, 100)),
    ("resize:width=200,height=200,fit=fill,enlarge=true", (2040, 100), (200, 200)),
    ("resize:width=200,height=200,fit=pad", (20, 10), (200, 200)),
    ("crop:width=100,height=50", (200, 200), (100, 50)),
    ("crop:width=100", (200, 300), (100, 300)),
    ("crop:width=100,height=50,x=100,y=150", (200, 200), (100, 50)),
    ("crop:width=0.5,height=0.5,unit=ratio", (201, 101), (100, 50)),
    ("crop:width=1,height=1,unit=ratio", (7, 9), (7, 9)),
    ("crop:width=0.0001,height=1,unit=ratio", (7, 9), (1, 9)),
    ("rotate:angle=90", (40, 30), (30, 40)),
    ("rotate:angle=-90", (40, 30), (30, 40)),
    ("rotate:angle=180", (40, 30), (40, 30)),
    ("rotate:angle=45", (100, 100), (141, 141)),
    ("rotate:angle=0.001", (1, 1), (1, 1)),
    ("flip:axis=x/watermark:text=a/output:format=png", (40, 30), (40, 30)),
    ("trim", (40, 30), (40, 30)),  # at most; the engine knows better
    ("pad:left=5,top=7", (40, 30), (45, 37)),
    ("pad:right=5,bottom=7,left=1,top=1", (40, 30), (46, 38)),
    ("pad:top=100/crop:height=120/resize:height=60", (40, 30), (20, 60)),
    ("blur:sigma=9/sharpen/pixelate:size=99/adjust:hue=9/grayscale/round", (40, 30), (40, 30)),
    ("crop:width=100,height=100/resize:width=50/rotate:angle=90", (400, 300), (50, 50)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "before", "expected"), EXAMPLES)
def test_example(text: str, before: tuple[int, int], expected: tuple[int, int]) -> None:
    assert after(text, *before) == expected


OUTSIDE = [
    ("crop:width=201", "/0/width"),
    ("crop:height=101", "/0/height"),
    ("crop:width=100,height=100,x=101,y=0", "/0/width"),
    ("crop:width=100,height=50,x=0,y=51", "/0/height"),
    ("crop:width=1,height=1,x=200,y=0", "/0/width"),
    ("crop:width=1,height=1,x=1000000,y=1000000", "/0/width"),
    ("crop:width=0.6,height=1,x=0.5,y=0,unit=ratio", "/0/width"),
    ("crop:width=300,gravity=smart", "/0/width"),
    ("crop:width=300,focus_x=0,focus_y=0", "/0/width"),
    ("resize:width=100/crop:width=101", "/1/width"),
    ("rotate:angle=90/crop:width=101", "/1/width"),
    ("trim/crop:width=201", "/1/width"),
]


@pytest.mark.parametrize(("text", "pointer"), OUTSIDE)
def test_crops_outside_are_refused(text: str, pointer: str) -> None:
    with pytest.raises(InvalidInstructions, match="leaves the picture") as caught:
        after(text, 200, 100)
    assert caught.value.figures["pointer"] == pointer
    assert caught.value.figures["limit"] in {100, 200, 50}


TOO_LARGE = [
    "flip:axis=x",
    "resize:width=16383,enlarge=true",
    "resize:width=16383,enlarge=true/crop:width=10,height=10",
    "rotate:angle=45/resize:width=100",
    "pad:top=1/resize:width=100",
]


@pytest.mark.parametrize("text", TOO_LARGE)
def test_no_side_grows_past_what_formats_hold(text: str) -> None:
    with pytest.raises(TooManyPixels) as caught:
        after(text, 100, 65_535)
    assert caught.value.figures["limit"] == MAX_SIDE


def test_nothing_grows_past_what_encoders_have_memory_for() -> None:
    pad = "resize:width={},height={},fit=pad"
    with pytest.raises(TooManyPixels) as caught:
        after(f"flip:axis=x/{pad.format(16_383, 16_383)}/crop:width=9,height=9", 100, 100)
    assert caught.value.figures == {
        "limit": MAX_GROWN_PIXELS, "actual": 16_383**2, "pointer": "/1"
    }  # fmt: skip
    assert after(pad.format(10_000, 10_000), 100, 100) == (10_000, 10_000)
    assert Limits().max_pixels <= MAX_GROWN_PIXELS
    assert after("flip:axis=x", 12_000, 12_000) == (12_000, 12_000)  # where so much is taken


def test_operations_before_the_start_do_not_count() -> None:
    instructions = parse("crop:width=1000/trim/pad:left=3/crop:width=12")
    assert size_after(instructions, Size(9, 9), start=2) == Size(12, 9)
    with pytest.raises(InvalidInstructions) as caught:
        size_after(instructions, Size(8, 9), start=2)
    assert caught.value.figures["pointer"] == "/3/width"


@pytest.mark.parametrize(
    ("given", "size", "wanted"),
    [(0.5, (40, 30), 15), (0.1, (40, 30), 3), (4, (40, 30), 4), (99, (40, 31), 15.5)],
)  # fmt: skip
def test_radius_is_half_the_shorter_side_at_the_most(
    given: float, size: tuple[int, int], wanted: float
) -> None:
    assert radius(Round(radius=given), Size(*size)) == wanted


def test_box_around_boxes() -> None:
    assert around_all([Box(5, 6, 1, 1)]) == Box(5, 6, 1, 1)
    assert around_all([Box(5, 6, 10, 1), Box(2, 9, 3, 20), Box(7, 7, 1, 1)]) == Box(2, 6, 13, 23)


def test_large_originals_may_be_made_smaller() -> None:
    assert after("flip:axis=x/resize:height=100", 65_535, 65_535) == (100, 100)


# --------------------------------------------------------------------------------- resize, always


def resize(**keys: Any) -> Resize:
    return Resize(**keys)


@given(SIZES, TARGETS, TARGETS)
@example(Size(1, 65_535), 16_383, 1)
@settings(max_examples=300)
def test_contain_fits_and_keeps_proportions(size: Size, width: int, height: int) -> None:
    made = scaling(resize(width=width, height=height), size).final
    assert 1 <= made.width <= min(width, size.width)
    assert 1 <= made.height <= min(height, size.height)
    # Each side is within half a pixel of the exact one, or is the one pixel that must remain.
    factor = min(width / size.width, height / size.height, 1)
    assert made.width == 1 or abs(made.width - size.width * factor) <= 0.501
    assert made.height == 1 or abs(made.height - size.height * factor) <= 0.501
    assert made == size or made.width == width or made.height == height


@given(SIZES, TARGETS)
def test_one_side_is_enough(size: Size, width: int) -> None:
    made = scaling(resize(width=width), size).final
    assert made.width == min(width, size.width)
    tall = scaling(resize(height=width), Size(size.height, size.width)).final
    assert (tall.height, tall.width) == (made.width, made.height)


@given(SIZES, TARGETS, TARGETS)
@settings(max_examples=300)
def test_cover_fills_the_box_where_the_source_is_large_enough(
    size: Size, width: int, height: int
) -> None:
    made = scaling(resize(width=width, height=height, fit="cover"), size)
    if width <= size.width and height <= size.height:
        assert made.final == Size(width, height)
    assert made.scaled.width >= made.final.width
    assert made.scaled.height >= made.final.height
    assert made.final.width <= min(width, size.width)
    assert made.final.height <= min(height, size.height)


@given(SIZES, TARGETS, TARGETS)
def test_cover_that_is_short_of_pixels_keeps_its_proportions(
    size: Size, width: int, height: int
) -> None:
    assume(width > size.width or height > size.height)
    made = scaling(resize(width=width, height=height, fit="cover"), size).final
    factor = max(width / size.width, height / size.height)
    assert made.width == 1 or abs(made.width - width / factor) <= 0.501
    assert made.height == 1 or abs(made.height - height / factor) <= 0.501
    assert made.width == size.width or made.height == size.height


@given(SIZES, TARGETS, TARGETS)
def test_exact_ones_are_exact(size: Size, width: int, height: int) -> None:
    box = Size(width, height)
    for fit in ("fill", "cover", "pad"):
        assert scaling(resize(width=width, height=height, fit=fit, enlarge=True), size).final == box
    padded = scaling(resize(width=width, height=height, fit="pad"), size)
    assert padded.final == box
    assert padded.scaled.width <= min(width, size.width)
    assert padded.scaled.height <= min(height, size.height)


@given(SIZES, TARGETS, TARGETS, FITS)
def test_nothing_is_enlarged_unasked(size: Size, width: int, height: int, fit: str) -> None:
    scaled = scaling(resize(width=width, height=height, fit=fit), size).scaled
    assert scaled.width <= size.width
    assert scaled.height <= size.height


@given(SIZES, st.integers(1, 2000), st.integers(1, 2000), FITS, st.floats(0.1, 8))
def test_dpr_multiplies_the_box(size: Size, width: int, height: int, fit: str, dpr: float) -> None:
    dense = resize(width=width, height=height, fit=fit, dpr=dpr)
    plain = resize(width=max(1, round(width * dpr)), height=max(1, round(height * dpr)), fit=fit)
    assert scaling(dense, size) == scaling(plain, size)


# ----------------------------------------------------------------------------------- crop, always

PARTS = st.floats(0, 1)


def is_inside(box: Box, size: Size) -> bool:
    across = box.x >= 0 and box.width >= 1 and box.x + box.width <= size.width
    return across and box.y >= 0 and box.height >= 1 and box.y + box.height <= size.height


@given(SIZES, st.data())
@settings(max_examples=200)
def test_crops_that_fit_stay_inside(size: Size, data: st.DataObject) -> None:
    width = data.draw(st.integers(1, size.width))
    height = data.draw(st.integers(1, size.height))
    gravity = data.draw(st.sampled_from(["center", "n", "ne", "e", "se", "s", "sw", "w", "nw"]))
    focus = data.draw(PARTS)
    for crop in (
        Crop(width=width, height=height, gravity=gravity),
        Crop(width=width, height=height, gravity="smart"),
        Crop(width=width, height=height, focus_x=focus, focus_y=1 - focus),
        Crop(width=width, height=height, x=size.width - width, y=size.height - height),
    ):
        box = crop_box(crop, size)
        assert (box.width, box.height) == (width, height)
        assert is_inside(box, size)


@given(SIZES, PARTS, PARTS, PARTS)
@settings(max_examples=300)
@example(Size(1, 1), 1.0, 0.5, 0.5)
@example(Size(15, 15), 0.3, 0.7, 0.7)
def test_parts_that_fit_stay_inside(size: Size, width: float, x: float, y: float) -> None:
    assume(width > 0)
    x, y = min(x, 1 - width), min(y, 1 - width)
    box = crop_box(Crop(width=width, height=width, x=x, y=y, unit="ratio"), size)
    assert is_inside(box, size)
    assert abs(box.width - width * size.width) <= 1


@given(SIZES, PARTS, PARTS)
def test_focus_is_as_near_the_middle_as_it_gets(size: Size, x: float, y: float) -> None:
    inner = Crop(
        width=(size.width + 1) // 2, height=(size.height + 1) // 2, focus_x=x, focus_y=y
    )  # fmt: skip
    box = crop_box(inner, size)
    middle = box.x + box.width / 2
    assert abs(middle - x * size.width) <= 1 or box.x in {0, size.width - box.width}


@pytest.mark.parametrize(
    ("gravity", "corner"),
    [("nw", (0, 0)), ("n", (35, 0)), ("ne", (70, 0)), ("w", (0, 10)), ("center", (35, 10)),
     ("e", (70, 10)), ("sw", (0, 20)), ("s", (35, 20)), ("se", (70, 20))],
)  # fmt: skip
def test_compass(gravity: str, corner: tuple[int, int]) -> None:
    assert place(gravity, Size(30, 30), Size(100, 50)) == corner


def test_margin_pushes_inwards() -> None:
    inner, outer = Size(30, 30), Size(100, 50)
    assert place("nw", inner, outer, 5) == (5, 5)
    assert place("se", inner, outer, 5) == (65, 15)
    assert place("center", inner, outer, 5) == place("center", inner, outer)


# --------------------------------------------------------------------------------- rotate, always


@given(SIZES, st.floats(-360, 360))
def test_turned_box_holds_the_picture(size: Size, angle: float) -> None:
    box = rotated(Rotate(angle=angle), size)
    diagonal = (size.width**2 + size.height**2) ** 0.5
    assert 1 <= box.width <= diagonal + 1
    assert min(size.width, size.height) - 1 <= min(box.width, box.height)
    back = rotated(Rotate(angle=-angle), size)
    assert abs(back.width - box.width) <= 1
    assert abs(back.height - box.height) <= 1


@given(SIZES)
def test_quarter_turns_are_exact(size: Size) -> None:
    turned = Size(size.height, size.width)
    for angle, expected in ((90, turned), (-90, turned), (270, turned), (180, size), (-180, size)):
        assert rotated(Rotate(angle=angle), size) == expected


TEXTS = st.lists(
    st.sampled_from([case[0] for case in EXAMPLES if "output" not in case[0]] + TOO_LARGE),
    min_size=1,
    max_size=4,
).map("/".join)


@given(TEXTS, SIZES)
@settings(max_examples=300)
def test_any_sequence_gives_a_size_or_a_refusal(text: str, size: Size) -> None:
    try:
        made = size_after(parse(text), size)
    except FilmrollError:
        return
    assert 1 <= made.width <= MAX_SIDE
    assert 1 <= made.height <= MAX_SIDE
