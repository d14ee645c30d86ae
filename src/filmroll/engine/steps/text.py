"""Text as a picture, in the fonts that come with the package."""

import math
from collections.abc import Mapping
from importlib.resources import files

import pyvips

from filmroll.engine.color import premultiplied
from filmroll.engine.glyphs import missing
from filmroll.errors import InvalidInstructions
from filmroll.geometry import Size
from filmroll.instructions import Watermark

_FONTS: Mapping[str, tuple[str, str]] = {
    "sans": ("DejaVu Sans", "DejaVuSans.ttf"),
    "sans-bold": ("DejaVu Sans Bold", "DejaVuSans-Bold.ttf"),
}
_ALIGN: Mapping[str, str] = {"start": "low", "center": "centre", "end": "high"}
_NO_INK = "no text to render"
_TOO_LONG = "too big"
_TRIAL = 32  # px; large enough to measure by, small enough for 500 letters in a row
_LONGEST = 32_000  # px of a line; a little more is the end of what cairo can draw
_SOFT = 0.7  # px; of an outline's edge, which whole pixels would make a stair
_DIRECTIONS = 16  # of a circle that outlines are drawn with


def text_image(op: Watermark, room: Size) -> pyvips.Image:
    """Return a text with alpha, its letters ``op.size`` px high, or as wide as ``room`` by scale.

    It gets smaller where it would not fit into ``room`` otherwise, so no text outgrows memory.
    Raises InvalidInstructions if there is something in it that cannot be drawn.
    """
    text = str(op.text)
    if strange := missing(text):
        raise InvalidInstructions(f"watermark: the fonts have no sign for {' '.join(strange)}.")
    size = _size(op, room)
    mark = _inked(_letters(op, size, _column(op, size, room)), op, round(op.outline * size))
    return mark.crop(0, 0, min(mark.width, room.width), min(mark.height, room.height))


def _size(op: Watermark, room: Size) -> float:
    """Return how high the letters may be in px."""
    size = float(op.size)
    fitting = _fitting(op, room, _column(op, size, room))
    if op.wrap is None:
        return fitting if op.scale is not None else min(size, fitting)
    while fitting < size:
        size *= min(0.95, math.sqrt(fitting / size))  # half as high, they need a quarter of room
        fitting = _fitting(op, room, _column(op, size, room))
    return size


def _column(op: Watermark, size: float, room: Size) -> float:
    """Return how long a line may be, in letters' heights."""
    return max(0, room.width / size - 2 * op.outline)


def _fitting(op: Watermark, room: Size, column: float) -> float:
    """Return the largest size of the letters with which a text of such lines fits into a room."""
    # In a column a little narrower: rounding may break the lines of another size elsewhere, but
    # not into more of them.
    trial = min(_TRIAL, _LONGEST / max(1, column))
    letters = _letters(op, trial, column * 0.97)
    edges = 2 * op.outline * trial
    width, height = letters.width + edges, letters.height + edges
    return float(trial * min(room.width / width, room.height / height))


def _letters(op: Watermark, size: float, column: float) -> pyvips.Image:
    """Return how much of each pixel the letters cover, 0 to 255."""
    name, file = _FONTS[op.font]
    path = str(files("filmroll.engine") / "fonts" / file)
    # Pango takes the text for markup, and 72 dpi make a point a pixel.
    plain = str(op.text).replace("&", "&amp;").replace("<", "&lt;")
    lines = {} if op.wrap is None else {"width": max(1, round(column * size)), "wrap": "word"}
    try:
        return pyvips.Image.text(
            plain,
            font=f"{name} {size:.2f}",
            fontfile=path,
            dpi=72,
            align=_ALIGN[op.align],
            **lines,
        )
    except pyvips.Error as error:
        if _NO_INK in str(error.detail):
            why = "the text has nothing that can be seen"
        elif _TOO_LONG in str(error.detail):
            why = "the text's lines are too long to be drawn; wrap them earlier"
        else:
            raise
        raise InvalidInstructions(f"watermark: {why}.") from error


def _inked(letters: pyvips.Image, op: Watermark, outline: int) -> pyvips.Image:
    """Return the letters in their colour, and around them, not under them, their outline."""
    width, height = letters.width + 2 * outline, letters.height + 2 * outline
    letters = letters.embed(outline, outline, width, height).copy_memory()
    around = (_widened(letters, outline) if outline else letters) - letters
    around = (around > 0).ifthenelse(around, 0)
    ink, line = premultiplied(op.color), premultiplied(op.outline_color)
    seen = (letters / 255 * ink + around / 255 * line).copy(interpretation="srgb")
    return seen.unpremultiply().rint().cast("uchar").copy(interpretation="srgb")


def _widened(letters: pyvips.Image, radius: int) -> pyvips.Image:
    """Return the letters as a pen of that radius would draw them, along their edge."""
    step = 1
    while radius > 0:
        step = min(step, radius)
        letters = _smeared(letters, step).copy_memory()
        radius -= step
        step *= 2  # everything is thick enough now for a ring to leave no gap
    return letters.gaussblur(_SOFT)


def _smeared(letters: pyvips.Image, by: int) -> pyvips.Image:
    turns = [2 * math.pi * number / _DIRECTIONS for number in range(_DIRECTIONS)]
    moves = sorted({(round(by * math.cos(turn)), round(by * math.sin(turn))) for turn in turns})
    size = (letters.width, letters.height)
    return letters.bandrank([letters.embed(x, y, *size) for x, y in moves], index=len(moves))
