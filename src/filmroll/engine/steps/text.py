"""Text as a picture, in the fonts that come with the package."""

from collections.abc import Mapping
from importlib.resources import files

import pyvips

from filmroll.engine.color import rgba
from filmroll.errors import InvalidInstructions
from filmroll.geometry import Size

_FONTS: Mapping[str, tuple[str, str]] = {
    "sans": ("DejaVu Sans", "DejaVuSans.ttf"),
    "sans-bold": ("DejaVu Sans Bold", "DejaVuSans-Bold.ttf"),
}
_NO_INK = "no text to render"
_TRIAL = 32  # px; large enough to measure by, small enough for 500 letters in a row


def text_image(text: str, font: str, color: str, size: int | None, room: Size) -> pyvips.Image:
    """Return a text with alpha, its letters ``size`` px high, or None: as wide as ``room``.

    It gets smaller where it would not fit into ``room`` otherwise, so no text outgrows memory.
    """
    trial = _mask(text, font, _TRIAL)
    fitting = min(room.width / trial.width, room.height / trial.height)
    factor = fitting if size is None else min(fitting, size / _TRIAL)
    mask = _mask(text, font, _TRIAL * factor)
    mask = mask.crop(0, 0, min(mask.width, room.width), min(mask.height, room.height))
    *rgb, alpha = rgba(color)
    ink = mask.new_from_image(rgb).cast("uchar").copy(interpretation="srgb")
    return ink.bandjoin((mask * (alpha / 255)).cast("uchar"))


def _mask(text: str, font: str, size: float) -> pyvips.Image:
    name, file = _FONTS[font]
    path = str(files("filmroll.engine") / "fonts" / file)
    # Pango takes the text for markup, and 72 dpi make a point a pixel.
    plain = text.replace("&", "&amp;").replace("<", "&lt;")
    try:
        return pyvips.Image.text(plain, font=f"{name} {size:.2f}", fontfile=path, dpi=72)
    except pyvips.Error as error:
        if _NO_INK not in str(error.detail):
            raise
        raise InvalidInstructions("watermark: the text has nothing that can be seen.") from error
