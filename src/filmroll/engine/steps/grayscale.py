"""grayscale: lightness alone."""

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.instructions import Grayscale


def grayscale(canvas: Canvas, _op: Grayscale) -> Canvas:
    """Take the colours away, as a black and white film sees them: green brighter than blue."""
    return canvas.map(_gray)


def _gray(frame: pyvips.Image) -> pyvips.Image:
    return frame.colourspace("b-w").colourspace("srgb")
