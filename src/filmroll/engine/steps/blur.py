"""blur: by a Gaussian."""

import math

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import on_visible
from filmroll.instructions import Blur

_DETAILED = 3  # px; a sigma of twice as much needs no pixels as small as these
_TAIL = 0.02  # of the Gaussian's height: lower, nobody sees it. libvips would cut it off at 0.2


def blur(canvas: Canvas, op: Blur) -> Canvas:
    """Blur every frame; what is transparent lends no colour."""
    sigma = float(op.sigma or 0)
    return canvas.map(lambda frame: on_visible(frame, lambda image: blurred(image, sigma)))


def blurred(image: pyvips.Image, sigma: float) -> pyvips.Image:
    """Return the picture blurred; its edges go on outside of it.

    A large sigma leaves nothing that a picture of fewer pixels could not show: so that is what is
    blurred, and the time does not grow with sigma.
    """
    factor = max(1, math.floor(sigma / _DETAILED))
    small = image.shrink(factor, factor, ceil=True) if factor > 1 else image
    soft = small.cast("float").gaussblur(sigma / factor, precision="float", min_ampl=_TAIL)
    if factor > 1:
        across, down = small.width * factor, small.height * factor
        large = soft.copy_memory().resize(
            across / soft.width, vscale=down / soft.height, kernel="cubic"
        )
        soft = large.crop(0, 0, image.width, image.height)
    return soft.rint().cast("uchar") if image.format == "uchar" else soft
