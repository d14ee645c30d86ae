"""Where to cut so that what matters stays: smart (people, faces, bright colour) and entropy."""

from collections.abc import Mapping

from filmroll.engine.canvas import Canvas
from filmroll.geometry import Box

WAYS: Mapping[str, str] = {"smart": "attention", "entropy": "entropy"}


def find(canvas: Canvas, gravity: str, width: int, height: int) -> Box:
    """Return the part of that size worth keeping; the first frame decides for all."""
    image = canvas.pixels()[0]
    found = image.smartcrop(width, height, interesting=WAYS[gravity])
    return Box(-found.xoffset, -found.yoffset, width, height)
