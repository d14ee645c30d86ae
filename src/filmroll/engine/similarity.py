"""How much of a picture an encoder has kept: the structural similarity (SSIM) of its luminance.

The mean over windows of 8 × 8 pixels, as its authors first had it. The windows lie half a block
off the grid that JPEG, WebP and AVIF cut pictures by, so that seams between blocks count.
"""

import pyvips

_WINDOW = 8  # px
_OFFSET = 4  # px
_LEAST_SIDE = _OFFSET + _WINDOW
_LUMINANCE, _CONTRAST = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # SSIM's constants for 8 bits
_GREY = [128, 128, 128]


class Similarity:
    """Compares with one picture, of which what is needed is worked out once."""

    def __init__(self, original: pyvips.Image) -> None:
        """``original`` is an 8-bit picture, in memory; what shines through counts as grey."""
        self._luminance = _luminance(original)
        self._mean = _means(self._luminance).copy_memory()
        self._variance = (_means(self._luminance**2) - self._mean**2).copy_memory()

    @staticmethod
    def measures(image: pyvips.Image) -> bool:
        """Whether a picture is large enough for at least one window."""
        return bool(min(image.width, image.height) >= _LEAST_SIDE)

    def of(self, data: bytes) -> float:
        """Return the score of an encoded copy: 1 for an equal one."""
        luminance = _luminance(pyvips.Image.new_from_buffer(data, "").copy_memory())
        mean = _means(luminance)
        variance = _means(luminance**2) - mean**2
        covariance = _means(self._luminance * luminance) - self._mean * mean
        alike = (2 * self._mean * mean + _LUMINANCE) * (2 * covariance + _CONTRAST)
        most = (self._mean**2 + mean**2 + _LUMINANCE) * (self._variance + variance + _CONTRAST)
        score: float = (alike / most).avg()
        return score


def _luminance(image: pyvips.Image) -> pyvips.Image:
    if image.hasalpha():
        image = image.flatten(background=_GREY)
    grey = image.colourspace("b-w")[0].cast("float")
    return grey.crop(_OFFSET, _OFFSET, grey.width - _OFFSET, grey.height - _OFFSET).copy_memory()


def _means(image: pyvips.Image) -> pyvips.Image:
    """Return the mean of each window; what is left at the edges is no window."""
    return image.shrink(_WINDOW, _WINDOW)
