"""trim, pad, blur, sharpen, pixelate, adjust, grayscale and round, pixel by pixel."""

import math

import pytest
import pyvips

from filmroll.engine import loaders, pipeline
from filmroll.engine.steps.blur import blurred
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.model import Problem
from tests import samples
from tests.unit.engine.pictures import LADYBIRD, flat, load, lossless, make, near, psnr

WHITE, GREY, RED = (255, 255, 255), (128, 128, 128), (255, 0, 0)
LOOKS = [
    "trim",
    "pad:left=3,top=2,background=ff000080",
    "blur:sigma=0.1",
    "blur:sigma=3",
    "blur:sigma=250",
    "sharpen",
    "sharpen:sigma=10",
    "pixelate:size=2",
    "pixelate:size=16383",
    "adjust:brightness=1.1,contrast=0.9,saturation=2,hue=40",
    "grayscale",
    "round",
    "round:radius=5,background=00ff00",
]


def refused(data: bytes, text: str) -> Problem:
    [result] = pipeline.make(data, [parse(text)], {}, Limits())
    assert isinstance(result, Problem), result
    return result


def png(image: pyvips.Image) -> bytes:
    data: bytes = image.pngsave_buffer()
    return data


def framed(inner: pyvips.Image, color, *border: int) -> bytes:
    left, top, right, bottom = border
    width, height = left + inner.width + right, top + inner.height + bottom
    return png(inner.embed(left, top, width, height, extend="background", background=color))


# ------------------------------------------------------------------------------------ any picture


@pytest.mark.parametrize("text", LOOKS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 3)])
@pytest.mark.parametrize("bands", [3, 4])
def test_on_next_to_nothing(text: str, size: tuple[int, int], bands: int) -> None:
    dot = flat(*(10, 20, 30, 100)[:bands], width=size[0], height=size[1])
    added = (3, 2) if text.startswith("pad") else (0, 0)
    image = lossless(png(dot), text)
    assert (image.width, image.height) == (size[0] + added[0], size[1] + added[1])


@pytest.mark.parametrize("text", LOOKS)
@pytest.mark.parametrize("interpretation", ["b-w", "grey16", "rgb16", "cmyk"])
def test_on_grey_deep_and_printed_pictures(text: str, interpretation: str) -> None:
    photo = load(LADYBIRD).resize(0.1)
    data = photo.colourspace(interpretation).tiffsave_buffer()
    straight = load(make(photo.tiffsave_buffer(), f"{text}/output:format=png").data)
    image = lossless(data, text)
    assert (image.width, image.height) == (straight.width, straight.height)
    if interpretation in {"rgb16", "grey16"}:  # 8 bits are left of it, and the same steps done
        gray = interpretation == "grey16"
        alike = load(
            make(photo.colourspace("b-w").tiffsave_buffer(), f"{text}/output:format=png").data
        )
        assert psnr(image, alike if gray else straight) > 30


@pytest.mark.parametrize("text", ["blur:sigma=9", "blur:sigma=0.5", "sharpen", "pixelate:size=9"])
@pytest.mark.parametrize("color", [(200, 100, 50), (200, 100, 50, 90), (0, 0, 0), (255, 255, 255)])
def test_one_color_stays_that_color(text: str, color: tuple[int, ...]) -> None:
    image = lossless(png(flat(*color)), text)
    for x, y in ((0, 0), (63, 47), (30, 20)):
        assert near(image(x, y), list(color), 1)


@pytest.mark.parametrize("text", ["blur:sigma=2", "blur:sigma=30", "pixelate:size=10", "sharpen"])
def test_what_is_transparent_lends_no_color(text: str) -> None:
    hidden_green = flat(0, 255, 0, 0, width=33).join(flat(200, 0, 0, 255, width=33), "horizontal")
    image = lossless(png(hidden_green), text)
    visible = image[3] > 8  # of which 8 bits still say the colour
    assert (visible & (image[1] > 3)).max() == 0
    assert (visible & (image[0] < 190)).max() == 0


@pytest.mark.parametrize(
    "text",
    ["blur:sigma=3", "pixelate:size=8", "trim", "pad:top=4", "sharpen", "grayscale", "round"],
)
def test_before_a_resize_every_pixel_is_decoded(text: str) -> None:
    source = loaders.open_source(LADYBIRD, Limits())
    assert pipeline.decoded(source, [parse(f"{text}/resize:width=120")]).grain == (1, 1)
    assert pipeline.decoded(source, [parse(f"resize:width=120/{text}")]).grain == (4, 4)


