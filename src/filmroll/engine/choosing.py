"""``format=auto``: which formats a picture is tried in, and which of them is taken.

What it shows decides what is tried, and the bytes decide between those: whatever a client can
show beside JPEG, PNG and GIF, it never gets a much larger file than it could have had.
"""

from typing import NamedTuple

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import transparent
from filmroll.instructions import AUTO_FORMATS, Output

_BASIC = frozenset({"jpeg", "png", "gif"})
_OPAQUE = 255
# Of a drawing or a screenshot most pixels are equal to their right neighbour; of a photograph few.
_FLAT = 0.5
# Lossless WebP takes half a second a megapixel, and in large pictures nobody sees what it keeps.
_EXACT_PIXELS = 4_000_000
# By so much a file may be larger that keeps every pixel.
_WORTH = 1.1


class Candidate(NamedTuple):
    """One way to write a picture."""

    kind: str
    lossless: bool = False

    def weight(self, data: bytes) -> float:
        """Return what a file counts for: the one that counts least is taken."""
        return len(data) / _WORTH if self.lossless else len(data)


def candidates(canvas: Canvas, op: Output) -> tuple[Candidate, ...]:
    """Return what to try: most often one or two."""
    allowed = AUTO_FORMATS[op.format]
    if len(canvas.frames) > 1:
        moving = Candidate("webp", op.lossless) if "webp" in allowed else Candidate("gif")
        return (moving,)
    image = canvas.pixels()[0]
    clear = transparent(image)
    exact = Candidate("webp" if "webp" in allowed else "png", lossless=True)
    if op.lossless:
        return (exact,)
    lossy = [Candidate(kind) for kind in ("avif", "webp") if kind in allowed]
    if "webp" not in allowed and not clear:
        lossy.append(Candidate("jpeg"))
    bearable = exact.kind == "png" or image.width * image.height <= _EXACT_PIXELS
    if not lossy or (bearable and _flat(image)):
        return (exact, *lossy)
    return tuple(lossy)


def shows(choice: str, kind: str) -> bool:
    """Whether those who get ``choice`` of AUTO_FORMATS could show a file of this kind as well."""
    return kind in AUTO_FORMATS.get(choice, ()) or kind in _BASIC


def _flat(image: pyvips.Image) -> bool:
    if image.width == 1:
        return True
    left = image.crop(0, 0, image.width - 1, image.height)
    right = image.crop(1, 0, image.width - 1, image.height)
    same: float = (left == right).bandand().avg() / _OPAQUE
    return same > _FLAT
