"""format=auto: what a picture shows, and the bytes, decide between the formats that are shown."""

from collections.abc import Callable

import pytest
import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.choosing import candidates
from filmroll.instructions import AUTO_FORMATS, Output
from tests import samples
from tests.unit.engine.pictures import DUNE, LADYBIRD, STORM, flat, load, make, psnr

BOTH, AVIF, WEBP, BASIC = AUTO_FORMATS
PHOTOGRAPHS = {"ladybird": LADYBIRD, "dune": DUNE, "storm": STORM}
LOGO = (samples.FIXTURES / "mark.png").read_bytes()
SHOWN = {
    BOTH: ("avif", "webp", "jpeg", "png"),
    AVIF: ("avif", "jpeg", "png"),
    WEBP: ("webp", "jpeg", "png"),
    BASIC: ("jpeg", "png"),
}


def drawing(width: int = 480, height: int = 320) -> pyvips.Image:
    """Return large plain shapes with sharp edges."""
    image = flat(255, 255, 255, width=width, height=height)
    for i, color in enumerate(([200, 30, 30], [20, 90, 200], [0, 0, 0], [240, 200, 0])):
        image = image.draw_circle(color, 60 + 110 * i, 160, 50, fill=True)
        image = image.draw_rect(color, 20 + 100 * i, 10, 40, 30, fill=True)
    return image


def cut_out() -> pyvips.Image:
    """Return a photograph that fades into nothing."""
    photo = load(LADYBIRD).thumbnail_image(300)
    fade = (pyvips.Image.xyz(photo.width, photo.height)[0] / photo.width * 255).cast("uchar")
    return photo.bandjoin(fade).copy(interpretation="srgb")


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize(
    ("choice", "expected"), [(BOTH, "avif"), (AVIF, "avif"), (WEBP, "webp"), (BASIC, "jpeg")]
)
def test_photographs(name: str, choice: str, expected: str) -> None:
    picture = make(PHOTOGRAPHS[name], f"resize:width=400/output:format={choice}")
    assert picture.format == expected
    assert (
        load(picture.data).get("vips-loader").startswith({"avif": "heif"}.get(expected, expected))
    )


@pytest.mark.parametrize(("choice", "expected"), [(BOTH, "webp"), (WEBP, "webp"), (BASIC, "png")])
def test_drawings_keep_every_pixel(choice: str, expected: str) -> None:
    source = drawing()
    picture = make(source.pngsave_buffer(), f"output:format={choice}")
    assert picture.format == expected
    assert psnr(load(picture.data), source) == float("inf")


@pytest.mark.parametrize(("choice", "exact"), [(WEBP, "webp"), (BASIC, "png")])
def test_drawings_without_loss_are_tried_as_webp_up_to_4_megapixels(
    choice: str, exact: str
) -> None:
    def tried(height: int) -> bool:
        ways = candidates(Canvas.of((drawing(2000, height),)), Output(format=choice))
        return (exact, True) in ways

    assert tried(2000)
    assert tried(2001) is (exact == "png")


@pytest.mark.parametrize("alpha", [False, True])
def test_few_colours_make_a_palette(alpha: bool) -> None:  # noqa: FBT001 -- pytest passes it so
    shapes = drawing()
    if alpha:
        hole = flat(255, width=480, height=320).draw_circle(0, 300, 100, 40, fill=True)
        shapes = shapes.bandjoin(hole).copy(interpretation="srgb")
    data = make(shapes.pngsave_buffer(), f"flip:axis=x/output:format={BASIC}").data
    image = load(data)
    assert image.get("palette") == 1
    if alpha:  # what cannot be seen may be anything
        image, shapes = image.premultiply(), shapes.premultiply()
    assert psnr(image, shapes.fliphor()) == float("inf")
    assert len(data) < 0.7 * len(drawing().fliphor().pngsave_buffer())


@pytest.mark.parametrize(
    ("choice", "expected"), [(BOTH, "avif"), (AVIF, "avif"), (WEBP, "webp"), (BASIC, "png")]
)
def test_what_shines_through_still_does(choice: str, expected: str) -> None:
    picture = make(cut_out().pngsave_buffer(), f"output:format={choice}")
    assert picture.format == expected
    image = load(picture.data)
    assert image(2, 100)[3] < 10
    assert image(297, 100)[3] > 240


def test_an_alpha_that_hides_nothing_does_not_make_a_png_of_a_photograph() -> None:
    source = load(LADYBIRD).addalpha().pngsave_buffer(compression=1)
    assert make(source, f"resize:width=300/output:format={BASIC}").format == "jpeg"