# ------------------------------------------------------------------------------------------- trim

THING = flat(10, 60, 200, width=20, height=10)


@pytest.mark.parametrize("color", [WHITE, (0, 0, 0), (200, 180, 10)])
def test_trim_keeps_what_stands_out(color: tuple[int, ...]) -> None:
    image = lossless(framed(THING, color, 5, 8, 13, 1), "trim")
    assert (image.width, image.height) == (20, 10)
    assert psnr(image, THING) == math.inf


@pytest.mark.parametrize(("threshold", "width"), [(0, 60), (4, 60), (18, 40), (90, 20)])
def test_trim_threshold(threshold: int, width: int) -> None:
    middle = THING.embed(10, 10, 40, 30, extend="background", background=[90, 90, 90])
    outer = middle.embed(10, 10, 60, 50, extend="background", background=[105, 105, 105])
    image = lossless(framed(outer, (110, 110, 110), 9, 9, 9, 9), f"trim:threshold={threshold}")
    assert image.width == width


def test_trim_of_a_named_color_leaves_others() -> None:
    data = framed(THING, WHITE, 5, 5, 5, 5)
    assert lossless(data, "trim:background=fff").width == 20
    assert lossless(data, "trim:background=f00").width == 30
    assert lossless(data, "trim:background=transparent").width == 30
    black = framed(THING, (0, 0, 0), 5, 5, 5, 5)
    assert lossless(black, "trim:background=transparent").width == 30
    assert lossless(black, "trim:background=black").width == 20


def test_trim_of_what_is_transparent_whatever_color_hides_there() -> None:
    noise = samples.picture(40, 30).bandjoin(0).cast("uchar").copy(interpretation="srgb")
    data = png(noise.insert(THING.addalpha(), 11, 7))
    for text in ("trim", "trim:background=transparent"):
        assert (lossless(data, text).width, lossless(data, text).height) == (20, 10)


def test_trim_sees_past_the_grain_of_a_jpeg() -> None:
    photo = load(LADYBIRD).resize(0.25)
    data = photo.embed(20, 20, photo.width + 40, photo.height + 40, extend="white")
    image = lossless(data.jpegsave_buffer(Q=60), "trim:threshold=25")
    assert image.width == pytest.approx(photo.width, abs=8)


def test_trim_of_a_single_color_changes_nothing() -> None:
    for data in (png(flat(9, 9, 9)), png(flat(9, 9, 9, 0)), png(flat(9, 9, 9, width=1, height=1))):
        straight = load(data)
        assert (lossless(data, "trim").width, lossless(data, "trim").height) == (
            straight.width,
            straight.height,
        )


