"""What the operations do to pixels, on pictures simple enough to know the answer."""

import math
import time
from itertools import pairwise
from urllib.parse import quote

import pytest

from filmroll.engine import pipeline
from filmroll.engine.glyphs import missing
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.model import Problem
from tests.unit.engine.pictures import LADYBIRD, flat, lossless, near, psnr

MARK, OTHER = "c" * 26, "d" * 26
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


def test_tiles_lie_as_bricks_in_a_wall() -> None:
    overlay = {MARK: flat(0, 0, 0, width=8, height=8).pngsave_buffer()}
    image = lossless(
        flat(255, 255, 255).pngsave_buffer(), f"watermark:image={MARK},tile=true,margin=8", overlay
    )
    assert image(4, 4) == image(20, 4) == image(12, 20) == image(44, 20) == [0, 0, 0]
    assert image(4, 36) == image(52, 36) == [0, 0, 0]
    assert image(12, 4) == image(4, 20) == image(60, 44) == [255, 255, 255]


@pytest.mark.parametrize("size", [(1, 1), (64, 48), (300, 20), (7, 200)])
@pytest.mark.parametrize("angle", [0, 30, 90, 180, -90, -30.5, 135])
def test_turned_tiles_cover_every_corner(angle: float, size: tuple[int, int]) -> None:
    overlay = {MARK: flat(0, 0, 0, width=9, height=5).pngsave_buffer()}
    white = flat(255, 255, 255, width=size[0], height=size[1]).pngsave_buffer()
    text = f"watermark:image={MARK},tile=true,margin=0,rotate={angle}"
    assert lossless(white, text, overlay).max() < 60  # 0, but for the softness of an edge


def test_turned_tiles_follow_the_angle() -> None:
    overlay = {MARK: flat(0, 0, 0, width=30, height=10).pngsave_buffer()}
    white = flat(255, 255, 255, width=200, height=200).pngsave_buffer()
    image = lossless(white, f"watermark:image={MARK},tile=true,margin=0.1,rotate=90", overlay)
    columns, rows = image[0].project()
    stripes, across = columns.cast("float"), rows.cast("float")
    assert stripes.deviate() > 3 * across.deviate()  # rows of bricks stand upright now


def test_tiles_leave_their_height_between_them_unless_told() -> None:
    overlay = {MARK: flat(0, 0, 0, width=8, height=6).pngsave_buffer()}
    white = flat(255, 255, 255).pngsave_buffer()
    alone = lossless(white, f"watermark:image={MARK},tile=true", overlay)
    told = lossless(white, f"watermark:image={MARK},tile=true,margin=6", overlay)
    assert psnr(alone, told) == math.inf


def test_several_watermarks_lie_over_each_other() -> None:
    marks = {MARK: flat(9, 9, 9).pngsave_buffer(), OTHER: flat(99, 99, 99).pngsave_buffer()}
    text = (
        f"watermark:image={MARK},position=nw/watermark:image={OTHER},position=se"
        f"/watermark:text=Hi,color=ff0000,position=center,size=20/watermark:image={MARK},scale=0.1"
    )
    image = lossless(flat(255, 255, 255, width=128, height=96).pngsave_buffer(), text, marks)
    assert (image(3, 3), image(110, 60), image(3, 90)) == ([9] * 3, [99] * 3, [255] * 3)
    assert near(image(124, 92), [9, 9, 9])
    middle = image.crop(44, 38, 40, 20)
    assert (middle[0] - middle[1]).max() > 150


@pytest.mark.parametrize("kind", [f"image={MARK}", "text=Filmroll%20Filmroll,size=200"])
@pytest.mark.parametrize("position", ["nw", "center", "se"])
def test_watermark_stays_within_its_margin(kind: str, position: str) -> None:
    overlay = {MARK: flat(255, 255, 255, width=900, height=300).pngsave_buffer()}
    dark = flat(0, 0, 0, width=200, height=100).pngsave_buffer()
    image = lossless(dark, f"watermark:{kind},position={position},margin=12", overlay)
    left, top, width, height = image.find_trim(threshold=30, background=[0, 0, 0])
    assert left >= 12
    assert top >= 12
    assert left + width <= 188
    assert top + height <= 88
    assert width >= 170  # and it is as large as that allows


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


def ink(
    text: str, keys: str = "", width: int = 400, height: int = 120
) -> tuple[int, int, int, int]:
    """Return where a white text is on a black picture: left, top, width, height."""
    dark = flat(0, 0, 0, width=width, height=height).pngsave_buffer()
    image = lossless(dark, f"watermark:text={quote(text)},size=24,position=nw{keys}")
    left, top, wide, high = image.find_trim(threshold=40, background=[0, 0, 0], line_art=True)
    return left, top, wide, high


