"""resize: scale, then cut (cover) or lay on a larger sheet (pad)."""

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import lay_on, on_sheet
from filmroll.engine.steps import attention
from filmroll.geometry import Box, Size, around, place, scaling
from filmroll.instructions import Resize


def resize(canvas: Canvas, op: Resize) -> Canvas:
    """Scale into, over or exactly to the box; a background lies behind what is transparent."""
    plan = scaling(op, canvas.size)
    scaled = canvas.scaled(plan.scaled)
    if op.background is not None:
        scaled = scaled.map(lambda frame: lay_on(frame, op.background))
    if op.fit == "pad":
        return _padded(scaled, op, plan.final)
    if op.fit == "cover":
        return scaled.narrowed(_kept(scaled, op, plan.final, canvas))
    return scaled


def _kept(canvas: Canvas, op: Resize, final: Size, unscaled: Canvas) -> Box:
    if op.gravity in attention.WAYS:
        return attention.find(canvas, op.gravity, final, unscaled)
    if op.focus_x is not None and op.focus_y is not None:
        x, y = around(op.focus_x, op.focus_y, final, canvas.size)
    else:
        x, y = place(op.gravity, final, canvas.size)
    return Box(x, y, final.width, final.height)


def _padded(canvas: Canvas, op: Resize, final: Size) -> Canvas:
    if op.focus_x is not None and op.focus_y is not None:
        x, y = around(op.focus_x, op.focus_y, canvas.size, final)
    else:
        x, y = place(op.gravity, canvas.size, final)
    return canvas.map(lambda frame: on_sheet(frame, x, y, final, op.background))
