"""Tar and zip as they are written: what stands before and after the content of each file.

The contents themselves are the caller's, who sends them on from wherever they lie. A zip's headers
hold checksum and size before the content, so its files need no data descriptors: many programs
that read a zip from a stream take none with files that are stored as they are.
"""

import time
from dataclasses import dataclass
from struct import Struct
from tarfile import PAX_FORMAT, TarInfo
from typing import Protocol

from filmroll.archives.tar_headers import BLOCK
from filmroll.archives.tar_headers import END as TAR_END
from filmroll.archives.zip_headers import CENTRAL, END, LOCAL, STORED, ZIP64_END, ZIP64_LOCATOR


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """One file of an archive; ``name`` is a relative path with ``/`` between its parts."""

    name: str
    bytes: int
    crc: int  # CRC-32
    modified_at: float


class Writer(Protocol):
    """Writes one archive; for each file in turn ``before``, the content, ``after``."""

    def before(self, file: File) -> bytes:
        """Return what stands before the content of a file."""

    def after(self, file: File) -> bytes:
        """Return what stands after it."""

    def end(self) -> bytes:
        """Return the end of the archive."""


class TarWriter:
    """Tar with ustar headers, and pax ones for what those have no room for."""

    def before(self, file: File) -> bytes:
        """Return the header."""
        info = TarInfo(file.name)
        info.size = file.bytes
        info.mtime = int(file.modified_at)
        return info.tobuf(PAX_FORMAT, "utf-8", "strict")

    def after(self, file: File) -> bytes:
        """Return what fills the last block."""
        return bytes(-file.bytes % BLOCK)

    def end(self) -> bytes:
        """Return the two empty blocks without which a tar is cut short."""
        return 2 * TAR_END


_LOCAL = Struct("<4s5H3I2H")
_CENTRAL = Struct("<4s6H3I5H2I")
_END = Struct("<4s4H2IH")
_ZIP64_END = Struct("<4sQ2H2I4Q")
_ZIP64_LOCATOR = Struct("<4sIQI")
_TIME = Struct("<2HBI")  # extra field: seconds since the epoch, which know no time zone

_PLAIN, _LARGE = 20, 45  # versions of the format, the latter with zip64
_UNIX = 3 << 8  # who made it, so that the mode counts
_MODE = 0o100644 << 16
_UTF8 = 1 << 11
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF


class ZipWriter:
    """Zip of files as they are: pictures are packed already. Keeps some 80 bytes a file."""

    def __init__(self) -> None:
        self._directory = bytearray()
        self._files = 0
        self._offset = 0

    def before(self, file: File) -> bytes:
        """Return the local header; note what the directory at the end will say."""
        name = file.name.encode()
        extra = _TIME.pack(0x5455, 5, 1, int(file.modified_at) & _MAX32)
        large = [file.bytes] * 2 if file.bytes >= _MAX32 else []
        far = [self._offset] if self._offset >= _MAX32 else []
        size, offset = min(file.bytes, _MAX32), min(self._offset, _MAX32)
        said = (_UTF8, STORED, *_dos_time(file.modified_at), file.crc, size, size, len(name))
        local = _LARGE if large else _PLAIN
        header = _LOCAL.pack(LOCAL, local, *said, len(extra) + len(_zip64(large)))
        header += name + extra + _zip64(large)
        central = _LARGE if large or far else _PLAIN
        extra += _zip64(large + far)
        tail = (len(extra), 0, 0, 0, _MODE, offset)
        self._directory += _CENTRAL.pack(CENTRAL, _UNIX | central, central, *said, *tail)
        self._directory += name + extra
        self._files += 1
        self._offset += len(header) + file.bytes
        return header

    def after(self, file: File) -> bytes:  # noqa: ARG002 -- as the protocol has it
        """Return nothing: the header has said it all."""
        return b""

    def end(self) -> bytes:
        """Return the directory."""
        files, size, start = self._files, len(self._directory), self._offset
        end = b""
        if files >= _MAX16 or max(size, start) >= _MAX32:
            versions = (_UNIX | _LARGE, _LARGE)
            sums = (files, files, size, start)
            end += _ZIP64_END.pack(ZIP64_END, _ZIP64_END.size - 12, *versions, 0, 0, *sums)
            end += _ZIP64_LOCATOR.pack(ZIP64_LOCATOR, 0, start + size, 1)
        count = min(files, _MAX16)
        end += _END.pack(END, 0, 0, count, count, min(size, _MAX32), min(start, _MAX32), 0)
        return bytes(self._directory) + end


def _zip64(values: list[int]) -> bytes:
    """Return the extra field for what takes more than 32 bits."""
    return Struct(f"<2H{len(values)}Q").pack(1, 8 * len(values), *values) if values else b""


def _dos_time(seconds: float) -> tuple[int, int]:
    """Return time and date as DOS wrote them, in UTC, in steps of two seconds."""
    at = time.gmtime(seconds)
    clock = at.tm_hour << 11 | at.tm_min << 5 | at.tm_sec // 2
    return clock, (at.tm_year - 1980) << 9 | at.tm_mon << 5 | at.tm_mday
