"""The name of an ICC profile, out of its ``desc`` tag."""

import struct

_ENTRY = struct.Struct(">4sII")  # signature, offset, size
_HEADER = 128  # bytes before the table of tags
_MOST_TAGS = 100
_LONGEST = 200  # characters


def profile_name(profile: bytes) -> str | None:
    """Return what a profile calls itself (v2 and v4); None if it cannot be read."""
    try:
        (count,) = struct.unpack_from(">I", profile, _HEADER)
        for number in range(min(count, _MOST_TAGS)):
            place = _HEADER + 4 + number * _ENTRY.size
            signature, offset, size = _ENTRY.unpack_from(profile, place)
            if signature == b"desc":
                return _text(profile[offset : offset + size])
    except (struct.error, UnicodeDecodeError):
        pass
    return None


def _text(tag: bytes) -> str | None:
    """Read a ``textDescription`` (v2, ASCII) or the first text of a ``multiLocalizedUnicode``."""
    if tag.startswith(b"desc"):
        (length,) = struct.unpack_from(">I", tag, 8)
        text = tag[12 : 12 + length].decode("ascii")
    elif tag.startswith(b"mluc"):
        length, offset = struct.unpack_from(">II", tag, 20)
        text = tag[offset : offset + length].decode("utf-16-be")
    else:
        return None
    return text.partition("\0")[0].strip()[:_LONGEST] or None
