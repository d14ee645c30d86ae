"""pixelate: squares of one colour."""

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import on_visible
from filmroll.instructions import Pixelate


def pixelate(canvas: Canvas, op: Pixelate) -> Canvas:
    """Give every square of the picture its mean colour, from the top left corner on."""
    size = int(op.size or 1)
    return canvas.map(lambda frame: on_visible(frame, lambda image: _squares(image, size)))


def _squares(image: pyvips.Image, size: int) -> pyvips.Image:
    across, down = min(size, image.width), min(size, image.height)
    means = image.shrink(across, down, ceil=True).copy_memory()
    return means.zoom(across, down).crop(0, 0, image.width, image.height)
