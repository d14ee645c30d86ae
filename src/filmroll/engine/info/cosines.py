"""Sums of pixels times cosines: what BlurHash, ThumbHash and the perceptual hash are made of."""

import math
from collections.abc import Sequence
from operator import mul

Rows = Sequence[Sequence[float]]  # a plane of a picture, row by row


def waves(count: int, length: int, offset: float) -> Rows:
    """Return ``count`` cosines over ``length`` pixels, from none to count - 1 half turns.

    ``offset`` is where in its pixel each is taken: 0.5 in the middle.
    """
    return [
        [math.cos(math.pi * number * (place + offset) / length) for place in range(length)]
        for number in range(count)
    ]


def projected(rows: Rows, across: Rows, down: Rows) -> list[list[float]]:
    """Return Σ rows[y][x]·across[u][x]·down[v][y], as [v][u]."""
    narrow = [[sum(map(mul, row, wave)) for wave in across] for row in rows]
    columns = list(zip(*narrow, strict=True))
    return [[sum(map(mul, column, wave)) for column in columns] for wave in down]


def rows_of(plane: Sequence[float], width: int) -> Rows:
    """Cut the pixels of a plane into rows."""
    return [plane[start : start + width] for start in range(0, len(plane), width)]
