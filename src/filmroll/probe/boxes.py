"""The boxes of ISO media files, in which AVIF keeps its tables and its data."""

from collections.abc import Iterator
from typing import NamedTuple

from filmroll.errors import CorruptImage
from filmroll.probe.source import Source


class Box(NamedTuple):
    """One box: its four letters, and where what it holds begins and ends."""

    kind: bytes
    at: int
    end: int


class Fields:
    """The numbers in a box, one after the other, big end first."""

    __slots__ = ("_at", "_end", "_source")

    def __init__(self, source: Source, box: Box) -> None:
        self._source, self._at, self._end = source, box.at, box.end

    def take(self, count: int) -> int:
        """Return the next number, ``count`` bytes long; 0 if it has no bytes."""
        at = self._at
        self._at += count
        if self._at > self._end:
            raise CorruptImage(f"A table of the AVIF is longer than its box, at byte {at}.")
        return self._source.big(at, count)


def boxes(source: Source, at: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets.

    Raises CorruptImage if one does not end before ``end`` does.
    """
    while at < end:
        head, start = source.read(at, 8), at + 8
        size, kind = int.from_bytes(head[:4]), head[4:]
        if size == 1:  # the real size follows, because it is large
            size, start = source.big(start, 8), start + 8
        elif size == 0:  # it is the last one and takes the rest
            size = end - at
        if at + size < start:
            raise CorruptImage(f"The AVIF has no box at byte {at}, where one should be.")
        source.hold(at, size, "a box of the AVIF")
        if at + size > end:
            raise CorruptImage(f"The AVIF has a box at byte {at} that leaves the one around it.")
        yield Box(kind, start, at + size)
        at += size


def inside(source: Source, box: Box, skip: int = 0) -> dict[bytes, Box]:
    """Return the boxes in a box, behind ``skip`` bytes of its own, the first of each kind."""
    found: dict[bytes, Box] = {}
    for part in boxes(source, box.at + skip, box.end):
        found.setdefault(part.kind, part)
    return found