def test_trim_keeps_what_any_frame_shows() -> None:
    sheet = flat(*WHITE, width=60, height=40)
    frames = [sheet.insert(THING, 5, 5), sheet, sheet.insert(THING, 30, 20)]
    strip = pyvips.Image.arrayjoin(frames, across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", 40)
    strip.set_type(pyvips.GValue.array_int_type, "delay", [100] * 3)
    picture = make(strip.webpsave_buffer(lossless=True), "trim/output:lossless=true")
    assert (picture.frames, picture.width, picture.height) == (3, 45, 25)
    image = load(picture.data, n=-1)
    assert near(image(2, 2)[:3], [10, 60, 200], 1)
    assert near(image(40, 20)[:3], list(WHITE), 1)
    assert near(image(40, 50 + 20)[:3], [10, 60, 200], 1)


def test_crop_that_leaves_what_a_trim_left_is_refused_with_its_place() -> None:
    data = framed(THING, WHITE, 30, 30, 30, 30)
    assert lossless(data, "trim/crop:width=20,height=10").width == 20
    problem = refused(data, "flip:axis=x/trim/crop:width=21")
    assert problem.code == "invalid-instructions"
    assert problem.figures["pointer"] == "/2/width"
    assert problem.figures["limit"] == 20


def test_what_would_grow_too_large_after_a_trim_is_refused() -> None:
    data = framed(flat(*RED, width=2, height=300), WHITE, 150, 1, 150, 1)
    assert lossless(data, "resize:width=900,enlarge=true").height == 900
    problem = refused(data, "trim/resize:width=900,enlarge=true")
    assert problem.code == "too-many-pixels"
    assert problem.figures["pointer"] == "/1"


# -------------------------------------------------------------------------------------------- pad


def test_pad_adds_each_side_as_told() -> None:
    image = lossless(png(THING), "pad:top=1,right=2,bottom=3,left=4,background=ff0000")
    assert (image.width, image.height) == (26, 14)
    inner = image.crop(4, 1, 20, 10)
    assert psnr(inner, THING) == math.inf
    for x, y in ((3, 5), (24, 5), (10, 0), (10, 11), (0, 0), (25, 13)):
        assert image(x, y) == list(RED)


def test_pad_is_transparent_unless_told_and_its_color_lies_behind() -> None:
    assert lossless(png(THING), "pad:left=2")(1, 5) == [0, 0, 0, 0]
    glass = png(flat(255, 0, 0, 0))
    seen = lossless(glass, "pad:left=2,background=00f")
    assert near(seen(0, 0)[:3], [0, 0, 255])
    assert near(seen(20, 20)[:3], [0, 0, 255])
    assert near(lossless(png(THING), "pad:left=2,background=0000ff88")(0, 0), [0, 0, 255, 136])


# ------------------------------------------------------------------------------------------- blur


@pytest.mark.parametrize("sigma", [0.1, 1, 4, 5.9, 6, 13, 40])
@pytest.mark.parametrize("alpha", [False, True])
def test_blur_is_a_gaussian_however_large(sigma: float, *, alpha: bool) -> None:
    photo = load(LADYBIRD).resize(0.5).crop(50, 20, 411, 307)
    exact = photo.gaussblur(sigma, precision="float", min_ampl=0.01)
    source = photo.addalpha() if alpha else photo
    seen = lossless(png(source), f"blur:sigma={sigma}").extract_band(0, n=3)
    assert psnr(seen, exact) > 42


def test_largest_blur_of_a_large_picture() -> None:
    large = flat(*RED, width=6000, height=4000).insert(flat(*GREY, width=3000, height=4000), 0, 0)
    source = large.addalpha().copy_memory()
    soft = blurred(source.premultiply(), 250).copy_memory()
    assert near(soft(10, 2000), [*GREY, 255], 1)
    assert near(soft(5990, 2000), [*RED, 255], 1)
    assert near(soft(3000, 2000), [191.5, 64, 64, 255], 2)


# ---------------------------------------------------------------------------------------- sharpen


def test_sharpen_raises_the_contrast_of_an_edge_and_leaves_the_rest() -> None:
    edge = flat(90, 90, 90, width=32).join(flat(160, 160, 160, width=32), "horizontal")
    image = lossless(png(edge.gaussblur(1)), "sharpen:sigma=1.5")
    assert min(image(x, 20)[0] for x in range(24, 40)) < 88
    assert max(image(x, 20)[0] for x in range(24, 40)) > 162
    assert near(image(3, 20), [90] * 3, 1)
    assert near(image(60, 20), [160] * 3, 1)


def test_sharpen_leaves_no_rim_where_something_ends() -> None:
    disc = flat(120, 60, 60, 255, width=41, height=41)
    seen = lossless(png(disc), "round/sharpen:sigma=3")
    visible = seen[3] > 200
    off = (seen[0].cast("short") - 120).abs()
    assert visible.ifthenelse(off, 0).max() <= 2


# --------------------------------------------------------------------------------------- pixelate


def test_squares_have_their_mean_color() -> None:
    photo = samples.picture(64, 48)
    image = lossless(png(photo), "pixelate:size=16")
    for x in (0, 16, 48):
        for y in (0, 32):
            square = photo.crop(x, y, 16, 16)
            wanted = [square[band].avg() for band in range(3)]
            assert near(image(x, y), wanted, 1)
            assert image(x, y) == image(x + 15, y + 15)
    assert image(0, 0) != image(16, 0)


def test_squares_at_the_edge_are_cut_off() -> None:
    photo = samples.picture(50, 30)
    image = lossless(png(photo), "pixelate:size=16")
    edge = photo.crop(48, 16, 2, 14)
    assert near(image(49, 29), [edge[band].avg() for band in range(3)], 6)
    whole = lossless(png(photo), "pixelate:size=9999")
    assert near(whole(0, 0), [photo[band].avg() for band in range(3)], 1)
    assert whole(0, 0) == whole(49, 29)


# ------------------------------------------------------------------------------ adjust, grayscale


@pytest.mark.parametrize(
    ("keys", "before", "after"),
    [
        ("brightness=0", (10, 100, 200), (0, 0, 0)),
        ("brightness=1.5", (10, 100, 200), (15, 150, 255)),
        ("contrast=0", (10, 100, 200), (128, 128, 128)),
        ("contrast=2", (10, 100, 200), (0, 72, 255)),
        ("contrast=0.5", (0, 128, 255), (64, 128, 191)),
        ("saturation=0", (255, 0, 0), (54, 54, 54)),
        ("saturation=0", (0, 255, 0), (182, 182, 182)),
        ("saturation=0", (0, 0, 255), (18, 18, 18)),
        ("saturation=2", (128, 128, 128), (128, 128, 128)),
        ("saturation=0.5", (200, 100, 50), (158, 108, 83)),
        ("hue=180", (255, 0, 0), (0, 109, 109)),  # as browsers show hue-rotate(180deg) of red
        ("hue=90", (255, 0, 0), (0, 91, 0)),
        ("hue=-90", (255, 0, 0), (109, 18, 255)),
        ("hue=120", (90, 90, 90), (90, 90, 90)),
        ("brightness=2,contrast=0.5", (100, 150, 200), (164, 214, 255)),
        ("brightness=4,contrast=0.25", (100, 100, 100), (196, 196, 196)),
    ],
)
def test_adjust_is_what_css_does(
    keys: str, before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    assert near(lossless(png(flat(*before)), f"adjust:{keys}")(5, 5), list(after), 1)
    glass = lossless(png(flat(*before, 77)), f"adjust:{keys}")
    assert near(glass(5, 5), [*after, 77], 1)


def test_hue_goes_around_once() -> None:
    photo = load(LADYBIRD).resize(0.2)
    soft = lossless(png(photo), "adjust:saturation=0.3,contrast=0.7")
    around = lossless(png(soft), "/".join(["adjust:hue=60"] * 6))
    assert psnr(around, soft) > 40


def test_grayscale_keeps_lightness_alone() -> None:
    image = lossless(LADYBIRD, "resize:width=200/grayscale")
    assert image.bands == 3
    assert psnr(image[0], image[1]) == psnr(image[1], image[2]) == math.inf
    lightness = lossless(LADYBIRD, "resize:width=200").colourspace("lab")[0]
    assert (image.colourspace("lab")[0] - lightness).abs().max() < 1
    assert near(lossless(png(flat(255, 0, 0, 40)), "grayscale")(1, 1), [127, 127, 127, 40], 1)


# ------------------------------------------------------------------------------------------ round


def test_round_makes_a_disc_of_a_square() -> None:
    image = lossless(png(flat(*RED, width=101, height=101)), "round")
    assert image(0, 0)[3] == image(100, 0)[3] == image(0, 100)[3] == image(100, 100)[3] == 0
    assert image(50, 0)[3] == image(0, 50)[3] == image(100, 50)[3] == image(50, 100)[3] == 255
    covered = image[3].avg() / 255
    assert covered == pytest.approx(math.pi / 4, rel=0.005)
    for turned in (image.fliphor(), image.flipver(), image.rot90()):
        assert psnr(turned, image) == math.inf


@pytest.mark.parametrize(
    ("radius", "pixels"), [("8", 8), ("0.25", 10), ("0.5", 20), ("20", 20), ("16383", 20)]
)
def test_radius_in_pixels_and_parts(radius: str, pixels: int) -> None:
    image = lossless(png(flat(*RED, width=60, height=40)), f"round:radius={radius}")
    top = [image(x, 0)[3] for x in range(60)]
    straight = [x for x, alpha in enumerate(top) if alpha == 255]
    # The outermost row of an arc is still over half covered a little way into the corner.
    assert pixels - math.sqrt(2 * pixels) - 1 <= straight[0] <= pixels
    assert straight[-1] == 59 - straight[0]
    missing = 60 * 40 * (1 - image[3].avg() / 255)
    assert missing == pytest.approx((4 - math.pi) * pixels**2, rel=0.05)


def test_round_corners_of_a_jpeg_are_white_or_the_background() -> None:
    data = png(flat(*RED))
    white = load(make(data, "round/output:format=jpeg,quality=95").data)
    blue = load(make(data, "round:background=00f/output:format=jpeg,quality=95").data)
    assert near(white(0, 0), list(WHITE), 12)
    assert near(blue(0, 0), [0, 0, 255], 12)
    assert near(white(32, 24), list(RED), 12)


def test_round_keeps_what_was_transparent() -> None:
    assert lossless(png(flat(*RED, 100)), "round:radius=4")(30, 20) == [255, 0, 0, 100]
