"""What can be sent: a file by its path, bytes, or an open file; read while it goes out."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from filmroll.client.transport import Body

Source = str | Path | bytes | BinaryIO
READ_BYTES = 256 << 10


def content(source: Source) -> tuple[Body, int]:
    """Return a body that can be sent again, and its size in bytes.

    An open file is read from where it stands, each time; it has to be seekable, and stays open.
    Raises OSError for a file that cannot be read.
    """
    if isinstance(source, bytes):
        return source, len(source)
    if isinstance(source, (str, Path)):
        path = Path(source)
        with path.open("rb") as file:
            return lambda: read_path(path), os.fstat(file.fileno()).st_size
    start = source.tell()
    size = source.seek(0, os.SEEK_END) - start
    return lambda: _read(source, start), size


def name_of(source: Source) -> str | None:
    """Return the file's name, where there is one."""
    if isinstance(source, (str, Path)):
        return Path(source).name
    name = getattr(source, "name", None)
    return Path(name).name if isinstance(name, str) else None


async def read_path(path: Path) -> AsyncIterator[bytes]:
    """Yield a file in pieces; raise OSError."""
    with path.open("rb") as file:
        async for chunk in _read(file, 0):
            yield chunk


async def read_range(file: BinaryIO, start: int, size: int) -> AsyncIterator[bytes]:
    """Yield a range of an open file, which others may read too; raise OSError if it ends before."""
    end = start + size
    while start < end:
        wanted = min(READ_BYTES, end - start)
        chunk = await asyncio.to_thread(os.pread, file.fileno(), wanted, start)
        if not chunk:
            raise OSError("the file became shorter while it was sent")
        start += len(chunk)
        yield chunk


async def _read(file: BinaryIO, start: int) -> AsyncIterator[bytes]:
    file.seek(start)
    while chunk := await asyncio.to_thread(file.read, READ_BYTES):
        yield chunk
