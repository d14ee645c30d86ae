"""rotate: turn clockwise, about the middle."""

import math

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import lay_on, with_alpha
from filmroll.geometry import Size, rotated
from filmroll.instructions import Rotate

_QUARTERS = {90: "d90", 180: "d180", 270: "d270"}


def rotate(canvas: Canvas, op: Rotate) -> Canvas:
    """Turn every frame; the background lies behind the corners that open."""
    size = rotated(op, canvas.size)

    def turn(frame: pyvips.Image) -> pyvips.Image:
        # In memory: turning reads it in another order than the steps before it produce it.
        return lay_on(turned(frame.copy_memory(), op.angle, size), op.background)

    return canvas.map(turn)


def turned(image: pyvips.Image, angle: float, size: Size) -> pyvips.Image:
    """Return the picture turned by ``angle`` degrees clockwise, the middle of a box of ``size``.

    Corners that open are transparent. Quarter turns fill the box, so it has to be of their size.
    """
    angle %= 360
    if angle == 0:
        return image
    if angle in _QUARTERS:
        return image.rot(_QUARTERS[int(angle)])
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    spun = (
        with_alpha(image)
        .premultiply()
        .affine(
            [cosine, -sine, sine, cosine],
            idx=-(image.width - 1) / 2,
            idy=-(image.height - 1) / 2,
            odx=(size.width - 1) / 2,
            ody=(size.height - 1) / 2,
            oarea=[0, 0, size.width, size.height],
            interpolate=pyvips.Interpolate.new("bicubic"),
            premultiplied=True,
            extend="background",
            background=[0],
        )
    )
    return spun.unpremultiply().rint().cast("uchar").copy(interpretation="srgb")
