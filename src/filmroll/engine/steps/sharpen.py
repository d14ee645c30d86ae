"""sharpen: raise the contrast of edges."""

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import on_visible
from filmroll.engine.steps.blur import blurred
from filmroll.instructions import Sharpen


def sharpen(canvas: Canvas, op: Sharpen) -> Canvas:
    """Sharpen the lightness of every frame; colours and alpha stay."""
    return canvas.map(lambda frame: _sharpened(frame, op.sigma))


def _sharpened(frame: pyvips.Image, sigma: float) -> pyvips.Image:
    if not frame.hasalpha():
        return frame.sharpen(sigma=sigma)
    return _carried_on(frame, 2 * sigma).sharpen(sigma=sigma).bandjoin(frame[3])


def _carried_on(frame: pyvips.Image, reach: float) -> pyvips.Image:
    """Return red, green and blue, carried on where nothing is seen: so no edge is there."""
    near = on_visible(frame, lambda seen: blurred(seen, reach))
    return (frame[3] > 0).ifthenelse(frame, near).extract_band(0, n=3)
