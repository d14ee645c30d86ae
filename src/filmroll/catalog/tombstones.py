"""Counters by which every process learns at once that an image may have been deleted."""

import fcntl
import mmap
import os
import time
import zlib
from pathlib import Path

from filmroll.durable import PRIVATE, translated

_SLOTS = 4096
_WIDTH = 8  # bytes
FRESH_SECONDS = 5  # that something cached may outlive its image, on another machine


class Tombstones:
    """A small file of counters in the memory of all processes on a data folder.

    What is cached of an image holds only while its stamp stays the same. Images share slots, so a
    stamp may change without need; never the other way round. Not durable: no cache outlives its
    process.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file; StoreUnavailable if it cannot be used."""
        with translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
            # Zeros if it is new, else no change. With holes in it, a disk that is full by then
            # would end the process by SIGBUS at the first look at a slot.
            os.posix_fallocate(self._file, 0, _SLOTS * _WIDTH)
            self._map = mmap.mmap(self._file, _SLOTS * _WIDTH)
        self._slots = memoryview(self._map).cast("Q")

    def stamp(self, image: str) -> int:
        """Return the counter of an image's slot: no system call."""
        return self._slots[_slot(image)]

    def bump(self, image: str) -> None:
        """Change the stamp of an image, in all processes, before returning."""
        # Without the lock two processes could both count from 6 to 7, and a cache that was filled
        # between them would hold the old picture under the new stamp.
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._slots[_slot(image)] += 1
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        self._slots.release()
        self._map.close()
        os.close(self._file)


class Fading:
    """Counters as above, that also change by themselves: for machines that share a catalog.

    What another machine deletes is noticed here when what is cached has become too old.
    """

    def __init__(self, tombstones: Tombstones) -> None:
        self._tombstones = tombstones

    def stamp(self, image: str) -> int:
        """Return the counter of an image's slot, and with it what time it is."""
        slot = _slot(image)
        age = int((time.monotonic() + slot % FRESH_SECONDS) / FRESH_SECONDS)  # not all at once
        return (age << 64) + self._tombstones.stamp(image)

    def bump(self, image: str) -> None:
        """Change the stamp of an image, in all processes of this machine, before returning."""
        self._tombstones.bump(image)


def _slot(image: str) -> int:
    return zlib.crc32(image.encode()) % _SLOTS
