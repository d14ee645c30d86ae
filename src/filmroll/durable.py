"""The few system calls that make files and folders durable, and what their errors mean."""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filmroll.errors import FilmrollError, StorageFull, StoreUnavailable

_LIBC = ctypes.CDLL(None, use_errno=True)
_FULL = {errno.ENOSPC, errno.EDQUOT}

_WRITE = 2  # SYNC_FILE_RANGE_WRITE

PRIVATE = 0o600  # files are for the account that Filmroll runs as, whatever its umask


class SyncError(OSError):
    """A sync itself failed: nobody knows what is on the disk, and asking again would lie."""


def refusal(error: OSError) -> FilmrollError:
    """Return what an error of the file system means to a client; the cause stays inside."""
    meaning: FilmrollError
    if error.errno in _FULL and not isinstance(error, SyncError):
        meaning = StorageFull("There is no room left on the disk. This was not kept.")
    else:
        meaning = StoreUnavailable("The data folder cannot be used. Nothing was kept.")
    meaning.__cause__ = error
    return meaning


@contextmanager
def translated() -> Iterator[None]:
    """Turn an OSError into StorageFull or StoreUnavailable."""
    try:
        yield
    except OSError as exc:
        raise refusal(exc) from exc


def write_file(path: str, body: bytes) -> None:
    """Write a new file. It is durable only after a sync."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    try:
        written = os.write(descriptor, body)
        while written < len(body):  # short before a full disk, or after 2 GiB
            written += os.write(descriptor, memoryview(body)[written:])
    finally:
        os.close(descriptor)


def begin_writing(descriptor: int, start: int, size: int) -> None:
    """Have the kernel begin to write a range of a file: the sync in the end is the shorter.

    Whether it does is its own affair; only a sync makes anything durable.
    """
    _LIBC.sync_file_range(descriptor, ctypes.c_int64(start), ctypes.c_int64(size), _WRITE)


def sync_path(path: str) -> None:
    """Make one file's content, or one folder's entries, durable; SyncError if that fails."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as exc:
        raise SyncError(exc.errno, exc.strerror, path) from exc
    finally:
        os.close(descriptor)


def sync_filesystem(descriptor: int) -> None:
    """Make everything durable that was written to the file system of an open file so far.

    One that is kept open reports the failed writes of all files since it was opened (Linux 5.8).
    Raises SyncError.
    """
    if _LIBC.syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise SyncError(code, os.strerror(code))


def make_folders(folder: Path) -> None:
    """Create a folder and those above it, each durable in the one that holds it."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_path(str(folder.parent))
