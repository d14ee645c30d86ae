"""JPEG: the segments up to the first scan, and an end-of-image mark behind it."""

from collections.abc import Iterator

from filmroll.errors import CorruptImage, UnsupportedMedia
from filmroll.limits import Limits
from filmroll.model import Header
from filmroll.probe.exif import orientation_in, turned
from filmroll.probe.source import Source

_MARK, _FILL = 0xFF, b"\xff"
_APP1, _SCAN = 0xE1, 0xDA
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})  # baseline, extended, progressive
_OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF})
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_MISPLACED = frozenset({0x00, 0xD8, 0xD9})  # no marker at all; another start; an early end
_CHANNELS = frozenset({1, 3, 4})  # grey, colour, CMYK
_DEPTH = 8  # bits per sample
_EXIF = b"Exif\0\0"
_END = b"\xff\xd9"


def read(source: Source, limits: Limits) -> Header:
    """Read a JPEG."""
    size: tuple[int, int] | None = None
    orientation = scan = 0
    for marker, at, length in _segments(source):
        if marker in _FRAMES:
            size = _size(source, at, length)
        elif marker == _APP1 and not orientation and _is_exif(source, at, length):
            orientation = orientation_in(source.read(at + len(_EXIF), length - len(_EXIF)))
        elif marker in _OTHER_FRAMES:
            raise UnsupportedMedia("This JPEG is lossless or hierarchical; send a common one.")
        scan = at
    if size is None:
        raise CorruptImage("The JPEG has a scan, but nothing before it says how large it is.")
    width, height = turned(orientation, *size)
    header = limits.admit(Header(format="jpeg", width=width, height=height))
    # Only behind the scan: a thumbnail in the EXIF data has an end of its own.
    if not source.has(_END, scan):
        raise CorruptImage("The JPEG is cut short: its end-of-image mark is missing.")
    return header


def _segments(source: Source) -> Iterator[tuple[int, int, int]]:
    """Yield marker, offset and length of each segment, the first scan's header the last."""
    at, marker = 2, 0
    while marker != _SCAN:
        mark, marker, high, low = source.read(at, 4)
        if mark != _MARK or marker in _MISPLACED:
            raise CorruptImage(f"The JPEG has no segment at byte {at}, where one should be.")
        if marker == _MARK:  # a mark may be filled up with further FF
            at = source.skip(at, _FILL) - 1
            continue
        if marker in _BARE:
            at += 2
            continue
        length = max((high << 8 | low) - 2, 0)  # the two bytes of the length count themselves
        yield marker, at + 4, length
        at += 4 + length


def _is_exif(source: Source, at: int, length: int) -> bool:
    """Whether this APP1 segment holds EXIF data; the first that does counts."""
    return source.read(at, min(length, len(_EXIF))) == _EXIF


def _size(source: Source, at: int, length: int) -> tuple[int, int]:
    """Return width and height as a frame header states them."""
    fields = source.read(at, 6)
    depth, channels = fields[0], fields[5]
    height, width = int.from_bytes(fields[1:3]), int.from_bytes(fields[3:5])
    if depth != _DEPTH:
        raise UnsupportedMedia(f"This JPEG has {depth} bits per sample; send one of {_DEPTH}.")
    if not width or not height or channels not in _CHANNELS or length != 6 + 3 * channels:
        raise CorruptImage(
            f"The JPEG's frame header makes no sense: {width} × {height} pixels, "
            f"{channels} channels."
        )
    return width, height
