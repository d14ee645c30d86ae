"""Whatever goes in, right 8-bit sRGB without a profile comes out: known pixels, known values."""

import pytest
import pyvips

from tests.unit.engine.pictures import flat, load, lossless, make, near

RED, GRAY = [200, 40, 60], [128, 128, 128]
BRICK = [180, 90, 80]  # can be printed


def pixel(data: bytes, text: str = "") -> list[float]:
    image = lossless(data, text)
    assert (image.format, image.interpretation) == ("uchar", "srgb")
    assert not image.get_typeof("icc-profile-data")
    return image(20, 20)


def test_wide_gamut_is_converted() -> None:
    in_p3 = flat(*RED).icc_transform("p3", input_profile="srgb")
    data = in_p3.jpegsave_buffer(Q=100, subsample_mode="off", profile="p3")
    stored = load(data)(20, 20)
    assert not near(stored, RED, 10)  # the numbers themselves are others
    assert near(pixel(data), RED)
    assert near(pixel(data, "resize:width=16/resize:width=64,enlarge=true"), RED)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("profile", ["srgb", "p3"])
def test_sixteen_bits(profile: str, *, alpha: bool) -> None:
    image = flat(*RED)
    if profile == "p3":
        image = image.icc_transform("p3", input_profile="srgb")
    deep = image.colourspace("rgb16")
    if alpha:
        deep = deep.bandjoin(32768).copy(interpretation="rgb16")
    data = deep.cast("ushort").pngsave_buffer(bitdepth=16, profile=profile)
    assert load(data).format == "ushort"
    assert near(pixel(data), [*RED, 128] if alpha else RED)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_deep_avif(bits: int) -> None:
    deep = flat(*RED).colourspace("rgb16")
    data = deep.heifsave_buffer(compression="av1", bitdepth=bits, Q=95, effort=0)
    assert near(pixel(data), RED)


def test_cmyk_without_a_profile() -> None:
    data = flat(*BRICK).icc_transform("cmyk", input_profile="srgb").jpegsave_buffer(Q=100)
    assert load(data).interpretation == "cmyk"
    assert near(pixel(data), BRICK, 9)  # there and back again through libvips' table for paper


def test_cmyk_with_its_profile() -> None:
    data = flat(*BRICK).icc_transform("cmyk", input_profile="srgb").tiffsave_buffer(profile="cmyk")
    assert near(pixel(data), BRICK, 9)  # there and back again through libvips' table for paper


@pytest.mark.parametrize("kind", ["b-w", "grey16"])
def test_gray(kind: str) -> None:
    data = flat(*GRAY).colourspace(kind).pngsave_buffer()
    assert load(data).bands == 1
    assert near(pixel(data), GRAY, 1)


def test_gray_with_alpha() -> None:
    data = flat(*GRAY, 100).colourspace("b-w").pngsave_buffer()
    assert near(pixel(data), [*GRAY, 100], 1)


def test_lab() -> None:
    assert near(pixel(flat(*RED).colourspace("lab").tiffsave_buffer()), RED)


def test_one_bit() -> None:
    data = (flat(255, 255, 255).colourspace("b-w") > 9).pngsave_buffer(bitdepth=1)
    assert pixel(data) == [255, 255, 255]


def test_profile_that_is_broken_is_ignored() -> None:
    image = flat(*RED).copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", b"not a profile" * 20)
    assert near(pixel(image.pngsave_buffer()), RED)


def test_color_under_transparent_pixels_does_not_bleed() -> None:
    left = flat(255, 0, 0, 255, width=101, height=99)
    right = flat(0, 255, 0, 0, width=99, height=99)
    edge = lossless(left.join(right, "horizontal").pngsave_buffer(), "resize:width=50")
    row = [edge(x, 12) for x in range(50)]
    assert all(green <= 1 for _red, green, _blue, alpha in row if alpha > 8)


def test_transparent_becomes_white_where_the_format_has_no_alpha() -> None:
    data = make(flat(255, 0, 0, 0).pngsave_buffer(), "output:format=jpeg").data
    assert near(load(data)(20, 20), [255, 255, 255])
