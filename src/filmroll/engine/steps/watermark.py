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

_BLOCK = 256  # px; drawn from smaller ones, a wall would take its time for each of them


def watermark(canvas: Canvas, op: Watermark, overlays: Overlays) -> Canvas:
    """Lay the mark where the compass points, or all over, on every frame."""
    size, margin = canvas.size, _margin(canvas.size, op)
    mark = _faded(_mark(size, op, overlays), op.opacity).copy_memory()
    if op.tile:
        mark = _tiled(mark, op.rotate, mark.height if margin is None else margin, size)
        return canvas.map(lambda frame: _over(frame, mark, 0, 0))
    mark = _spun(mark, op.rotate)
    x, y = place(op.position, Size(mark.width, mark.height), size, margin or 0)
    return canvas.map(lambda frame: _over(frame, mark, x, y))


def _margin(size: Size, op: Watermark) -> int | None:
    if op.margin is None:
        return None
    return round(op.margin * size.width if op.margin < 1 else op.margin)


def _mark(size: Size, op: Watermark, overlays: Overlays) -> pyvips.Image:
    """Return the mark at its size: ``scale`` of the width, or its own, but never over the edge."""
    room = _room(size, op)
    if op.text is not None:
        return text_image(op, room)
    overlay = overlays(str(op.image))
    factor = min(room.width / overlay.size.width, room.height / overlay.size.height)
    factor = min(factor, 1) if op.scale is None else factor
    target = Size(
        max(1, round(overlay.size.width * factor)), max(1, round(overlay.size.height * factor))
    )
    return with_alpha(overlay.scaled(target).pixels()[0])


def _room(size: Size, op: Watermark) -> Size:
    """Return what the mark may cover: of the picture within the margin a part of the width."""
    edge = 0 if op.tile else 2 * (_margin(size, op) or 0)
    widest = round(size.width * (op.scale or op.wrap or 1))
    return Size(max(1, min(widest, size.width - edge)), max(1, size.height - edge))


def _spun(mark: pyvips.Image, angle: float) -> pyvips.Image:
    if angle % 360 == 0:
        return mark
    return turned(mark, angle, rotated(Rotate(angle=angle), Size(mark.width, mark.height)))


def _faded(mark: pyvips.Image, opacity: float) -> pyvips.Image:
    if opacity == 1:
        return mark
    return (mark * [1, 1, 1, opacity]).cast("uchar").copy(interpretation="srgb")


def _tiled(mark: pyvips.Image, angle: float, gap: int, size: Size) -> pyvips.Image:
    """Repeat the mark, ``gap`` pixels apart, until it covers ``size``, as bricks lie in a wall.

    The wall is turned as a whole, so lines of text go on across it. It is drawn where it is looked
    at only, so it needs no memory.
    """
    brick = mark.embed(0, 0, mark.width + gap, mark.height + gap)
    rows = _at_least(_BLOCK, brick.join(brick.wrap(x=brick.width // 2, y=0), "vertical"))
    span = rotated(Rotate(angle=-angle), size)
    across, down = -(-span.width // rows.width), -(-span.height // rows.height)
    wall = rows.replicate(across, down).crop(0, 0, span.width, span.height)
    return turned(wall, angle, size)


def _at_least(side: int, rows: pyvips.Image) -> pyvips.Image:
    """Return whole repetitions of the rows, in memory, that measure ``side`` px or more."""
    return rows.replicate(-(-side // rows.width), -(-side // rows.height)).copy_memory()


def _over(frame: pyvips.Image, mark: pyvips.Image, x: int, y: int) -> pyvips.Image:
    laid = frame.composite2(mark, "over", x=x, y=y).cast("uchar")
    return laid if frame.hasalpha() else laid.extract_band(0, n=frame.bands)
