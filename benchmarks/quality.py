"""How near a picture comes to the best one: a full decode, then Lanczos over all of it."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyvips

_EXACT = 99.0  # dB, for pictures without any difference
# The constants of Wang et al., 2004, for 8 bits; their window is a Gaussian of 1.5 px.
_C1, _C2, _SIGMA = (0.01 * 255) ** 2, (0.03 * 255) ** 2, 1.5


@dataclass(frozen=True, slots=True)
class Score:
    """Medians over some pictures: PSNR of all channels in dB, SSIM of the luma."""

    psnr: float
    ssim: float


def score(pictures: Mapping[Path, bytes], width: int, height: int) -> Score:
    """Hold pictures against references made from their sources."""
    pairs = [(_reference(path, width, height), _opened(data)) for path, data in pictures.items()]
    return Score(
        statistics.median(_psnr(best, picture) for best, picture in pairs),
        statistics.median(_ssim(best, picture) for best, picture in pairs),
    )


def sizes(pictures: Sequence[bytes]) -> set[tuple[str, int, int]]:
    """Return the loaders and dimensions that occur."""
    opened = [pyvips.Image.new_from_buffer(data, "") for data in pictures]
    return {(image.get("vips-loader"), image.width, image.height) for image in opened}


def _reference(path: Path, width: int, height: int) -> pyvips.Image:
    image = pyvips.Image.new_from_file(str(path))
    across, down = width / image.width, height / image.height
    # gap=0: no block averaging before Lanczos, which libvips does by default
    return image.resize(across, vscale=down, kernel="lanczos3", gap=0).copy_memory()


def _opened(data: bytes) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(data, "").copy_memory()


def _psnr(best: pyvips.Image, picture: pyvips.Image) -> float:
    error = ((best.cast("float") - picture) ** 2).avg()
    return 10 * math.log10(255**2 / error) if error else _EXACT


def _ssim(best: pyvips.Image, picture: pyvips.Image) -> float:
    a, b = _luma(best), _luma(picture)
    mean_a, mean_b = a.gaussblur(_SIGMA), b.gaussblur(_SIGMA)
    variance_a = (a * a).gaussblur(_SIGMA) - mean_a * mean_a
    variance_b = (b * b).gaussblur(_SIGMA) - mean_b * mean_b
    both = (a * b).gaussblur(_SIGMA) - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + _C1) * (2 * both + _C2)
    scale = (mean_a * mean_a + mean_b * mean_b + _C1) * (variance_a + variance_b + _C2)
    return float((likeness / scale).avg())


def _luma(image: pyvips.Image) -> pyvips.Image:
    red, green, blue = (band.cast("float") for band in image.bandsplit())
    return red * 0.299 + green * 0.587 + blue * 0.114
