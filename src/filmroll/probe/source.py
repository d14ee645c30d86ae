"""The bytes of one upload, as the readers of the formats see them.

A reader jumps about by offsets and trusts nothing. This is where the two promises are kept that no
reader could keep alone: nothing is read past the end, and no file, however it is built, costs more
than a fixed amount of reading.
"""

from struct import Struct
from typing import BinaryIO

from filmroll.errors import CorruptImage

_WHOLE = 256 * 1024  # bytes; files up to here are read at once
_BLOCK = 4096  # bytes; larger ones by pages, so that a walk skips what lies between
_TAIL = 16 * 1024 * 1024  # bytes; how far from the end a search goes at most
_STRIDE = 64 * 1024  # bytes; one step of that search

# Each read costs its bytes and a little for itself. Honest files stay far below what they may cost:
# a GIF of 1,000 tiny frames, a table of a TIFF with all its pages, a GIF of 100 MB. One built of
# empty parts is given up: after about 10 ms if it is small, half a second at most.
_PRICE = 32
_FREE = 320 * 1024
_MOST = 16 * 1024 * 1024


class Source:
    """A file of ``size`` bytes that can be read anywhere. It is not closed."""

    __slots__ = ("_budget", "_file", "_held", "_start", "size")

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.size = size
        self._file = file
        self._start = 0
        self._held = b""
        self._budget = min(_FREE + size // 2, _MOST)

    def read(self, at: int, count: int) -> bytes:
        """Return exactly ``count`` bytes from offset ``at``.

        Raises CorruptImage if the file ends before them, or has been read too much already.
        """
        self._budget -= count + _PRICE
        if self._budget < 0:
            raise CorruptImage("The file has more parts than any picture needs.")
        first = at - self._start
        last = first + count
        if first < 0 or last > len(self._held):
            self._fetch(at, count)
            first, last = at - self._start, at - self._start + count
        return self._held[first:last]

    def skip(self, at: int, byte: bytes) -> int:
        """Return the offset of the first byte from ``at`` on that is not ``byte``, or the end."""
        step = 8
        while at < self.size:
            part = self.read(at, min(step, self.size - at))
            rest = part.lstrip(byte)
            at += len(part) - len(rest)
            if rest:
                break
            step = min(2 * step, _BLOCK)
        return at

    def big(self, at: int, count: int) -> int:
        """Return ``count`` bytes from offset ``at`` as one number, big end first."""
        return int.from_bytes(self.read(at, count), "big")

    def little(self, at: int, count: int) -> int:
        """Return ``count`` bytes from offset ``at`` as one number, little end first."""
        return int.from_bytes(self.read(at, count), "little")

    def unpack(self, at: int, form: Struct) -> tuple[int, ...]:
        """Return the numbers from offset ``at`` that ``form`` describes."""
        return form.unpack(self.read(at, form.size))

    def hold(self, at: int, count: int, what: str) -> None:
        """Raise CorruptImage unless ``count`` bytes from ``at``, named ``what``, are there."""
        if at + count > self.size:
            raise CorruptImage(
                f"The file is cut short: it has {self.size} bytes, but {what} ends at byte "
                f"{at + count}.",
                limit=self.size,
                actual=at + count,
            )

    def has(self, mark: bytes, after: int) -> bool:
        """Whether ``mark`` occurs between ``after`` and the end, looking back 16 MB at most."""
        if len(self._held) == self.size:
            return self._held.rfind(mark, after) >= 0
        end = self.size
        lowest = max(after, end - _TAIL)
        while end - lowest >= len(mark):
            start = max(lowest, end - _STRIDE)
            self._file.seek(start)
            if mark in self._file.read(end - start):
                return True
            # The next stretch overlaps this one: the mark may lie across the border.
            end = start + len(mark) - 1 if start > lowest else lowest
        return False

    def _fetch(self, at: int, count: int) -> None:
        self.hold(at, count, "a part of it")
        self._start, wanted = (0, self.size) if self.size <= _WHOLE else (at, max(count, _BLOCK))
        self._file.seek(self._start)
        self._held = self._file.read(wanted)
        if self._start + len(self._held) < at + count:
            raise CorruptImage("The file is shorter than was announced.", limit=self.size)
