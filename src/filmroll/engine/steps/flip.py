"""flip: mirror the picture."""

from filmroll.engine.canvas import Canvas
from filmroll.instructions import Flip


def flip(canvas: Canvas, op: Flip) -> Canvas:
    """Swap left and right (``x``) or top and bottom (``y``)."""
    direction = "horizontal" if op.axis == "x" else "vertical"
    return canvas.map(lambda frame: frame.flip(direction))
