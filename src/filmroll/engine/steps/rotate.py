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
    return canvas.map(lambda frame: lay_on(turned(frame, op.angle, size), op.background))


def turned(image: pyvips.Image, angle: float, size: Size) -> pyvips.Image:
    """Return the picture turned by ``angle`` degrees clockwise, in a box of ``size``.

    Corners that open are transparent. The picture goes to memory first: turning reads it in
    another order than the steps before it produce it.
    """
    angle %= 360
    image = image.copy_memory()
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
    return spun.unpremultiply().cast("uchar").copy(interpretation="srgb")
