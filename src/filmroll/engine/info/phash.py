"""The perceptual hash: pictures that look alike differ in few of its 64 bits.

The DCT hash that is known as pHash. Of 32 × 32 greys (Rec. 601), the 8 × 8 lowest frequencies of
the DCT-II; a bit for each, row by row, the highest first: whether it is above their median.
"""

from statistics import median

from filmroll.engine.info.cosines import projected, rows_of, waves
from filmroll.engine.info.thumb import Thumb

SIDE = 32  # px
_FREQUENCIES = 8
_LEAST_CONTRAST = 8  # of 255; below, the bits would be those of noise
_WAVES = waves(_FREQUENCIES, SIDE, 0.5)


def phash(square: Thumb) -> str | None:
    """Return the hash of 32 × 32 opaque pixels as 16 hex digits; None without contrast."""
    red, green, blue = square.planes[:3]
    colors = zip(red, green, blue, strict=True)
    greys = [(299 * r + 587 * g + 114 * b) / 1000 for r, g, b in colors]
    if max(greys) - min(greys) < _LEAST_CONTRAST:
        return None
    sums = projected(rows_of(greys, SIDE), _WAVES, _WAVES)
    frequencies = [part for row in sums for part in row]
    middle = median(frequencies)
    bits = "".join("1" if part > middle else "0" for part in frequencies)
    return f"{int(bits, 2):016x}"
