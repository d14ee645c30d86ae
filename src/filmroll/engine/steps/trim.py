"""trim: cut away a border of one colour."""

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import premultiplied, with_alpha
from filmroll.geometry import Box, around_all
from filmroll.instructions import Trim


def trim(canvas: Canvas, op: Trim) -> Canvas:
    """Keep what stands out from the border in any frame; a picture of one colour stays whole."""
    boxes = [box for frame in canvas.pixels() if (box := _found(frame, op)) is not None]
    return canvas.narrowed(around_all(boxes)) if boxes else canvas


def _found(frame: pyvips.Image, op: Trim) -> Box | None:
    # Premultiplied, so that all that is transparent looks the same; and as four plain channels,
    # since libvips would lay a picture with alpha on the border's colour.
    seen = with_alpha(frame).premultiply().cast("uchar").copy(interpretation="multiband")
    border = premultiplied(op.background) if op.background else seen(0, 0)
    x, y, width, height = seen.find_trim(threshold=op.threshold, background=border)
    return Box(x, y, width, height) if width and height else None
