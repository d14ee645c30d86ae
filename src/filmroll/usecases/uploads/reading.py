"""Reading what came in parts: as a stream, or joined into one body."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from filmroll.durable import translated
from filmroll.errors import Conflict
from filmroll.model import Upload, UploadPart
from filmroll.ports import BlobStore, Catalog
from filmroll.usecases.spool import IN_MEMORY_BYTES, Body, Content, Held, create_file

_PAGE = 1000
_CHUNK = 1 << 20
# Where the kernel cannot copy from file to file by itself: other file systems, old kernels.
_NOT_COPIED = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}


async def parts_of(catalog: Catalog, upload: str, count: int) -> AsyncIterator[UploadPart]:
    """Yield the first ``count`` parts of an upload, in order."""
    after = 0
    while page := await catalog.list_parts(upload, after, min(_PAGE, count)):
        for part in page:
            yield part
        after = page[-1].number
        count -= len(page)


async def whole(catalog: Catalog, upload: Upload, count: int) -> AsyncIterator[UploadPart]:
    """Yield the parts that make an upload, ``count`` at most of each that it consists of."""
    for piece in upload.joins or (upload.id,):
        async for part in parts_of(catalog, piece, count):
            yield part


async def stream(blobs: BlobStore, parts: AsyncIterator[UploadPart]) -> AsyncGenerator[bytes]:
    """Yield the bytes of parts, one part after the other."""
    async for part in parts:
        with await _open(blobs, part) as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk


async def digest(blobs: BlobStore, parts: AsyncIterator[UploadPart]) -> bytes:
    """Return the sha-256 of parts as a whole."""
    hasher = hashlib.sha256()
    async with aclosing(stream(blobs, parts)) as chunks:
        async for chunk in chunks:
            await asyncio.to_thread(hasher.update, chunk)
    return hasher.digest()


@asynccontextmanager
async def joined(
    blobs: BlobStore, parts: AsyncIterator[UploadPart], size: int, folder: Path
) -> AsyncIterator[Body]:
    """Hold parts of ``size`` bytes in all as one body: in memory, or in a file in ``folder``.

    The kernel copies them where the file system can, sharing their blocks where it can do that.
    """
    if size <= IN_MEMORY_BYTES:
        yield Held(b"".join([chunk async for chunk in stream(blobs, parts)]))
        return
    with translated():
        body = _Joined(folder)
    try:
        async for part in parts:
            with await _open(blobs, part) as file:
                await asyncio.to_thread(body.append, file, part.bytes)
        await asyncio.to_thread(body.seal)
        yield body
    finally:
        body.close()


class _Joined:
    """A body in a file, for the blob store to take over."""

    def __init__(self, folder: Path) -> None:
        self._file, path = create_file(folder)
        self.body: Content = path
        self.bytes = 0
        self.sha256 = ""

    def append(self, source: BinaryIO, count: int) -> None:
        """Take so many bytes of a file."""
        with translated():
            while count:
                copied = _copy(source.fileno(), self._file.fileno(), count)
                if not copied:
                    raise _ended()
                count -= copied
                self.bytes += copied

    def seal(self) -> None:
        """End the body: ``sha256`` is valid from now on."""
        with translated():
            self._file.seek(0)
            self.sha256 = hashlib.file_digest(self._file, "sha256").hexdigest()

    def file(self) -> BinaryIO:
        """Return it, readable from its start. It belongs to this body."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Forget it; a file that no store took over is removed."""
        self._file.close()
        assert isinstance(self.body, Path)
        self.body.unlink(missing_ok=True)


async def _open(blobs: BlobStore, part: UploadPart) -> BinaryIO:
    file = await blobs.open(part.key)
    if file is None:
        raise _ended()
    return file


def _ended() -> Conflict:
    return Conflict("The parts are gone: the upload was ended meanwhile.")


def _copy(source: int, target: int, count: int) -> int:
    """Copy up to so many bytes from where one file stands to where the other does."""
    try:
        return os.copy_file_range(source, target, count)
    except OSError as exc:
        if exc.errno not in _NOT_COPIED:
            raise
        return os.sendfile(target, source, None, count)
