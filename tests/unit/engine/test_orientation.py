"""The eight EXIF orientations all stand upright in the end."""

import pytest

from filmroll.engine import loaders
from filmroll.limits import Limits
from tests import samples
from tests.unit.engine.pictures import load, lossless, make, psnr

# What a camera does to an upright picture before it notes the orientation down.
CAMERA = {
    1: lambda image: image,
    2: lambda image: image.fliphor(),
    3: lambda image: image.rot180(),
    4: lambda image: image.flipver(),
    5: lambda image: image.rot90().fliphor(),
    6: lambda image: image.rot270(),
    7: lambda image: image.rot270().fliphor(),
    8: lambda image: image.rot90(),
}


@pytest.mark.parametrize("size", [(640, 480), (637, 475)], ids=["even", "odd"])
@pytest.mark.parametrize("text", ["", "resize:width=150", "crop:width=301,height=99,x=3,y=5"])
@pytest.mark.parametrize("orientation", CAMERA)
def test_upright(orientation: int, text: str, size: tuple[int, int]) -> None:
    upright = samples.picture(*size)
    stored = CAMERA[orientation](upright)
    turned = samples.encoded(stored, ".jpg", orientation, Q=95)
    seen, wanted = lossless(turned, text), lossless(samples.encoded(upright, ".png"), text)
    assert psnr(seen, wanted) > 35  # the JPEG itself costs more than that of 40


def test_header_is_that_of_the_upright_picture() -> None:
    header = loaders.open_source(samples.jpeg(64, 48, orientation=6), Limits()).header
    assert (header.width, header.height) == (48, 64)


def test_nothing_is_turned_twice() -> None:
    data = make(samples.jpeg(64, 48, orientation=6), "output:metadata=all").data
    assert load(data).get("orientation") == 1
    assert (load(data).width, load(data).height) == (48, 64)
