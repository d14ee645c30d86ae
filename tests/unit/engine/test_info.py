"""What is told of pictures: held against other implementations, and against what one sees."""

import base64
import math
from itertools import combinations

import pytest
import pyvips

from filmroll.engine.info.blurhash import blurhash
from filmroll.engine.info.describe import describe
from filmroll.engine.info.icc import profile_name
from filmroll.engine.info.thumb import Thumb
from filmroll.engine.info.thumbhash import thumbhash
from filmroll.errors import CorruptImage, TooManyPixels, UnsupportedMedia
from filmroll.limits import Limits
from filmroll.model import MAX_DISTANCE, Info, distance
from filmroll.usecases.infos import DEFAULT_DISTANCE
from tests import samples
from tests.unit.engine.pictures import DUNE, LADYBIRD, STORM, flat, load

PHOTOS = [path.read_bytes() for path in samples.photographs()]
# By ImageHash 4.3 (numpy, scipy, Pillow).
PHASHES = {"c4a3964c2bd72a5d": DUNE, "8468a38f55f75855": LADYBIRD, "a8aa15d5a8ca57a7": STORM}


def info(data: bytes, limits: Limits | None = None) -> Info:
    return describe(data, limits or Limits())


def saved(image: pyvips.Image, suffix: str = ".png", **options: object) -> bytes:
    return image.write_to_buffer(suffix, **options)


def pattern(width: int, height: int, *, see_through: bool) -> Thumb:
    """Return pixels that a formula makes, so that any implementation can be given the same."""
    planes: tuple[list[int], ...] = ([], [], [], [])
    for y in range(height):
        for x in range(width):
            inside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 2) ** 2
            planes[0].append(128 + round(120 * math.sin(x / 5) * math.cos(y / 9)))
            planes[1].append(255 * x // max(1, width - 1))
            planes[2].append(255 * y // max(1, height - 1))
            planes[3].append(255 if inside or not see_through else 40)
    return Thumb(width, height, planes if see_through else planes[:3])


# By the C implementation of BlurHash (blurhash-python 1.2) and by npm thumbhash 0.1.
@pytest.mark.parametrize(
    ("width", "height", "see_through", "blur", "thumb"),
    [
        (64, 48, False, "L$Gc0~Ulc9RnoUsAfjwwWuwyfQ$6", "HwgKbZhwdoiAmGiYqHh3iHSP94eI"),
        (40, 64, False, "T$G]8Zl}tgWzWVSfw%wy,YoHn*sn", "IAgKbByABneYqYd4d3iEf/h4lw=="),
        (64, 64, True, "L$Gv3Dl|c9rvfaWVfjSLo6wyfQ,Z", "4PeJTQ4sgIhxeaiHiIN/94d3B1eHiIB0WA=="),
        (64, 9, False, "L$HeqTz1c9[a$=rtf%wdjvfQfQjt", "HwgKcaKDi4OAiIh3hY/3eHg="),
        (7, 50, True, "T$FGq7qTag$YWTWp,dSOSMoaayfQ", "nreBEQgUkHPHaGiDf/qXx2Z3h4iQiec="),
    ],
)
def test_the_previews_are_those_of_other_implementations(width, height, see_through, blur, thumb):
    pixels = pattern(width, height, see_through=see_through)
    assert blurhash(pixels) == blur
    assert thumbhash(pixels) == thumb


def test_the_perceptual_hash_is_that_of_another_implementation() -> None:
    """To two bits: Pillow scales a little otherwise."""
    for other, photo in PHASHES.items():
        phash = info(photo).phash
        assert phash is not None
        assert distance(phash, other) <= 2


COPIES = {
    "half the size": lambda image: saved(image.resize(0.5), ".jpg", Q=85),
    "twice the size": lambda image: saved(image.resize(2), ".jpg"),
    "200 px as WebP": lambda image: saved(image.thumbnail_image(200), ".webp"),
    "60 px as PNG": lambda image: saved(image.thumbnail_image(60)),
    "JPEG at 50": lambda image: saved(image, ".jpg", Q=50),
    "JPEG at 20": lambda image: saved(image, ".jpg", Q=20),
    "WebP at 50": lambda image: saved(image, ".webp", Q=50),
    "brighter": lambda image: saved((image * 1.1).cast("uchar"), ".jpg"),
    "gamma": lambda image: saved(image.gamma(exponent=1.2), ".jpg"),
    "grey": lambda image: saved(image.colourspace("b-w"), ".jpg"),
    "all at once": lambda image: saved(
        (image.thumbnail_image(300) * 1.1).cast("uchar"), ".jpg", Q=50
    ),
}


@pytest.mark.parametrize("copy", COPIES)
def test_copies_are_within_the_usual_distance(copy: str) -> None:
    for photo in PHOTOS:
        original, made = info(photo).phash, info(COPIES[copy](load(photo))).phash
        assert original is not None
        assert made is not None
        assert distance(original, made) <= DEFAULT_DISTANCE


def test_different_photographs_are_far_apart() -> None:
    hashes = [info(photo).phash for photo in PHOTOS]
    for one, other in combinations(hashes, 2):
        assert one is not None
        assert other is not None
        assert distance(one, other) > 3 * MAX_DISTANCE


@pytest.mark.parametrize("kind", samples.FORMATS)
def test_every_format_is_described(kind: str) -> None:
    told = info(samples.make(kind, 90, 60, seed=4))
    assert (told.format, told.width, told.height, told.frames) == (kind, 90, 60, 1)
    assert (told.color_space, told.orientation, told.icc_profile) == ("rgb", 1, None)
    assert told.phash is not None
    assert len(told.blurhash) == 28


def test_a_turned_photograph_is_described_as_it_is_seen() -> None:
    upright = load(LADYBIRD)
    straight = info(saved(upright, ".jpg", Q=95))
    turned = info(samples.encoded(upright.rot270(), ".jpg", orientation=6, Q=95))
    assert (turned.width, turned.height, turned.orientation) == (1200, 750, 6)
    assert turned.phash is not None
    assert straight.phash is not None
    assert distance(turned.phash, straight.phash) <= DEFAULT_DISTANCE


def test_of_an_animation_the_first_frame_is_meant() -> None:
    still, moving = (info(samples.gif(frames=count, seed=6)) for count in (1, 5))
    assert (still.frames, moving.frames) == (1, 5)
    assert moving.blurhash == still.blurhash
    assert moving.phash == still.phash
    still, moving = (info(samples.webp(frames=count, seed=6)) for count in (1, 5))
    assert (still.frames, moving.frames) == (1, 5)
    assert distance(moving.phash, still.phash) <= DEFAULT_DISTANCE


@pytest.mark.parametrize(
    ("image", "space", "depth", "alpha"),
    [
        (samples.picture(40, 30).colourspace("b-w"), "gray", 8, False),
        (samples.picture(40, 30).colourspace("rgb16"), "rgb", 16, False),
        (samples.picture(40, 30).colourspace("grey16"), "gray", 16, False),
        (samples.picture(40, 30).addalpha(), "rgb", 8, True),
    ],
)
def test_how_the_pixels_are_stored(image, space, depth, alpha):
    told = info(saved(image))
    assert (told.color_space, told.bit_depth, told.alpha) == (space, depth, alpha)


def test_the_profile_by_its_name() -> None:
    assert info(saved(samples.picture(40, 30), ".jpg", profile="p3")).icc_profile == "sP3C"
    cmyk = saved(samples.picture(40, 30).icc_export(output_profile="cmyk"), ".jpg")
    told = info(cmyk)
    assert (told.color_space, told.icc_profile) == ("cmyk", "Chemical proof")


@pytest.mark.parametrize("end", [0, 3, 127, 128, 131, 140, 200])
def test_a_broken_profile_has_no_name(end: int) -> None:
    profile = load(saved(samples.picture(9, 9), profile="p3")).get("icc-profile-data")
    assert profile_name(profile) == "sP3C"
    assert profile_name(profile[:end]) is None
    assert profile_name(b"\xff" * end) is None


def test_one_colour_is_all_there_is_to_a_flat_picture() -> None:
    told = info(saved(flat(255, 128, 0)))
    assert [(each.color, each.share) for each in told.palette] == [("ff8000", 1.0)]
    assert told.phash is None


def test_the_palette_has_the_shares_of_what_is_seen() -> None:
    left = flat(200, 0, 0, 255, width=42, height=60)
    right = flat(0, 0, 200, 255, width=14, height=60)
    nothing = flat(0, 255, 0, 0, width=8, height=60)
    row = left.join(right, "horizontal").join(nothing, "horizontal")
    told = info(saved(row))
    shares = {each.color: each.share for each in told.palette}
    assert shares == {"c80000": 0.75, "0000c8": 0.25}
    assert told.palette[0].color == "c80000"


def test_nothing_to_be_seen_has_no_colour() -> None:
    told = info(saved(flat(10, 20, 30, 0)))
    assert (told.palette, told.phash, told.alpha) == ((), None, True)
    assert base64.b64decode(told.thumbhash)[2] & 0x80  # has alpha


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 900), (900, 1), (3, 3)])
def test_the_smallest_and_narrowest_are_described(size: tuple[int, int]) -> None:
    told = info(samples.png(*size, seed=9))
    assert (told.width, told.height) == size
    assert told.palette
    assert len(told.blurhash) == 28


