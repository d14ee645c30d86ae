"""AVIF: the primary picture's size and turns, and all its items' data inside the file."""

from collections.abc import Iterator

from filmroll.errors import CorruptImage, UnsupportedMedia
from filmroll.limits import Limits
from filmroll.model import Header
from filmroll.probe.boxes import Box, Fields, boxes, inside
from filmroll.probe.source import Source

_VERSION = 4  # bytes of version and flags, which many boxes begin with
_IN_FILE, _IN_BOX = 0, 1  # how iloc counts offsets: in the file, in the box idat


def read(source: Source, limits: Limits) -> Header:
    """Read an AVIF."""
    top = inside(source, Box(b"", 0, source.size))
    if source.read(8, 4) == b"avis" or b"moov" in top:
        raise UnsupportedMedia("AVIF sequences cannot be decoded here; send the animation as WebP.")
    meta = inside(source, _need(top, b"meta"), _VERSION)
    primary = _primary(Fields(source, _need(meta, b"pitm")))
    _check_data(source, meta, primary)
    width, height = _size(source, inside(source, _need(meta, b"iprp")), primary)
    return limits.admit(Header(format="avif", width=width, height=height))


def _need(found: dict[bytes, Box], kind: bytes) -> Box:
    if kind not in found:
        raise CorruptImage(f"The AVIF has no box {kind.decode()}.")
    return found[kind]


def _primary(fields: Fields) -> int:
    """Return the id of the item that is the picture."""
    version = fields.take(_VERSION) >> 24
    return fields.take(4 if version else 2)


def _size(source: Source, properties: dict[bytes, Box], item: int) -> tuple[int, int]:
    """Return width and height of an item, after what its properties do to it."""
    container = _need(properties, b"ipco")
    known = list(boxes(source, container.at, container.end))
    size = 0, 0
    for index in _associated(Fields(source, _need(properties, b"ipma")), item):
        if not 0 < index <= len(known):
            raise CorruptImage(f"The AVIF's picture refers to a property {index} that it lacks.")
        size = _apply(source, known[index - 1], size)
    if 0 in size:
        raise CorruptImage(f"The AVIF states a size of {size[0]} × {size[1]} pixels.")
    return size


def _apply(source: Source, box: Box, size: tuple[int, int]) -> tuple[int, int]:
    """Return a picture's size after one property of it."""
    fields = Fields(source, box)
    match box.kind:
        case b"ispe":
            fields.take(_VERSION)
            return fields.take(4), fields.take(4)
        case b"clap":  # a cut, given by fractions
            width, width_parts = fields.take(4), fields.take(4)
            height, height_parts = fields.take(4), fields.take(4)
            return round(width / max(width_parts, 1)), round(height / max(height_parts, 1))
        case b"irot" if fields.take(1) & 1:  # quarter turns
            return size[1], size[0]
    return size


def _associated(fields: Fields, item: int) -> Iterator[int]:
    """Yield the numbers of an item's properties, counted from 1."""
    head = fields.take(_VERSION)
    wide_id, wide_index = head >> 24, head & 1
    for _ in range(fields.take(4)):
        owner = fields.take(4 if wide_id else 2)
        for _ in range(fields.take(1)):
            index = fields.take(2) & 0x7FFF if wide_index else fields.take(1) & 0x7F
            if owner == item and index:
                yield index


def _check_data(source: Source, meta: dict[bytes, Box], primary: int) -> None:
    """Raise CorruptImage unless the data of every item are there."""
    total = 0
    for item, method, at, length in _extents(Fields(source, _need(meta, b"iloc"))):
        if method == _IN_FILE:
            source.hold(at, length, f"item {item}")
        elif method == _IN_BOX and at + length > (box := _need(meta, b"idat")).end - box.at:
            raise CorruptImage(f"The AVIF's item {item} is longer than the box that holds it.")
        total += length if item == primary else 0
    if not total:
        raise CorruptImage("The AVIF has no picture data.")


def _extents(fields: Fields) -> Iterator[tuple[int, int, int, int]]:
    """Yield item, method, offset and length of each piece of data in the box iloc."""
    version = fields.take(_VERSION) >> 24
    widths = fields.take(2)
    offset, length, base, index = (widths >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 2 if version < 2 else 4  # noqa: PLR2004 -- version 2 has more room for ids
    for _ in range(fields.take(wide)):
        item = fields.take(wide)
        method = fields.take(2) & 15 if version else 0
        fields.take(2)
        start = fields.take(base)
        for _ in range(fields.take(2)):
            fields.take(index if version else 0)
            yield item, method, start + fields.take(offset), fields.take(length)
