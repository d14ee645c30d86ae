"""EXIF as texts by the tags' names, from what libvips (libexif) has read of the header."""

import re
from collections.abc import Mapping

import pyvips

# Of the picture, of how it was taken, of where; not of the thumbnail within, nor of readers.
_FOLDERS = ("exif-ifd0-", "exif-ifd2-", "exif-ifd3-")
_OPAQUE = {"MakerNote", "PrintImageMatching"}  # bytes that only their maker can read
_MOST = 100  # tags
_LONGEST = 256  # characters of a value
# libvips gives "value (the value for people, type, 1 components, 4 bytes)".
_TAIL = re.compile(r", [A-Za-z]+, \d+ components, \d+ bytes\)$")


def exif_of(header: pyvips.Image) -> Mapping[str, str]:
    """Return the tags that have a value; libexif adds those that EXIF wants to be there."""
    found: dict[str, str] = {}
    for field in header.get_fields():
        if not field.startswith(_FOLDERS) or len(found) == _MOST:
            continue
        name, value = field.rpartition("-")[2], _value(header.get(field))
        if value and name not in _OPAQUE:
            found.setdefault(name, value[:_LONGEST])
    return found


def _value(text: str) -> str:
    """Return the value alone; it may hold parentheses itself, and is then said twice alike."""
    both = _TAIL.sub("", text)
    half = (len(both) - 2) // 2
    if both[:half] == both[half + 2 :]:
        return both[:half].strip()
    return both.partition(" (")[0].strip()