FOX = "The quick brown fox jumps over the lazy dog"


@pytest.mark.parametrize("wrap", [0.2, 0.35, 0.6, 1])
def test_lines_are_wrapped_to_a_part_of_the_width(wrap: float) -> None:
    _left, _top, width, height = ink(FOX, f",wrap={wrap}", height=800)
    assert width <= 400 * wrap
    _left, _top, whole, line = ink(FOX, width=2000)
    assert height > 1.5 * line
    assert width > 0.6 * min(400 * wrap, whole)


def test_what_cannot_be_wrapped_gets_smaller() -> None:
    for text in ("W" * 40, FOX):
        left, top, width, height = ink(text, ",wrap=0.1,margin=4", height=60)
        assert left >= 4
        assert top >= 4
        assert 10 < width <= 40
        assert 0 < height <= 52


def test_short_text_is_not_changed_by_wrapping() -> None:
    assert ink("Short", ",wrap=0.9") == ink("Short")


def test_lines_share_the_side_that_align_says() -> None:
    lines = "Filmroll%0Aii"
    dark = flat(0, 0, 0, width=300, height=100).pngsave_buffer()

    def short(align: str, text: str = lines) -> int:
        keys = f"text={text},size=40,position=nw,align={align}"
        second = lossless(dark, f"watermark:{keys}").crop(0, 50, 300, 50)
        return int(second.find_trim(threshold=40, background=[0, 0, 0], line_art=True)[0])

    start, center, end = (short(align) for align in ("start", "center", "end"))
    assert start < 10
    assert 50 < center < 90
    assert end > 110
    # The start of Hebrew is on the right.
    hebrew = quote("שלוםשלום\nיי")
    assert short("start", hebrew) > short("center", hebrew) > short("end", hebrew)


def test_hebrew_runs_from_right_to_left() -> None:
    dark = flat(0, 0, 0, width=300, height=80).pngsave_buffer()
    image = lossless(dark, "watermark:text=" + quote("וווש") + ",size=60,position=nw")
    left, _top, width, _height = image.find_trim(threshold=40, background=[0, 0, 0], line_art=True)
    first = image.crop(left + width // 2, 0, width // 2, 80)  # three narrow letters, read first
    last = image.crop(left, 0, width // 2, 80)
    assert strokes(first) >= 2
    assert strokes(last) < strokes(image)


def strokes(image) -> int:
    """Return how many pieces of ink there are from left to right."""
    columns, _rows = (image[0] > 100).project()
    inked = [columns(x, 0)[0] > 0 for x in range(columns.width)]
    return sum(now and not before for before, now in pairwise([False, *inked]))


def test_arabic_letters_are_joined() -> None:
    dark = flat(0, 0, 0, width=400, height=100).pngsave_buffer()

    def pieces(text: str) -> int:
        return strokes(lossless(dark, f"watermark:text={quote(text)},size=60,position=nw"))

    assert pieces("سسس") == 1
    assert pieces("س س س") == 3


def test_emoji_faces_are_drawn() -> None:
    _left, _top, width, height = ink("😀")
    assert width == pytest.approx(height, abs=4)
    assert width > 12


@pytest.mark.parametrize(
    ("text", "named"),
    [("漢字", "漢 字"), ("ok 🐟", "🐟"), ("ไทย हि", "ไ ท ย ह ि"), ("漢漢", "漢")],
)
def test_what_no_font_can_draw_is_refused_and_named(text: str, named: str) -> None:
    [result] = pipeline.make(QUARTERS, [parse(f"watermark:text={quote(text)}")], {}, Limits())
    assert isinstance(result, Problem)
    assert result.code == "invalid-instructions"
    assert result.detail.endswith(f"no sign for {named}.")
    assert result.figures == {"pointer": "/0/text"}


def test_fonts_cover_what_the_documentation_says() -> None:
    there = "Tiếng Việt Ελλάδα Україна Հայաստան საქართველო שלום مرحبا بالعالم →★✓❤😀🙀"
    assert missing(there) == []
    assert sum(missing(chr(code)) == [] for code in range(0x1F600, 0x1F650)) == 64
    lacking = "漢かカ한हไ👍🐟🚀"
    assert missing(lacking) == [*lacking]


def test_joiners_spaces_and_looks_are_no_missing_letters() -> None:
    assert missing("a\u00a0b\u200d\u200f\u2009❤\ufe0f\nшΩ😀") == []
    assert missing("\U0010ffff") == ["\U0010ffff"]


def test_outline_lies_around_the_letters() -> None:
    grey = flat(128, 128, 128, width=300, height=120).pngsave_buffer()
    keys = "text=Film,size=80,position=center"
    plain = lossless(grey, f"watermark:{keys}")
    image = lossless(grey, f"watermark:{keys},outline=0.1,outline_color=0000ff")
    line, letters = image[2] - image[0].cast("short") > 150, plain[0] > 250
    assert (line & letters).max() == 0  # around, not over
    assert psnr(letters.ifthenelse(image, 0), letters.ifthenelse(plain, 0)) > 40
    x, y, width, height = plain.find_trim(threshold=60, background=[128] * 3, line_art=True)
    x0, y0, wide, high = image.find_trim(threshold=60, background=[128] * 3, line_art=True)
    assert (x - x0, y - y0) == (pytest.approx(8, abs=1), pytest.approx(8, abs=1))
    assert (wide - width, high - height) == (pytest.approx(16, abs=2), pytest.approx(16, abs=2))


def test_letters_can_be_hollow() -> None:
    grey = flat(128, 128, 128, width=300, height=120).pngsave_buffer()
    keys = "text=I,size=100,position=center,font=sans-bold,color=transparent"
    image = lossless(grey, f"watermark:{keys},outline=0.05,outline_color=ff0000")
    assert image(150, 60) == [128, 128, 128]
    assert image[0].max() == 255


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (40, 1)])
def test_wrapped_and_outlined_text_on_next_to_nothing(size: tuple[int, int]) -> None:
    dot = flat(0, 0, 0, width=size[0], height=size[1]).pngsave_buffer()
    for keys in ("wrap=0.01", "outline=0.5", "wrap=1,outline=0.5,tile=true,rotate=20,margin=9"):
        assert lossless(dot, f"watermark:text={quote(FOX)},{keys}").width == size[0]


