"""What the engine's tests share: run instructions in this process, and compare pictures."""

import math
from collections.abc import Mapping
from typing import Any

import pyvips

from filmroll.engine import pipeline
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.ports import Picture
from tests.samples import FIXTURES

LADYBIRD = (FIXTURES / "ladybird.jpg").read_bytes()  # 1200 × 750
DUNE = (FIXTURES / "dune.jpg").read_bytes()  # 900 × 563, with EXIF
STORM = (FIXTURES / "storm.jpg").read_bytes()  # 1100 × 733, with EXIF


def make(data: bytes, text: str, overlays: Mapping[str, bytes] | None = None) -> Picture:
    """Make one variant that must succeed."""
    [result] = pipeline.make(data, [parse(text)], overlays or {}, Limits())
    assert isinstance(result, Picture), result
    return result


def load(data: bytes, **options: Any) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(data, "", **options)


def lossless(data: bytes, text: str, overlays: Mapping[str, bytes] | None = None) -> pyvips.Image:
    """Make a variant without loss and return its pixels; an empty text changes nothing."""
    picture = make(data, f"{text}/output:format=png".removeprefix("/"), overlays)
    image = load(picture.data)
    assert (image.width, image.height) == (picture.width, picture.height)
    return image


def flat(*rgb: float, width: int = 64, height: int = 48) -> pyvips.Image:
    """Return a picture of one colour; four values make one with alpha."""
    image = (pyvips.Image.black(width, height, bands=len(rgb)) + list(rgb)).cast("uchar")
    return image.copy(interpretation="srgb")


def psnr(one: pyvips.Image, other: pyvips.Image) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal pictures."""
    assert (one.width, one.height, one.bands) == (other.width, other.height, other.bands)
    difference = one.cast("float") - other.cast("float")
    error = (difference * difference).avg()
    return 10 * math.log10(255**2 / error) if error else math.inf


def near(pixel: list[float], wanted: list[float], tolerance: float = 3) -> bool:
    return len(pixel) == len(wanted) and all(
        abs(a - b) <= tolerance for a, b in zip(pixel, wanted, strict=True)
    )
