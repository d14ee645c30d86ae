"""What can be told of a picture without handing it out, and how like each other pictures are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

INFO_VERSION = 1  # grows when the same picture would be described otherwise

BANDS = 4  # into which a perceptual hash is cut
BAND_BITS = 16
MAX_DISTANCE = 2 * BANDS - 1  # bits; see ``near_bands``


@dataclass(frozen=True, kw_only=True, slots=True)
class Swatch:
    """A colour (rrggbb), and what share of the picture has it or one much like it (0 to 1)."""

    color: str
    share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Info:
    """A description of an original; of an animation, of its first frame.

    ``width`` and ``height`` are pixels as a viewer sees them; all else is about that, too, but for
    ``orientation``, by which the stored pixels are to be turned (EXIF, 1 to 8).
    """

    format: str
    width: int
    height: int
    frames: int
    orientation: int
    color_space: str  # rgb, gray, cmyk, lab
    bit_depth: int  # of each channel
    alpha: bool
    icc_profile: str | None  # its name; None without a profile, or if it tells none
    exif: Mapping[str, str]  # all of it, where it was taken included
    palette: tuple[Swatch, ...]  # the largest share first; empty if nothing can be seen
    blurhash: str
    thumbhash: str  # base64
    phash: str | None  # 16 hex digits; None for a picture that shows nothing but one grey
    version: int = INFO_VERSION

    @property
    def current(self) -> bool:
        """Whether it would be told so today."""
        return self.version == INFO_VERSION


def distance(one: str, other: str) -> int:
    """Return in how many of their 64 bits two perceptual hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def bands(phash: str) -> Sequence[int]:
    """Return the bands of a hash, each with its place: 18 bits that name a part of an index."""
    bits = int(phash, 16)
    mask = (1 << BAND_BITS) - 1
    return [place << BAND_BITS | bits >> BAND_BITS * place & mask for place in range(BANDS)]


def near_bands(phash: str, most: int) -> Sequence[int]:
    """Return bands of which every hash has at least one that differs in ``most`` bits at most.

    Fewer bits than bands leave one band as it is; fewer than twice as many change one by one bit.
    """
    assert most <= MAX_DISTANCE
    own = bands(phash)
    if most < BANDS:
        return own
    return [*own, *(band ^ 1 << bit for band in own for bit in range(BAND_BITS))]
