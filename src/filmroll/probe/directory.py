"""TIFF's directories: tables of numbered fields, chained by offsets. EXIF is made of them too."""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct, unpack

from filmroll.errors import CorruptImage
from filmroll.probe.source import Source

_TYPES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}  # of whole numbers: struct's letters for them
_WIDTHS = {"B": 1, "H": 2, "I": 4, "Q": 8}  # bytes
_MOST_FIELDS = 4096


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a file writes its directories."""

    order: str  # struct's sign for it
    start: int  # where the offset of the first directory stands
    total: Struct  # how many fields a directory has
    field: Struct  # tag, type, number of values; the value or its offset follows
    offset: Struct


def _layout(order: str, start: int, total: str, field: str, offset: str) -> _Layout:
    return _Layout(
        order, start, Struct(order + total), Struct(order + field), Struct(order + offset)
    )


_LAYOUTS = {
    b"II*\0": _layout("<", 4, "H", "HHI", "I"),
    b"MM\0*": _layout(">", 4, "H", "HHI", "I"),
    b"II+\0": _layout("<", 8, "Q", "HHQ", "Q"),  # BigTIFF
    b"MM\0+": _layout(">", 8, "Q", "HHQ", "Q"),
}


class Directory:
    """The fields of one directory, by their tags."""

    __slots__ = ("_fields", "_layout", "_source", "end")

    def __init__(self, source: Source, layout: _Layout, at: int) -> None:
        self._source, self._layout = source, layout
        (total,) = source.unpack(at, layout.total)
        if not 0 < total <= _MOST_FIELDS:
            raise CorruptImage(f"The TIFF has a directory of {total} fields at byte {at}.")
        head = layout.field.size
        size = head + layout.offset.size
        first = at + layout.total.size
        self.end = first + total * size
        table = source.read(first, total * size)
        # For each tag: type, number of values, where the value or its offset stands.
        self._fields: dict[int, tuple[int, int, int]] = {}
        for place in range(0, len(table), size):
            tag, kind, values = layout.field.unpack_from(table, place)
            self._fields[tag] = kind, values, first + place + head

    def __contains__(self, tag: int) -> bool:
        return tag in self._fields

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the values of a field; none if it is missing or holds no whole numbers."""
        kind, count, at = self._fields.get(tag, (0, 0, 0))
        letter = _TYPES.get(kind)
        if letter is None:
            return ()
        size = count * _WIDTHS[letter]
        if size > self._layout.offset.size:
            (at,) = self._source.unpack(at, self._layout.offset)
        return unpack(f"{self._layout.order}{count}{letter}", self._source.read(at, size))

    def number(self, tag: int, default: int) -> int:
        """Return the first value of a field."""
        return next(iter(self.numbers(tag)), default)


def directories(source: Source) -> Iterator[Directory]:
    """Yield the directories along their chain.

    Raises CorruptImage if the chain leaves the file, or comes back to where it was.
    """
    layout = _LAYOUTS.get(source.read(0, 4))
    if layout is None:
        raise CorruptImage("The TIFF does not begin as one should.")
    seen: set[int] = set()
    (at,) = source.unpack(layout.start, layout.offset)
    while at:
        if at in seen:
            raise CorruptImage(f"The TIFF's directories run in a circle, at byte {at}.")
        seen.add(at)
        directory = Directory(source, layout, at)
        yield directory
        (at,) = source.unpack(directory.end, layout.offset)
