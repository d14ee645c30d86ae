"""What the operations do to pixels, on pictures simple enough to know the answer."""

import pytest

from filmroll.engine import pipeline
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.model import Problem
from tests.unit.engine.pictures import LADYBIRD, flat, lossless, near, psnr

MARK = "c" * 26
RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]
QUARTERS = (
    flat(*RED)
    .join(flat(*GREEN), "horizontal")
    .join(flat(*BLUE).join(flat(*WHITE), "horizontal"), "vertical")
    .pngsave_buffer()
)  # fmt: skip -- 128 × 96: red, green / blue, white


def corners(image):
    right, bottom = image.width - 4, image.height - 4
    return [image(x, y) for x, y in ((3, 3), (right, 3), (3, bottom), (right, bottom))]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("flip:axis=x", [GREEN, RED, WHITE, BLUE]),
        ("flip:axis=y", [BLUE, WHITE, RED, GREEN]),
        ("rotate:angle=90", [BLUE, RED, WHITE, GREEN]),
        ("rotate:angle=-90", [GREEN, WHITE, RED, BLUE]),
        ("rotate:angle=180", [WHITE, BLUE, GREEN, RED]),
        ("crop:width=32,height=32,gravity=se", [WHITE] * 4),
        ("crop:width=0.5,height=0.5,unit=ratio,x=0.5,y=0", [GREEN] * 4),
        ("resize:width=48,height=96,fit=fill", [RED, GREEN, BLUE, WHITE]),
        ("resize:width=40,height=40,fit=cover,gravity=w", [RED, GREEN, BLUE, WHITE]),
        ("resize:width=128,height=20,fit=cover,focus_x=0.5,focus_y=0", [RED, GREEN] * 2),
    ],
)
def test_corners(text: str, wanted: list[list[int]]) -> None:
    seen = corners(lossless(QUARTERS, text))
    assert all(near(a, b) for a, b in zip(seen, wanted, strict=True)), seen


def test_turn_is_clockwise_and_about_the_middle() -> None:
    image = lossless(QUARTERS, "rotate:angle=45")
    middle, across = image.width // 2, image.height // 2
    assert near(image(middle - 30, across), [*BLUE, 255])
    assert near(image(middle + 30, across), [*GREEN, 255])
    assert near(image(middle, across + 30), [*WHITE, 255])
    assert near(image(middle, across - 30), [*RED, 255])
    assert all(pixel[3] == 0 for pixel in corners(image))


def test_full_turn_in_small_ones_comes_back() -> None:
    image = lossless(LADYBIRD, "resize:width=300/rotate:angle=30/rotate:angle=-30")
    x, y = (image.width - 200) // 2, (image.height - 100) // 2
    straight = lossless(LADYBIRD, "resize:width=300")
    x0, y0 = (straight.width - 200) // 2, (straight.height - 100) // 2
    seen = image.crop(x, y, 200, 100).flatten()
    assert psnr(seen, straight.crop(x0, y0, 200, 100)) > 30


@pytest.mark.parametrize("color", ["ff8000", "00000080", None])
def test_background_of_pad_and_rotate(color: str | None) -> None:
    given = f",background={color}" if color else ""
    wanted = {"ff8000": [255, 128, 0], "00000080": [0, 0, 0, 128], None: [0, 0, 0, 0]}[color]
    padded = lossless(QUARTERS, f"resize:width=100,height=100,fit=pad{given}")
    turned = lossless(QUARTERS, f"rotate:angle=45{given}")
    assert near(padded(2, 2), wanted)
    assert near(turned(2, 2), wanted)


def test_background_shows_through_the_picture() -> None:
    glass = flat(255, 0, 0, 0).pngsave_buffer()
    assert near(lossless(glass, "resize:width=32,background=0000ff")(5, 5), BLUE)


def test_pad_puts_the_picture_where_the_compass_points() -> None:
    image = lossless(QUARTERS, "resize:width=128,height=200,fit=pad,gravity=s,background=000000")
    assert near(image(3, 3), [0, 0, 0])
    assert near(image(3, 106), RED)
    assert near(image(124, 196), WHITE)


