"""The colours that make up a picture: its pixels, parted where they differ most."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from filmroll.engine.info.thumb import Thumb
from filmroll.model import Swatch

_MOST = 6  # colours
_ALIKE = 8.0  # levels: colours that spread less around their mean are one
_OPAQUE = 128  # alpha; pixels with less are left out

Color = tuple[int, ...]


def palette(thumb: Thumb) -> tuple[Swatch, ...]:
    """Return up to six colours with their shares, the largest first; none if nothing is seen."""
    counts = Counter(_seen(thumb))
    if not counts:
        return ()
    groups = [_Group(counts)]
    while len(groups) < _MOST:
        widest = max(groups, key=lambda group: group.error)
        if widest.spread < _ALIKE:
            break
        groups.remove(widest)
        groups += widest.parted()
    total = counts.total()
    groups.sort(key=lambda group: (-group.size, group.mean))
    return tuple(
        Swatch(color=bytes(map(round, group.mean)).hex(), share=round(group.size / total, 4))
        for group in groups
    )


def _seen(thumb: Thumb) -> Sequence[Color]:
    colors = list(zip(*thumb.planes[:3], strict=True))
    if len(thumb.planes) <= 3:  # noqa: PLR2004 -- no alpha
        return colors
    pairs = zip(colors, thumb.planes[3], strict=True)
    return [color for color, alpha in pairs if alpha >= _OPAQUE]


@dataclass(frozen=True)
class _Group:
    """Colours, and how many pixels have each."""

    counts: Mapping[Color, int]

    @cached_property
    def size(self) -> int:
        return sum(self.counts.values())

    @cached_property
    def mean(self) -> tuple[float, ...]:
        sums = [sum(color[axis] * n for color, n in self.counts.items()) for axis in range(3)]
        return tuple(total / self.size for total in sums)

    @cached_property
    def errors(self) -> tuple[float, ...]:
        """The squared distances from the mean along each axis, summed up."""
        return tuple(
            sum((color[axis] - self.mean[axis]) ** 2 * n for color, n in self.counts.items())
            for axis in range(3)
        )

    @property
    def error(self) -> float:
        return sum(self.errors)

    @property
    def spread(self) -> float:
        """How far the colours are from their mean, in levels (root mean square)."""
        return float((self.error / self.size) ** 0.5)

    def parted(self) -> tuple["_Group", "_Group"]:
        """Part the group at its mean, along the axis on which it is widest."""
        axis = self.errors.index(max(self.errors))
        low = {color: n for color, n in self.counts.items() if color[axis] <= self.mean[axis]}
        high = {color: n for color, n in self.counts.items() if color not in low}
        return _Group(low), _Group(high)
