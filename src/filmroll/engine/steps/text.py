"""Text as a picture, in the fonts that come with the package."""

from collections.abc import Mapping
from html import escape
from importlib.resources import files

import pyvips

from filmroll.engine.color import rgba
from filmroll.geometry import Size

_FONTS: Mapping[str, tuple[str, str]] = {
    "sans": ("DejaVu Sans", "DejaVuSans.ttf"),
    "sans-bold": ("DejaVu Sans Bold", "DejaVuSans-Bold.ttf"),
}
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
    # 72 dpi makes a point a pixel. The text is Pango markup, so it is escaped.
    markup = escape(text, quote=False)
    return pyvips.Image.text(markup, font=f"{name} {size:.2f}", fontfile=path, dpi=72)