def test_smart_crop_finds_the_ladybird() -> None:
    cut = "width=300,height=300,gravity=smart"
    # The beetle sits at 70 % of the width: the left third of the picture is out of the question.
    for text in (f"crop:{cut}", f"resize:{cut},fit=cover"):
        image = lossless(LADYBIRD, text)
        redness = image[0].cast("float") - image[1].cast("float")
        assert redness.max() > 120


@pytest.mark.parametrize(
    ("position", "x", "y"), [("nw", 10, 10), ("center", 64, 48), ("se", 117, 85)]
)
def test_watermark_stands_where_the_compass_points(position: str, x: int, y: int) -> None:
    overlay = {MARK: flat(9, 9, 9, width=10, height=10).pngsave_buffer()}
    text = f"watermark:image={MARK},position={position},margin=5"
    image = lossless(QUARTERS, text, overlay)
    assert image.bands == 3
    assert near(image(x, y), [9, 9, 9])
    assert not near(image(2, 48), [9, 9, 9])


def test_watermark_opacity_and_scale() -> None:
    overlay = {MARK: flat(0, 0, 0).pngsave_buffer()}
    text = f"watermark:image={MARK},scale=1,opacity=0.5,position=center"
    assert near(lossless(flat(200, 200, 200).pngsave_buffer(), text, overlay)(30, 20), [100] * 3)


def test_watermark_larger_than_the_picture_is_made_to_fit() -> None:
    overlay = {MARK: flat(1, 2, 3, width=900, height=900).pngsave_buffer()}
    image = lossless(QUARTERS, f"watermark:image={MARK},position=center", overlay)
    assert near(image(64, 48), [1, 2, 3])
    assert near(image(3, 3), RED)


def test_tiles_cover_the_picture() -> None:
    overlay = {MARK: flat(0, 0, 0, width=8, height=8).pngsave_buffer()}
    image = lossless(
        flat(255, 255, 255).pngsave_buffer(), f"watermark:image={MARK},tile=true,margin=8", overlay
    )
    assert image(4, 4) == image(20, 20) == image(52, 36) == [0, 0, 0]
    assert image(12, 12) == image(60, 44) == [255, 255, 255]


def test_text_is_drawn_in_its_color_and_not_read_as_markup() -> None:
    dark = flat(0, 0, 0, width=300, height=80).pngsave_buffer()
    text = "watermark:text=%3Cb%3E%26%20%C3%84%3C%2Fb%3E,size=40,color=ff0000,position=center"
    image = lossless(dark, text)
    assert image[0].max() == 255
    assert image[1].max() == image[2].max() == 0
    plain = lossless(dark, "watermark:text=%26%20%C3%84,size=40,color=ff0000,position=center")
    assert image[0].avg() > 1.5 * plain[0].avg()  # the tags were drawn, not obeyed


def test_bold_is_bolder() -> None:
    dark = flat(0, 0, 0, width=300, height=80).pngsave_buffer()
    thin = lossless(dark, "watermark:text=Filmroll,size=40")
    bold = lossless(dark, "watermark:text=Filmroll,size=40,font=sans-bold")
    assert bold.avg() > 1.2 * thin.avg()


@pytest.mark.parametrize("size", [24, 48, 64])
def test_text_is_as_large_as_asked(size: int) -> None:
    dark = flat(0, 0, 0, width=400, height=100).pngsave_buffer()
    image = lossless(dark, f"watermark:text=H,size={size},position=center")
    _left, _top, _width, height = (image[0] > 128).find_trim(threshold=1, background=0)
    assert height == pytest.approx(0.73 * size, abs=1.5)  # a capital of this font


def test_longest_text_in_the_largest_letters_fits() -> None:
    text = "W" * 500
    image = lossless(flat(0, 0, 0, width=640).pngsave_buffer(), f"watermark:text={text},size=2000")
    assert image.max() > 20


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (40, 1)])
def test_text_on_next_to_nothing(size: tuple[int, int]) -> None:
    width, height = size
    dot = flat(0, 0, 0, width=width, height=height).pngsave_buffer()
    for text in ("Hello", "Hello,tile=true", "Hello,rotate=30,scale=0.5"):
        assert lossless(dot, f"watermark:text={text}").width == width


def test_text_without_ink_is_refused() -> None:
    [result] = pipeline.make(QUARTERS, [parse("watermark:text=%E2%A0%80")], {}, Limits())
    assert isinstance(result, Problem)
    assert result.code == "invalid-instructions"
