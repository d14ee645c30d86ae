"""What the disk itself does: small files made durable by a bare loop, without any service."""

import ctypes
import os
import tempfile
import time
from pathlib import Path

_GROUP = 32
_SECONDS = 2.0
_LIBC = ctypes.CDLL(None, use_errno=True)


def one_by_one(folder: Path, body: bytes) -> float:
    """Return how many files per second become durable with an fsync each."""
    return _rate(folder, body, together=False)


def in_groups(folder: Path, body: bytes) -> float:
    """Return how many files per second become durable where 32 share one syncfs."""
    return _rate(folder, body, together=True)


def sync(path: Path) -> None:
    """Make one file durable."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _rate(folder: Path, body: bytes, *, together: bool) -> float:
    folder = Path(tempfile.mkdtemp(dir=folder))  # stays: what is deleted burdens who comes next
    root = os.open(folder, os.O_RDONLY)
    written = 0
    start = time.perf_counter()
    while time.perf_counter() < start + _SECONDS:
        for _ in range(_GROUP):
            with (folder / str(written)).open("xb", buffering=0) as file:
                file.write(body)
                if not together:
                    os.fsync(file.fileno())
            written += 1
        if together and _LIBC.syncfs(root) != 0:
            raise OSError(ctypes.get_errno(), "syncfs")
    seconds = time.perf_counter() - start
    os.close(root)
    return written / seconds