@pytest.mark.parametrize(
    ("choice", "expected"), [(BOTH, "webp"), (AVIF, "gif"), (WEBP, "webp"), (BASIC, "gif")]
)
@pytest.mark.parametrize("into", ["gif", "webp"])
def test_animations_stay_animations(into: str, choice: str, expected: str) -> None:
    source = samples.gif(5) if into == "gif" else samples.webp(160, 120, frames=5)
    picture = make(source, f"resize:width=80/output:format={choice}")
    assert (picture.format, picture.frames) == (expected, 5)
    assert load(picture.data, n=-1).get("n-pages") == 5


@pytest.mark.parametrize("choice", AUTO_FORMATS)
@pytest.mark.parametrize("into", samples.FORMATS)
def test_from_every_format_and_for_one_pixel(into: str, choice: str) -> None:
    for text in ("", "resize:width=1,height=1,fit=fill/"):
        picture = make(samples.make(into), f"{text}output:format={choice}")
        assert picture.format in SHOWN[choice]
        assert load(picture.data).width == picture.width


SOURCES: dict[str, Callable[[], bytes]] = {
    "photograph": lambda: load(STORM).thumbnail_image(300).pngsave_buffer(),
    "drawing": lambda: drawing().pngsave_buffer(),
    "cut out": lambda: cut_out().pngsave_buffer(),
    "logo": lambda: LOGO,
    "thumbnail": lambda: samples.png(24, 16),
    "grain": lambda: samples.encoded(
        pyvips.Image.gaussnoise(200, 150, sigma=40, mean=128, seed=1).cast("uchar"), ".png"
    ),
}


@pytest.mark.parametrize("choice", AUTO_FORMATS)
@pytest.mark.parametrize("name", SOURCES)
def test_no_other_format_would_be_much_smaller(name: str, choice: str) -> None:
    source = SOURCES[name]()
    chosen = make(source, f"output:format={choice}")
    clear = chosen.format == "png" or load(source).hasalpha()
    others = [kind for kind in SHOWN[choice] if not (clear and kind == "jpeg")]
    sizes = [len(make(source, f"output:format={kind}").data) for kind in others]
    assert len(chosen.data) <= 1.1 * min(sizes) + 30


def stored(form: str, quality: int) -> bytes:
    """Return a photograph as a file of some quality; a PNG, which has none, as small as can be."""
    photo = load(DUNE).thumbnail_image(400)
    options = {"compression": 9} if form == "png" else {"Q": quality}
    return samples.encoded(photo, {"jpeg": ".jpg"}.get(form, f".{form}"), keep="none", **options)


@pytest.mark.parametrize("quality", [20, 50, 95])
@pytest.mark.parametrize(
    ("choice", "into"), [(choice, into) for choice, shown in SHOWN.items() for into in shown]
)
def test_not_larger_than_the_source_of_the_same_size(choice: str, into: str, quality: int) -> None:
    source = stored(into, quality)
    picture = make(source, f"output:format={choice}")
    assert len(picture.data) <= len(source)
    assert psnr(load(picture.data), load(source)) > 24  # and still the picture


def test_no_colours_are_given_up_to_be_as_small_as_the_source() -> None:
    shades = pyvips.Image.xyz(300, 200) % [150, 100]
    source = (shades.bandjoin(90) * [1, 2, 1]).cast("uchar").copy(interpretation="srgb")
    small = source.pngsave_buffer(compression=9, filter="all", effort=10)
    picture = make(small, f"output:format={BASIC},lossless=true")
    assert picture.format == "png"
    assert psnr(load(picture.data), source) == float("inf")


def test_who_cannot_show_the_source_gets_a_sound_picture_all_the_same() -> None:
    source = stored("avif", 20)
    picture = make(source, f"output:format={BASIC}")
    assert picture.data == make(source, "output:format=jpeg").data


def test_lossless_is_so_in_whatever_format() -> None:
    source = load(LADYBIRD).thumbnail_image(120)
    for choice, expected in ((BOTH, "webp"), (AVIF, "png"), (WEBP, "webp"), (BASIC, "png")):
        picture = make(source.pngsave_buffer(), f"output:format={choice},lossless=true")
        assert picture.format == expected
        assert psnr(load(picture.data), source) == float("inf")


def test_the_same_every_time() -> None:
    text = f"resize:width=160/output:format={BOTH},quality=auto,max_bytes=2500"
    assert make(LADYBIRD, text) == make(LADYBIRD, text)
