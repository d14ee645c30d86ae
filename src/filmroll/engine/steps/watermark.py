"""watermark: lay another picture, or a text, over this one."""

from collections.abc import Callable

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import with_alpha
from filmroll.engine.steps.rotate import turned
from filmroll.engine.steps.text import text_image
from filmroll.geometry import Size, place, rotated
from filmroll.instructions import Rotate, Watermark

Overlays = Callable[[str], Canvas]  # by image id; raises what is wrong with that image


def watermark(canvas: Canvas, op: Watermark, overlays: Overlays) -> Canvas:
    """Lay the mark where the compass points, or all over, on every frame."""
    mark = _faded(_spun(_mark(canvas.size, op, overlays), op.rotate), op.opacity).copy_memory()
    margin = round(op.margin * canvas.size.width if op.margin < 1 else op.margin)
    if op.tile:
        mark = _tiled(mark, margin, canvas.size)
        x, y = 0, 0
    else:
        x, y = place(op.position, Size(mark.width, mark.height), canvas.size, margin)
    return canvas.map(lambda frame: _over(frame, mark, x, y))


def _mark(size: Size, op: Watermark, overlays: Overlays) -> pyvips.Image:
    """Return the mark at its size: ``scale`` of the width, or its own, but never over the edge."""
    room = size if op.scale is None else Size(max(1, round(size.width * op.scale)), size.height)
    if op.text is not None:
        wanted = op.size if op.scale is None else None
        return text_image(op.text, op.font, op.color, wanted, room)
    overlay = overlays(str(op.image))
    factor = min(room.width / overlay.size.width, room.height / overlay.size.height)
    factor = min(factor, 1) if op.scale is None else factor
    target = Size(
        max(1, round(overlay.size.width * factor)), max(1, round(overlay.size.height * factor))
    )
    return with_alpha(overlay.scaled(target).pixels()[0])


def _spun(mark: pyvips.Image, angle: float) -> pyvips.Image:
    if angle % 360 == 0:
        return mark
    return turned(mark, angle, rotated(Rotate(angle=angle), Size(mark.width, mark.height)))


def _faded(mark: pyvips.Image, opacity: float) -> pyvips.Image:
    if opacity == 1:
        return mark
    return (mark * [1, 1, 1, opacity]).cast("uchar").copy(interpretation="srgb")


def _tiled(mark: pyvips.Image, gap: int, size: Size) -> pyvips.Image:
    """Repeat the mark, ``gap`` pixels apart, until it covers ``size``."""
    tile = mark.embed(0, 0, mark.width + gap, mark.height + gap)
    across, down = -(-size.width // tile.width), -(-size.height // tile.height)
    return tile.replicate(across, down).crop(0, 0, size.width, size.height)


def _over(frame: pyvips.Image, mark: pyvips.Image, x: int, y: int) -> pyvips.Image:
    laid = frame.composite2(mark, "over", x=x, y=y).cast("uchar")
    return laid if frame.hasalpha() else laid.extract_band(0, n=frame.bands)
