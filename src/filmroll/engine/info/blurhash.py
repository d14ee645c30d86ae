"""BlurHash: a blurred preview in some thirty characters (https://blurha.sh).

The picture as sums of cosines in linear light. Written from the published algorithm.
"""

import math
from collections.abc import Iterable, Sequence

from filmroll.engine.info.cosines import projected, rows_of, waves
from filmroll.engine.info.thumb import Thumb

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
_MORE, _LESS = 4, 3  # components along the longer side and the other


def blurhash(thumb: Thumb) -> str:
    """Return the hash of an opaque picture: 4 × 3 components, or 3 × 4 if it is upright."""
    across, down = (_LESS, _MORE) if thumb.height > thumb.width else (_MORE, _LESS)
    average, *others = _components(thumb, across, down)
    most = max(abs(part) for component in others for part in component)
    scale = max(0, min(82, math.floor(most * 166 - 0.5)))
    texts = [
        _digits(across - 1 + (down - 1) * 9, 1),
        _digits(scale, 1),
        _digits(_joined((_encoded(part) for part in average), 256), 4),
        *(_digits(_joined(_quantised(one, (scale + 1) / 166), 19), 2) for one in others),
    ]
    return "".join(texts)


def _components(thumb: Thumb, across: int, down: int) -> list[tuple[float, ...]]:
    """Return red, green and blue of each component, row by row."""
    columns, rows = waves(across, thumb.width, 0), waves(down, thumb.height, 0)
    size = thumb.width * thumb.height
    planes = []
    for plane in thumb.planes[:3]:
        linear = rows_of([_LINEAR[value] for value in plane], thumb.width)
        sums = projected(linear, columns, rows)
        planes.append([part * 2 / size for row in sums for part in row])
        planes[-1][0] /= 2
    return list(zip(*planes, strict=True))


def _quantised(component: Sequence[float], most: float) -> Iterable[int]:
    """Return the parts of a component between -``most`` and ``most`` as 0 to 18."""
    for part in component:
        root = math.copysign(math.sqrt(abs(part / most)), part)
        yield max(0, min(18, math.floor(root * 9 + 9.5)))


def _joined(numbers: Iterable[int], base: int) -> int:
    total = 0
    for number in numbers:
        total = total * base + number
    return total


def _digits(number: int, length: int) -> str:
    return "".join(_DIGITS[number // 83**place % 83] for place in reversed(range(length)))


def _linear(value: int) -> float:
    part = value / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 -- sRGB


def _encoded(part: float) -> int:
    """Return linear light as a value of sRGB."""
    part = max(0.0, min(1.0, part))
    curved = part * 12.92 if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055  # noqa: PLR2004 -- sRGB
    return math.floor(curved * 255 + 0.5)


_LINEAR = [_linear(value) for value in range(256)]