def test_the_same_picture_is_described_alike() -> None:
    assert info(DUNE) == info(DUNE)


def test_exif_by_the_names_of_its_tags() -> None:
    exif = info(samples.located_jpeg()).exif
    assert (exif["Make"], exif["Model"], exif["LensModel"]) == ("Acme (Ltd)", "Box 1", "A lens")
    assert (exif["GPSLatitudeRef"], exif["GPSMapDatum"]) == ("N", "WGS-84 place")
    photo = info(STORM).exif
    assert (photo["Model"], photo["FNumber"]) == ("Canon EOS 400D DIGITAL", "35/10")
    assert "MakerNote" not in photo


def test_hostile_exif_is_text_of_bounded_length() -> None:
    tags = {0x010F: b"\xff\xfe\xfd", 0x0110: b"x" * 5000, 0x010E: "a (b, ä)".encode()}
    exif = info(samples.exif_jpeg(tags, {}, {})).exif
    assert len(exif["Model"]) == 256
    assert exif["ImageDescription"] == "a (b, ä)"
    assert all(value.encode() for value in exif.values())


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_damaged_picture_is_refused(part: float) -> None:
    with pytest.raises(CorruptImage):
        info(samples.truncated(DUNE, part))


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(UnsupportedMedia):
        info(samples.PDF)


def test_the_limits_hold() -> None:
    with pytest.raises(TooManyPixels):
        info(samples.jpeg(200, 200), Limits(max_pixels=10_000))
