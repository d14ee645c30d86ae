"""sharpen: raise the contrast of edges."""

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import visible_colors
from filmroll.instructions import Sharpen


def sharpen(canvas: Canvas, op: Sharpen) -> Canvas:
    """Sharpen the lightness of every frame; colours and alpha stay."""
    return canvas.map(lambda frame: _sharpened(frame, op.sigma))


def _sharpened(frame: pyvips.Image, sigma: float) -> pyvips.Image:
    if not frame.hasalpha():
        return frame.sharpen(sigma=sigma)
    # Where something ends there is no edge to sharpen: its colours seem to go on.
    colors = visible_colors(frame, sigma)
    return colors.sharpen(sigma=sigma).bandjoin(frame[3])
