"""Which characters the fonts that come with the package can draw."""

import struct
import unicodedata
from bisect import bisect_right
from functools import cache
from importlib.resources import files

FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")

_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})  # controls, joiners, spaces
_SELECTORS = range(0xFE00, 0xFE10)  # choose between two looks of the character before


def missing(text: str) -> list[str]:
    """Return the characters that no font has a glyph for, each once.

    A letter that one font lacks is taken from the other, as fontconfig does.
    """
    return [char for char in dict.fromkeys(text) if not (_unseen(char) or _drawn(ord(char)))]


def _unseen(char: str) -> bool:
    return unicodedata.category(char) in _UNSEEN or ord(char) in _SELECTORS


def _drawn(code: int) -> bool:
    for starts, ends in map(_ranges, FONTS):
        place = bisect_right(starts, code) - 1
        if place >= 0 and code <= ends[place]:
            return True
    return False


@cache
def _ranges(font: str) -> tuple[list[int], list[int]]:
    """Return first and last character of each range that a font covers, in order.

    They stand in the groups of its ``cmap`` table for all of Unicode, which is in format 12.
    """
    data = (files("filmroll.engine") / "fonts" / font).read_bytes()
    cmap = _table(data, b"cmap")
    records = struct.iter_unpack(">HHI", data[cmap + 4 :][: 8 * _uint16(data, cmap + 2)])
    place = next(cmap + offset for platform, kind, offset in records if (platform, kind) == (3, 10))
    (count,) = struct.unpack_from(">I", data, place + 12)
    groups = list(struct.iter_unpack(">III", data[place + 16 :][: 12 * count]))
    return [start for start, _, _ in groups], [end for _, end, _ in groups]


def _table(data: bytes, tag: bytes) -> int:
    directory = struct.iter_unpack(">4sIII", data[12:][: 16 * _uint16(data, 4)])
    offsets = {name: offset for name, _, offset, _ in directory}
    return int(offsets[tag])


def _uint16(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 2], "big")
