"""crop: narrow what is seen to a rectangle."""

from filmroll.engine.canvas import Canvas
from filmroll.engine.steps import attention
from filmroll.geometry import Size, crop_box
from filmroll.instructions import Crop


def crop(canvas: Canvas, op: Crop) -> Canvas:
    """Keep the rectangle that the operation names, or the one the content suggests."""
    box = crop_box(op, canvas.size)
    if op.gravity in attention.WAYS:
        box = attention.find(canvas, op.gravity, Size(box.width, box.height))
    return canvas.narrowed(box)
