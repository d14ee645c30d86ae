"""A picture made so small that Python can look at each of its pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyvips


@dataclass(frozen=True, slots=True)
class Thumb:
    """Pixels as planes of 8 bits: red, green, blue and, if there is some, alpha."""

    width: int
    height: int
    planes: tuple[Sequence[int], ...]

    @classmethod
    def of(cls, image: pyvips.Image) -> "Thumb":
        """Read the pixels of an 8-bit sRGB picture."""
        data, bands = bytes(image.write_to_memory()), image.bands
        planes = tuple(data[band::bands] for band in range(bands))
        return cls(image.width, image.height, planes)
