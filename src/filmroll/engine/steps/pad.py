"""pad: a border around the picture."""

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import lay_on, on_sheet
from filmroll.geometry import padded
from filmroll.instructions import Pad


def pad(canvas: Canvas, op: Pad) -> Canvas:
    """Lay every frame on a larger sheet; a background lies behind what is transparent, too."""
    size = padded(op, canvas.size)
    return canvas.map(
        lambda frame: on_sheet(lay_on(frame, op.background), op.left, op.top, size, op.background)
    )
