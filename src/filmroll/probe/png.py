"""PNG: the chunks from IHDR to IEND, skipping what they hold."""

import re
import struct
import zlib
from collections.abc import Iterator

from filmroll.errors import CorruptImage
from filmroll.limits import Limits
from filmroll.model import Header
from filmroll.probe.exif import orientation_in, turned
from filmroll.probe.source import Source

_SIGNATURE = 8  # bytes
_HEADER = 13  # bytes of IHDR
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}  # by colour
_METHODS = [0, 0, 0], [0, 0, 1]  # compression, filter, interlaced or not
_LARGEST = 2**31 - 1  # of any number in a PNG
_NAME = re.compile(rb"[A-Za-z]{4}")
_MOST_EXIF = 64 * 1024  # bytes; cameras write less


def read(source: Source, limits: Limits) -> Header:
    """Read a PNG."""
    width, height = _size(source)
    limits.admit(Header(format="png", width=width, height=height))  # before the walk: it is cheap
    orientation, data = 0, 0
    for name, at, length in _chunks(source):
        if name == b"IDAT":
            data += length
        elif name == b"eXIf" and not data and not orientation:  # libvips sees no later one
            orientation = orientation_in(source.read(at, min(length, _MOST_EXIF)))
    if not data:
        raise CorruptImage("The PNG has no picture data.")
    width, height = turned(orientation, width, height)
    return Header(format="png", width=width, height=height)


def _size(source: Source) -> tuple[int, int]:
    chunk = source.read(_SIGNATURE, 4 + 4 + _HEADER + 4)
    length, name, width, height, depth, color, *methods, crc = struct.unpack(">I4sIIBBBBBI", chunk)
    if (length, name) != (_HEADER, b"IHDR") or crc != zlib.crc32(chunk[4:-4]):
        raise CorruptImage("The PNG's header is damaged.")
    sized = 0 < width <= _LARGEST and 0 < height <= _LARGEST
    if not sized or depth not in _DEPTHS.get(color, ()) or methods not in _METHODS:
        raise CorruptImage(
            f"The PNG's header makes no sense: {width} × {height} pixels, depth {depth}, "
            f"colour type {color}."
        )
    return width, height


def _chunks(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, offset and length of what each chunk holds, IEND the last."""
    at, name = _SIGNATURE, b""
    while name != b"IEND":
        head = source.read(at, 8)
        length, name = int.from_bytes(head[:4]), head[4:]
        if length > _LARGEST or not _NAME.fullmatch(name):
            raise CorruptImage(f"The PNG has no chunk at byte {at}, where one should be.")
        at += 8
        source.hold(at, length + 4, "a chunk of the PNG")
        yield name, at, length
        at += length + 4
