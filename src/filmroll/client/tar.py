"""Files as a tar stream. A header by hand takes 2 µs, ``TarInfo.tobuf`` 23: a third of a file."""

import errno
import hashlib
import os
from collections.abc import Iterator, Sequence

from filmroll.client.files import File

BLOCK = 512
CHUNK_BYTES = 512 << 10  # handed on at once: fewer turns between threads than one a file
_NAME = 100  # bytes that the plain header has room for

_OWNER = b"\0".join((b"0000644", b"0000000", b"0000000", b""))  # mode, uid, gid: nobody's
_TIME = b"00000000000\0"
_USTAR = b"\0" * _NAME + b"ustar\x0000" + b"\0" * 247  # no link, magic, version, nothing else
_BLANK = ord(" ") * 8  # the checksum counts its own field as blanks
_FIXED = sum(_OWNER) + sum(_TIME) + sum(_USTAR) + _BLANK
_END = b"\0" * (2 * BLOCK)


def header(name: bytes, size: int) -> bytes:
    """Return what comes before the bytes of a regular file (``size`` below 8 GiB)."""
    if len(name) <= _NAME:
        return _block(name, size, b"0")
    record = _pax(name)
    before = _block(b"long-name", len(record), b"x")
    return b"".join((before, record, padding(len(record)), _block(name[:_NAME], size, b"0")))


def padding(size: int) -> bytes:
    """Return what fills the last block of so many bytes."""
    return b"\0" * (-size % BLOCK)


def pack(
    files: Sequence[File], hashes: dict[str, str], faults: dict[str, OSError]
) -> Iterator[bytes]:
    """Yield a tar of small files, read one after the other.

    The sha256 (hex) of each goes to ``hashes``; one that cannot be read is left out, and why goes
    to ``faults``; both by ``ref``.
    """
    parts: list[bytes] = []
    waiting = 0
    for file in files:
        try:
            data = read(file)
        except OSError as fault:
            faults[file.ref] = fault
            continue
        hashes[file.ref] = hashlib.sha256(data).hexdigest()
        parts += (header(file.ref.encode(), len(data)), data, padding(len(data)))
        waiting += len(data) + BLOCK
        if waiting >= CHUNK_BYTES:
            yield b"".join(parts)
            parts.clear()
            waiting = 0
    yield b"".join((*parts, _END))


def read(file: File) -> bytes:
    """Return a file's bytes with a quarter of what ``open`` costs: no buffers, no objects.

    Raises OSError, also for a file that is shorter than it was: it may be half written.
    """
    descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, file.size + 1)
        while more := os.read(descriptor, CHUNK_BYTES):  # network drives give less than there is
            data += more
    finally:
        os.close(descriptor)
    if len(data) < file.size:
        raise OSError(errno.ENODATA, f"{file.size} bytes were there, now only {len(data)} are")
    return data


def _block(name: bytes, size: int, kind: bytes) -> bytes:
    digits = b"%011o" % size
    checksum = _FIXED + sum(name) + sum(digits) + kind[0]
    return b"".join(
        (
            name.ljust(_NAME, b"\0"),
            _OWNER,
            digits,
            b"\0",
            _TIME,
            b"%06o\0 " % checksum,
            kind,
            _USTAR,
        )
    )


def _pax(name: bytes) -> bytes:
    """Return the record that gives the next member a long name; its length counts itself."""
    length = rest = len(name) + len(b"  path=\n") - 1
    while length != rest + len(str(length)):
        length = rest + len(str(length))
    return b"%d path=%s\n" % (length, name)
