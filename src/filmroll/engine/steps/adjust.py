"""adjust: brightness, contrast, saturation and hue, as the CSS filters of these names."""

import math
from collections.abc import Iterable

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.instructions import Adjust

Matrix = list[list[float]]

# The numbers of https://www.w3.org/TR/filter-effects-1/#feColorMatrixElement: how bright red, green
# and blue are, and what a quarter turn of the hue adds to each of them.
_LUMA = (0.213, 0.715, 0.072)
_QUARTER = ((-0.213, -0.715, 0.928), (0.143, 0.140, -0.283), (-0.787, 0.715, 0.072))
_MIDDLE = 127.5


def adjust(canvas: Canvas, op: Adjust) -> Canvas:
    """Change brightness, then contrast, then saturation, then hue; alpha stays.

    Each is linear in red, green and blue: so it is one matrix, and nothing is cut off between them.
    """
    light = op.brightness * op.contrast
    matrix = [[light * part for part in row] for row in _product(_hue(op.hue), _color(op))]
    offset = _MIDDLE * (1 - op.contrast)  # a grey: saturation and hue leave it alone
    return canvas.map(lambda frame: _adjusted(frame, matrix, offset))


def _adjusted(frame: pyvips.Image, matrix: Matrix, offset: float) -> pyvips.Image:
    colors = (frame.extract_band(0, n=3).recomb(matrix) + offset).rint().cast("uchar")
    colors = colors.copy(interpretation="srgb")
    return colors.bandjoin(frame[3]) if frame.hasalpha() else colors


def _color(op: Adjust) -> Matrix:
    """Return the matrix that moves colours away from, or to, the grey that is as bright."""
    return [
        [luma + op.saturation * ((row == column) - luma) for column, luma in enumerate(_LUMA)]
        for row in range(3)
    ]


def _hue(angle: float) -> Matrix:
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return [
        [luma + cosine * ((row == column) - luma) + sine * _QUARTER[row][column]
         for column, luma in enumerate(_LUMA)]
        for row in range(3)
    ]  # fmt: skip


def _product(one: Matrix, other: Matrix) -> Matrix:
    columns = list(zip(*other, strict=True))
    return [[_dot(row, column) for column in columns] for row in one]


def _dot(row: Iterable[float], column: Iterable[float]) -> float:
    return sum(a * b for a, b in zip(row, column, strict=True))
