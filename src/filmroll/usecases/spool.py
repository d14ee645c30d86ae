"""A body on its way in: counted and hashed while it streams, in memory while it is small."""

import asyncio
import errno
import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from filmroll.durable import begin_writing
from filmroll.errors import DigestMismatch, StorageFull, StoreUnavailable, TooLarge

IN_MEMORY_BYTES = 1 << 20  # of one body
_PREFIX = "spool-"
_BEGUN_BYTES = 8 << 20  # of a file, written by the kernel while more of it arrives
ALL_IN_MEMORY_BYTES = 64 << 20  # of all bodies of a process; what comes beyond goes to files


Content = bytes | Path
Refusal = Callable[[int, int], TooLarge]  # of a limit, and what goes over it


class Hasher(Protocol):
    """What makes a digest of bytes that come one after the other, as those of ``hashlib`` do."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""


class Body(Protocol):
    """A whole body, counted and hashed; the blob store takes ``body``."""

    @property
    def bytes(self) -> int:
        """How many there are."""

    @property
    def sha256(self) -> str:
        """The digest, in hex."""

    @property
    def body(self) -> Content:
        """The bytes, or the file that holds them."""

    def file(self) -> BinaryIO:
        """Return it, readable from its start."""


class Held:
    """A small body that is in memory as a whole already."""

    def __init__(self, body: bytes) -> None:
        self.body: Content = body
        self.bytes = len(body)
        self.sha256 = hashlib.sha256(body).hexdigest()

    def file(self) -> BinaryIO:
        """Return it, readable from its start."""
        assert isinstance(self.body, bytes)
        return io.BytesIO(self.body)


class Memory:
    """How much all spools of a process hold in memory."""

    def __init__(self) -> None:
        self.held = 0

    @property
    def used_up(self) -> bool:
        """Whether it is time to write to files."""
        return self.held > ALL_IN_MEMORY_BYTES


class Spool:
    """Takes chunks, then is sealed; the whole is ``body``: bytes, or a file in ``folder``.

    Nothing of a body reaches the blob store before it is known to be whole, right and an image.
    """

    def __init__(self, folder: Path, limit: int, memory: Memory, refusal: Refusal) -> None:
        """Hold at most ``limit`` bytes, in ``memory`` as long as there is some."""
        self._memory = memory
        self._folder = folder
        self._limit = limit
        self._refusal = refusal
        self._chunks: list[bytes] = []
        self._pending = 0
        self._hash = hashlib.sha256()
        self._others: list[Hasher] = []
        self._file: BinaryIO | None = None
        self._flushing: asyncio.Future[None] | None = None
        self._begun = 0  # bytes of the file that the kernel was told to begin with
        self.bytes = 0
        self.body: Content = b""

    def feed(self, hasher: Hasher) -> None:
        """Let another hasher see all bytes, too; asked for before the first one comes."""
        self._others.append(hasher)

    async def write(self, chunk: bytes) -> None:
        """Take a chunk; raise TooLarge as soon as the limit is passed."""
        self.bytes += len(chunk)
        if self.bytes > self._limit:
            raise self._refusal(self._limit, self.bytes)
        self._chunks.append(chunk)
        self._hold(len(chunk))
        if self._pending > IN_MEMORY_BYTES or self._memory.used_up:
            await self._flush()

    async def seal(self) -> None:
        """End the body: ``body`` and ``sha256`` are valid from now on."""
        if self._file is None:
            self.body = b"".join(self._chunks)
            self._digest(self.body)
        else:
            await self._flush()
        self._chunks.clear()

    @property
    def sha256(self) -> str:
        """The digest of the sealed body, in hex."""
        return self._hash.hexdigest()

    def expect(self, digests: Sequence[bytes]) -> None:
        """Raise DigestMismatch unless the sealed body hashes to each of ``digests``."""
        require_digests(self._hash.digest(), digests)

    def file(self) -> BinaryIO:
        """Return the sealed body, readable from its start. It belongs to the spool."""
        if self._file is None:
            assert isinstance(self.body, bytes)
            return io.BytesIO(self.body)
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Forget everything; a file that no store took over is removed.

        Where a flush was called off, its thread may be about to create the file.
        """
        self._chunks.clear()
        self._hold(-self._pending)
        if self._flushing is None or self._flushing.done():
            self._remove()
        else:
            self._flushing.add_done_callback(lambda _: self._remove())

    def _remove(self) -> None:
        if self._file is not None:
            self._file.close()
        if isinstance(self.body, Path):
            self.body.unlink(missing_ok=True)

    async def _flush(self) -> None:
        """Write to the file what is in memory; what is held is only counted here, in the loop."""
        chunks, self._chunks = self._chunks, []
        self._flushing = asyncio.ensure_future(asyncio.to_thread(self._append, chunks))
        await asyncio.shield(self._flushing)
        self._hold(-self._pending)

    def _append(self, chunks: Sequence[bytes]) -> None:
        try:
            if self._file is None:
                self._file = self._create()
            for chunk in chunks:
                self._digest(chunk)
                self._file.write(chunk)
            self._file.flush()
        except OSError as fault:
            raise _disk_error(fault) from fault
        end = self._file.tell()
        if end - self._begun >= _BEGUN_BYTES:
            begin_writing(self._file.fileno(), self._begun, end - self._begun)
            self._begun = end

    def _digest(self, block: bytes) -> None:
        for hasher in (self._hash, *self._others):
            hasher.update(block)

    def _hold(self, more: int) -> None:
        self._pending += more
        self._memory.held += more

    def _create(self) -> BinaryIO:
        file, self.body = create_file(self._folder)
        return file


class Spools:
    """Makes the spools of one process."""

    def __init__(self, folder: Path, limit: int) -> None:
        """``folder`` is where large bodies lie; one has at most ``limit`` bytes."""
        self.folder = folder
        self._limit = limit
        self._memory = Memory()

    def new(self) -> Spool:
        """Return an empty spool for a single upload."""
        return self.limited(self._limit, too_large)

    def limited(self, limit: int, refusal: Refusal) -> Spool:
        """Return an empty spool that takes another size."""
        return Spool(self.folder, limit, self._memory, refusal)


def create_file(folder: Path) -> tuple[io.BufferedRandom, Path]:
    """Return a new file among the bodies that stream in; made if need be, its folder, too."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=_PREFIX)
    return os.fdopen(descriptor, "w+b"), Path(name)


def files_in(folder: Path) -> Sequence[Path]:
    """Return the files that bodies lie in, or were left behind in."""
    return list(folder.glob(f"{_PREFIX}*"))


def require_digests(actual: bytes, announced: Sequence[bytes]) -> None:
    """Raise DigestMismatch unless a body has each digest that was announced for it."""
    for digest in announced:
        if digest != actual:
            raise DigestMismatch(
                "The sha-256 of the bytes that arrived is not the one announced. Send them again.",
                expected=digest.hex(),
                actual=actual.hex(),
            )


def too_large(limit: int, actual: int) -> TooLarge:
    """Return the error for a body over ``limit`` bytes."""
    return TooLarge(
        f"One upload may have at most {limit} bytes. Larger objects go in parts to /v1/uploads.",
        limit=limit,
        actual=actual,
    )


def _disk_error(fault: OSError) -> StorageFull | StoreUnavailable:
    if fault.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull("There is no room for this upload on the server's disk.")
    return StoreUnavailable("The server cannot write to its disk now.", retry_after=30)
