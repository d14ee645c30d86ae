"""Faces, found by dlib's detector for frontal ones, whose model is part of its library.

Every picture is looked at in the same size, whatever a decoder left of it: the cost is bounded,
and the answer does not depend on which other variants are made at once. Detector and libraries
take a second and 30 MB: they are loaded when a face is asked for, and kept as long as the process.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.geometry import Size

SIDE = 800  # px of the longer side of what is looked at

_ENLARGED = 4  # at most so many times: more pixels would only be blur
_WINDOW = 80  # px, the smallest face that the detector knows
_SURE = 0.5  # its score; ADR 0013 has those of true and false ones
_GREY = [128, 128, 128]  # behind what is transparent: makes the least of an edge


@dataclass(frozen=True, slots=True)
class Face:
    """From the brows to the chin; all in parts of the picture's width or height."""

    left: float
    top: float
    right: float
    bottom: float
    score: float  # how sure the detector is

    @property
    def weight(self) -> float:
        """Which of several matters most: the larger and the surer one."""
        return (self.right - self.left) * (self.bottom - self.top) * self.score


def find(canvas: Canvas) -> list[Face]:
    """Return the faces in what is seen of the first frame, the weightiest first."""
    size = canvas.size
    factor = min(SIDE / size.side, _ENLARGED)
    target = Size(max(1, round(size.width * factor)), max(1, round(size.height * factor)))
    if min(target.width, target.height) < _WINDOW:
        return []
    image = canvas.first().scaled(target).pixels()[0]
    boxes, scores, _kinds = _detector().run(_array(image), 0, _SURE)
    faces = [
        Face(
            box.left() / target.width,
            box.top() / target.height,
            (box.right() + 1) / target.width,
            (box.bottom() + 1) / target.height,
            score,
        )
        for box, score in zip(boxes, scores, strict=True)
    ]
    return sorted(faces, key=lambda face: face.weight, reverse=True)


@cache
def _detector() -> Any:
    import dlib  # noqa: PLC0415 -- see above

    return dlib.get_frontal_face_detector()


def _array(image: pyvips.Image) -> Any:
    if image.hasalpha():
        image = image.flatten(background=_GREY)
    return image.numpy()
