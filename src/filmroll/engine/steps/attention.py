"""Where to cut so that what matters stays: faces, smart (what draws the eye) and entropy."""

from collections.abc import Mapping, Sequence

from filmroll.engine import faces
from filmroll.engine.canvas import Canvas
from filmroll.engine.faces import Face
from filmroll.geometry import Box, Size, around

# In libvips' words. Where there is no face, what draws the eye is taken instead.
WAYS: Mapping[str, str] = {"smart": "attention", "entropy": "entropy", "face": "attention"}

_LIFT = 0.05  # of the height: faces belong a little above the middle
_BROW, _CHEEK, _CHIN = 0.5, 0.25, 0.25  # of a face's size: what of a head lies around it


def find(canvas: Canvas, gravity: str, kept: Size, unscaled: Canvas | None = None) -> Box:
    """Return the part of that size worth keeping; the first frame decides for all.

    Faces are looked for in the picture as it was before it was scaled, if that is given.
    """
    found = faces.find(unscaled or canvas) if gravity == "face" else []
    if found:
        return Box(*_with_heads(found, kept, canvas.size), kept.width, kept.height)
    image = canvas.pixels()[0]
    part = image.smartcrop(kept.width, kept.height, interesting=WAYS[gravity])
    return Box(-part.xoffset, -part.yoffset, kept.width, kept.height)


def _with_heads(found: Sequence[Face], kept: Size, whole: Size) -> tuple[int, int]:
    """Return x and y of the part that shows as many heads as fit, the weightiest first."""
    first, *others = (_head(face, whole) for face in found)
    left, top, right, bottom = first
    for head in others:
        wider = min(left, head[0]), min(top, head[1]), max(right, head[2]), max(bottom, head[3])
        if wider[2] - wider[0] <= kept.width and wider[3] - wider[1] <= kept.height:
            left, top, right, bottom = wider
    room = max(0.0, kept.height - (bottom - top))
    middle = (top + bottom) / 2 + min(_LIFT * kept.height, room / 2)
    return around((left + right) / 2 / whole.width, middle / whole.height, kept, whole)


def _head(face: Face, whole: Size) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom, in pixels, of the head that a face belongs to."""
    width, height = face.right - face.left, face.bottom - face.top
    return (
        max(0.0, face.left - _CHEEK * width) * whole.width,
        max(0.0, face.top - _BROW * height) * whole.height,
        min(1.0, face.right + _CHEEK * width) * whole.width,
        min(1.0, face.bottom + _CHIN * height) * whole.height,
    )
