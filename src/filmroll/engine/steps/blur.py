"""blur: by a Gaussian."""

import math

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import on_visible
from filmroll.instructions import Blur

_DETAILED = 4  # px; a sigma of more than this needs no pixels as small as these


def blur(canvas: Canvas, op: Blur) -> Canvas:
    """Blur every frame; what is transparent lends no colour."""
    sigma = float(op.sigma or 0)
    return canvas.map(lambda frame: on_visible(frame, lambda image: blurred(image, sigma)))


def blurred(image: pyvips.Image, sigma: float) -> pyvips.Image:
    """Return the picture blurred; its edges go on outside of it.

    A large sigma leaves nothing that a picture of fewer pixels could not show: so that is what is
    blurred, and the time does not grow with sigma.
    """
    factor = math.floor(sigma / _DETAILED)
    if factor <= 1:
        return image.gaussblur(sigma)
    small = image.shrink(factor, factor, ceil=True).cast("float")
    soft = small.gaussblur(sigma / factor, precision="float").copy_memory()
    across, down = small.width * factor, small.height * factor
    large = soft.resize(across / soft.width, vscale=down / soft.height, kernel="cubic")
    large = large.crop(0, 0, image.width, image.height)
    return large.rint().cast("uchar") if image.format == "uchar" else large
