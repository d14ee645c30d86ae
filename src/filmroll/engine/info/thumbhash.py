"""ThumbHash: a blurred preview with its shape and its alpha, in 25 bytes or less.

Written from the published algorithm (https://evanw.github.io/thumbhash/).
"""

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from filmroll.engine.info.cosines import projected, rows_of, waves
from filmroll.engine.info.thumb import Thumb

_OPAQUE, _SEE_THROUGH = 7, 5  # components of the luminance along the longer side


def thumbhash(thumb: Thumb) -> str:
    """Return the hash in base64."""
    return base64.b64encode(_hash(thumb)).decode()


def _hash(thumb: Thumb) -> bytes:
    see_through = len(thumb.planes) > 3 and min(thumb.planes[3]) < 255  # noqa: PLR2004 -- alpha
    most = _SEE_THROUGH if see_through else _OPAQUE
    longest = max(thumb.width, thumb.height)
    across = max(1, _rounded(most * thumb.width / longest))
    down = max(1, _rounded(most * thumb.height / longest))
    light, warm, green, alpha = _channels(thumb)
    luminance = _Channel.of(thumb, light, max(3, across), max(3, down))
    yellow, red = _Channel.of(thumb, warm, 3, 3), _Channel.of(thumb, green, 3, 3)
    landscape = thumb.width > thumb.height
    head = (
        _rounded(63 * luminance.mean)
        | _rounded(31.5 + 31.5 * yellow.mean) << 6
        | _rounded(31.5 + 31.5 * red.mean) << 12
        | _rounded(31 * luminance.scale) << 18
        | see_through << 23
    )
    tail = (
        (down if landscape else across)
        | _rounded(63 * yellow.scale) << 3
        | _rounded(63 * red.scale) << 9
        | landscape << 15
    )
    parts = head.to_bytes(3, "little") + tail.to_bytes(2, "little")
    channels = [luminance, yellow, red]
    if see_through:
        opacity = _Channel.of(thumb, alpha, 5, 5)
        parts += bytes([_rounded(15 * opacity.mean) | _rounded(15 * opacity.scale) << 4])
        channels.append(opacity)
    return parts + _nibbles([part for channel in channels for part in channel.parts])


@dataclass(frozen=True, slots=True)
class _Channel:
    """The mean of a channel, and its other components (0 to 1) in units of ``scale``."""

    mean: float
    scale: float
    parts: Sequence[float]

    @classmethod
    def of(cls, thumb: Thumb, plane: Sequence[float], across: int, down: int) -> "_Channel":
        """Keep the components of the lower left triangle: the coarse ones."""
        columns, rows = waves(across, thumb.width, 0.5), waves(down, thumb.height, 0.5)
        sums = projected(rows_of(plane, thumb.width), columns, rows)
        mean, *others = [
            sums[v][u] / len(plane)
            for v in range(down)
            for u in range(across)
            if u * down < across * (down - v)
        ]
        scale = max(map(abs, others), default=0.0)
        return cls(mean, scale, [0.5 + 0.5 / scale * part if scale else 0.0 for part in others])


def _channels(thumb: Thumb) -> tuple[Sequence[float], ...]:
    """Return luminance, yellow against blue, red against green, and alpha, all as parts of 1.

    What is transparent has the mean colour of the rest.
    """
    red, green, blue = thumb.planes[:3]
    alpha = thumb.planes[3] if len(thumb.planes) > 3 else b"\xff" * len(red)  # noqa: PLR2004 -- alpha
    means = [_mean(plane, alpha) for plane in (red, green, blue)]
    light, warm, tint = [], [], []
    for *color, opacity in zip(red, green, blue, alpha, strict=True):
        cover = opacity / 255
        pairs = zip(means, color, strict=True)
        r, g, b = (mean * (1 - cover) + cover * part / 255 for mean, part in pairs)
        light.append((r + g + b) / 3)
        warm.append((r + g) / 2 - b)
        tint.append(r - g)
    return light, warm, tint, [opacity / 255 for opacity in alpha]


def _mean(plane: Sequence[int], alpha: Sequence[int]) -> float:
    weight = sum(alpha)
    if not weight:
        return 0.0
    return sum(part * opacity for part, opacity in zip(plane, alpha, strict=True)) / weight / 255


def _nibbles(parts: Sequence[float]) -> bytes:
    """Return parts of 1 in four bits each, the lower four of a byte first."""

    def pairs() -> Iterator[int]:
        numbers = [_rounded(15 * part) for part in parts]
        for place in range(0, len(numbers), 2):
            low, *high = numbers[place : place + 2]
            yield low | (high[0] << 4 if high else 0)

    return bytes(pairs())


def _rounded(number: float) -> int:
    """Round half up, as the published algorithm does."""
    return math.floor(number + 0.5)
