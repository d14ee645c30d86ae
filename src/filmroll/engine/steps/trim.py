"""trim: cut away a border of one colour."""

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import premultiplied, with_alpha
from filmroll.geometry import Box, around_all
from filmroll.instructions import Trim

_WINDOW = 3  # px; what libvips needs to see past single odd pixels


def trim(canvas: Canvas, op: Trim) -> Canvas:
    """Keep what stands out from the border in any frame; a picture of one colour stays whole."""
    boxes = [box for frame in canvas.pixels() if (box := _found(frame, op)) is not None]
    return canvas.narrowed(around_all(boxes)) if boxes else canvas


def _found(frame: pyvips.Image, op: Trim) -> Box | None:
    border = premultiplied(op.background) if op.background else None
    seen = _plain(frame, opaque=border is None or border[-1] == 255)  # noqa: PLR2004 -- full alpha
    border = seen(0, 0) if border is None else border[: seen.bands]
    tiny = min(seen.width, seen.height) < _WINDOW
    x, y, width, height = seen.find_trim(threshold=op.threshold, background=border, line_art=tiny)
    return Box(x, y, width, height) if width and height else None


def _plain(frame: pyvips.Image, *, opaque: bool) -> pyvips.Image:
    """Return the channels that are compared; all that is transparent looks the same in them."""
    if opaque and not frame.hasalpha():
        return frame
    # Not as a picture with alpha: libvips would lay that on the border's colour first.
    return with_alpha(frame).premultiply().cast("uchar").copy(interpretation="multiband")
