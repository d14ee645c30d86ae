"""Arithmetic of boxes: what each operation makes of a picture's size, before any pixel is read.

The API refuses impossible instructions with it, the engine carries them out with it: one truth.
All sizes are whole pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from filmroll.errors import InvalidInstructions, TooManyPixels
from filmroll.instructions import (
    MAX_GROWN_PIXELS,
    MAX_SIDE,
    Adjust,
    Blur,
    Crop,
    Flip,
    Grayscale,
    Instructions,
    Operation,
    Output,
    Pad,
    Pixelate,
    Resize,
    Rotate,
    Round,
    Sharpen,
    Trim,
    Watermark,
)

# Where the compass points: the part of the free space left of, and above, the box.
_COMPASS = {
    "nw": (0.0, 0.0),
    "n": (0.5, 0.0),
    "ne": (1.0, 0.0),
    "w": (0.0, 0.5),
    "center": (0.5, 0.5),
    "e": (1.0, 0.5),
    "sw": (0.0, 1.0),
    "s": (0.5, 1.0),
    "se": (1.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height."""

    width: int
    height: int

    @property
    def side(self) -> int:
        """The longer side."""
        return max(self.width, self.height)

    @property
    def pixels(self) -> int:
        """The area."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle inside a picture, from its top left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Scaling:
    """A resize, taken apart: scale to ``scaled``, then cut or pad to ``final``."""

    scaled: Size
    final: Size


def place(gravity: str, inner: Size, outer: Size, margin: int = 0) -> tuple[int, int]:
    """Return x and y of ``inner`` in ``outer`` where the compass says; may be negative."""
    right, down = _COMPASS[gravity]
    x = margin + right * (outer.width - inner.width - 2 * margin)
    y = margin + down * (outer.height - inner.height - 2 * margin)
    return math.floor(x), math.floor(y)


def around(focus_x: float, focus_y: float, inner: Size, outer: Size) -> tuple[int, int]:
    """Return x and y of ``inner`` with the focus point as near to its middle as fits."""
    x = round(focus_x * outer.width - inner.width / 2)
    y = round(focus_y * outer.height - inner.height / 2)
    return (
        min(max(x, 0), outer.width - inner.width),
        min(max(y, 0), outer.height - inner.height),
    )


def around_all(boxes: Sequence[Box]) -> Box:
    """Return the smallest box that holds all of them."""
    x, y = min(box.x for box in boxes), min(box.y for box in boxes)
    right = max(box.x + box.width for box in boxes)
    bottom = max(box.y + box.height for box in boxes)
    return Box(x, y, right - x, bottom - y)


def crop_box(crop: Crop, size: Size, pointer: str = "") -> Box:
    """Return the rectangle that a crop keeps.

    For ``smart`` and ``entropy`` only its size is meant: the engine finds the place.
    Raises InvalidInstructions if the rectangle leaves the picture.
    """
    ratio = crop.unit == "ratio"
    width = _pixels(crop.width, size.width, ratio=ratio)
    height = _pixels(crop.height, size.height, ratio=ratio)
    inner = Size(width, height)
    if crop.x is not None and crop.y is not None:
        x = round(crop.x * size.width) if ratio else int(crop.x)
        y = round(crop.y * size.height) if ratio else int(crop.y)
        if ratio:  # rounding must not push a right box over the edge by a pixel
            x, y = x - (x + width - size.width == 1), y - (y + height - size.height == 1)
    elif width > size.width or height > size.height:
        x, y = 0, 0
    elif crop.focus_x is not None and crop.focus_y is not None:
        x, y = around(crop.focus_x, crop.focus_y, inner, size)
    else:
        x, y = place(crop.gravity if crop.gravity in _COMPASS else "center", inner, size)
    if x < 0 or x + width > size.width:
        raise _outside("width", pointer, size, f"{x}+{width}")
    if y < 0 or y + height > size.height:
        raise _outside("height", pointer, size, f"{y}+{height}")
    return Box(x, y, width, height)


def scaling(resize: Resize, size: Size) -> Scaling:
    """Return how a resize comes about. Without ``enlarge`` no side grows past the source.

    A ``cover`` that would have to enlarge keeps its proportions and gets smaller instead.
    """
    target_width = _times(resize.width, resize.dpr)
    target_height = _times(resize.height, resize.dpr)
    across = target_width / size.width if target_width else math.inf
    down = target_height / size.height if target_height else math.inf
    if resize.fit == "fill":
        width, height = target_width or 1, target_height or 1
        if not resize.enlarge:
            width, height = min(width, size.width), min(height, size.height)
        return Scaling(Size(width, height), Size(width, height))
    if resize.fit == "cover":
        target = Size(target_width, target_height)
        return _cover(size, max(across, down), target, enlarge=resize.enlarge)
    factor = min(across, down) if resize.enlarge else min(across, down, 1.0)
    scaled = _scaled(size, factor)
    if resize.fit == "pad":
        return Scaling(scaled, Size(target_width, target_height))
    return Scaling(scaled, scaled)


def rotated(rotate: Rotate, size: Size) -> Size:
    """Return the size of the box around a picture that was turned."""
    angle = rotate.angle % 360
    if angle in {90, 270}:
        return Size(size.height, size.width)
    if angle == 180:  # noqa: PLR2004 -- half a turn
        return size
    turn = math.radians(angle)
    sine, cosine = abs(math.sin(turn)), abs(math.cos(turn))
    return Size(
        max(1, round(size.width * cosine + size.height * sine)),
        max(1, round(size.width * sine + size.height * cosine)),
    )


def padded(pad: Pad, size: Size) -> Size:
    """Return the size with the border."""
    return Size(pad.left + size.width + pad.right, pad.top + size.height + pad.bottom)


def radius(op: Round, size: Size) -> float:
    """Return the radius of the corners in pixels: half the shorter side at the most."""
    shorter = min(size.width, size.height)
    return min(op.radius * shorter if op.radius < 1 else op.radius, shorter / 2)


def size_after(instructions: Instructions, size: Size, start: int = 0) -> Size:
    """Return the size of the picture after the operations from ``start`` on.

    What a trim leaves is only known once it has run: until then it counts as if it cut nothing
    away, and whoever runs it asks again for the operations after it.
    Raises InvalidInstructions with a pointer if a crop leaves the picture, TooManyPixels if a
    side grows past what formats can hold or the area past what can be encoded, be it only on
    the way.
    """
    for position, operation in enumerate(instructions.operations[start:], start):
        before, size = size, _after(operation, size, f"/{position}")
        if size.pixels > before.pixels or size.side > before.side:
            _check_sides(size, f"/{position}")
        if size.pixels > before.pixels:
            _check_area(size, f"/{position}")
    _check_sides(size, "")
    return size


def _check_sides(size: Size, pointer: str) -> None:
    if size.side > MAX_SIDE:
        raise TooManyPixels(
            f"The picture would become {size.width} × {size.height} pixels; a side may have at "
            f"most {MAX_SIDE}. Resize it before.",
            limit=MAX_SIDE,
            actual=size.side,
            pointer=pointer,
        )


def _check_area(size: Size, pointer: str) -> None:
    if size.pixels > MAX_GROWN_PIXELS:
        raise TooManyPixels(
            f"The picture would grow to {size.width} × {size.height} pixels, which are "
            f"{size.pixels}; at most {MAX_GROWN_PIXELS} are made. Ask for fewer.",
            limit=MAX_GROWN_PIXELS,
            actual=size.pixels,
            pointer=pointer,
        )


def _after(operation: Operation, size: Size, pointer: str) -> Size:
    match operation:
        case Crop():
            box = crop_box(operation, size, pointer)
            return Size(box.width, box.height)
        case Resize():
            return scaling(operation, size).final
        case Rotate():
            return rotated(operation, size)
        case Pad():
            return padded(operation, size)
        case Trim():  # how much it cuts away, only the engine sees
            return size
        case Flip() | Watermark() | Output():
            return size
        case Blur() | Sharpen() | Pixelate() | Adjust() | Grayscale() | Round():
            return size
        case _:
            assert_never(operation)


def _cover(size: Size, factor: float, target: Size, *, enlarge: bool) -> Scaling:
    if factor > 1 and not enlarge:
        target = Size(max(1, round(target.width / factor)), max(1, round(target.height / factor)))
        factor = 1.0
    scaled = _scaled(size, factor)
    scaled = Size(max(scaled.width, target.width), max(scaled.height, target.height))
    return Scaling(scaled, target)


def _scaled(size: Size, factor: float) -> Size:
    return Size(max(1, round(size.width * factor)), max(1, round(size.height * factor)))


def _pixels(length: float | None, whole: int, *, ratio: bool) -> int:
    if length is None:
        return whole
    return max(1, round(length * whole)) if ratio else int(length)


def _times(length: int | None, dpr: float) -> int:
    return max(1, round(length * dpr)) if length else 0


def _outside(key: str, pointer: str, size: Size, actual: str) -> InvalidInstructions:
    return InvalidInstructions(
        f"The crop leaves the picture, which has {size.width} × {size.height} pixels here.",
        pointer=f"{pointer}/{key}",
        limit=getattr(size, key),
        actual=actual,
    )