def test_sharpenings_in_a_row_cost_their_sum() -> None:
    def seconds(times: int) -> float:
        text = "crop:width=400,height=300" + "/sharpen:sigma=10" * times
        start = time.process_time()
        lossless(LADYBIRD, text)
        return time.process_time() - start

    once = min(seconds(1) for _attempt in range(3))
    assert seconds(8) < 3 * 8 * once  # each had the one before done again: 9 × 8 of them


def test_white_turned_on_white_stays_white() -> None:
    for angle in (7, 30, 45.5):
        image = lossless(flat(*WHITE).pngsave_buffer(), f"rotate:angle={angle},background=ffffff")
        assert image.min() == 255


def test_tiny_mark_is_tiled_without_a_seam() -> None:
    sky = flat(*BLUE, width=1100, height=900).pngsave_buffer()
    mark = flat(*RED, width=1, height=1).pngsave_buffer()
    seen = lossless(sky, f"watermark:image={MARK},tile=true,margin=2", {MARK: mark})
    one = seen.crop(0, 0, 3, 6)  # two rows of bricks
    assert (seen == one.replicate(367, 150).crop(0, 0, 1100, 900)).min() == 255
    assert [one(x, y) for x, y in ((0, 0), (1, 0), (1, 3), (0, 3))] == [RED, BLUE, RED, BLUE]


def test_format_that_nobody_chose_is_refused() -> None:
    [problem] = pipeline.make(LADYBIRD, [parse("flip:axis=x/output:format=auto")], {}, Limits())
    assert isinstance(problem, Problem)
    assert (problem.code, problem.figures["pointer"]) == ("invalid-instructions", "/1/format")


@pytest.mark.parametrize("align", ["start", "center", "end"])
@pytest.mark.parametrize(("width", "height", "size"), [(16_000, 16, 4), (9_000, 40, 8)])
def test_lines_of_both_directions_on_a_wide_picture(
    width: int, height: int, size: int, align: str
) -> None:
    sky = flat(*BLUE, width=width, height=height).pngsave_buffer()
    text = quote("abc\nשלום", safe="")
    seen = lossless(sky, f"watermark:text={text},size={size},wrap=1,align={align}")
    assert seen.extract_band(0).max() > 100  # something is written


def test_lines_longer_than_can_be_drawn_are_refused() -> None:
    sky = flat(*BLUE, width=40_000, height=30).pngsave_buffer()
    text = f"watermark:text={quote('abc' + chr(10) + 'שלום', safe='')},size=8,wrap=1"
    [problem] = pipeline.make(sky, [parse(f"{text}/resize:width=100")], {}, Limits())
    assert isinstance(problem, Problem)
    assert (problem.code, problem.figures["pointer"]) == ("invalid-instructions", "/0/text")
