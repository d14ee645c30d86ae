"""round: round the corners off."""

import math

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import lay_on, with_alpha
from filmroll.geometry import Size, radius
from filmroll.instructions import Round


def round_off(canvas: Canvas, op: Round) -> Canvas:
    """Make the corners transparent, or the background's colour, on every frame."""
    mask = _rounded(canvas.size, radius(op, canvas.size))
    return canvas.map(lambda frame: lay_on(_masked(frame, mask), op.background))


def _masked(frame: pyvips.Image, mask: pyvips.Image) -> pyvips.Image:
    frame = with_alpha(frame)
    alpha = (frame[3] * mask / 255).rint().cast("uchar")
    return frame.extract_band(0, n=3).bandjoin(alpha)


def _rounded(size: Size, radius: float) -> pyvips.Image:
    """Return the alpha of a rectangle with round corners, soft by a pixel."""
    northwest = _corner(radius)
    northeast = northwest.fliphor()
    right, bottom = size.width - northwest.width, size.height - northwest.height
    sheet = pyvips.Image.black(size.width, size.height).invert()
    return (
        sheet.insert(northwest, 0, 0)
        .insert(northeast, right, 0)
        .insert(northwest.flipver(), 0, bottom)
        .insert(northeast.flipver(), right, bottom)
    )


def _corner(radius: float) -> pyvips.Image:
    side = math.ceil(radius)
    away = pyvips.Image.xyz(side, side) + (0.5 - radius)
    distance = (away[0] ** 2 + away[1] ** 2) ** 0.5
    return ((radius + 0.5 - distance) * 255).rint().cast("uchar").copy_memory()
