"""Bytes on their way: read from files in pieces, and counted until they have arrived."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from filmroll.client.bodies import read_path
from filmroll.client.tally import Tally


class Flight:
    """Bytes that are on their way together."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """How many they are."""
        return self._bytes

    def add(self, size: int) -> None:
        """Count bytes that go out; with a negative ``size``, those that have to go again."""
        self._bytes += size
        self._tally.flying_bytes += size

    def land(self) -> None:
        """Count them no more: they have arrived, or are lost."""
        self.add(-self._bytes)


class Reading:
    """A file as a body, hashed while it goes out; begun anew at each attempt."""

    def __init__(self, path: Path, flight: Flight) -> None:
        self._path = path
        self._flight = flight
        self._hash = hashlib.sha256()

    def __call__(self) -> AsyncIterator[bytes]:
        """Begin to read."""
        self._flight.land()
        self._hash = hashlib.sha256()
        return self._chunks()

    @property
    def sha256(self) -> str:
        """The hash (hex) of what the last attempt has sent."""
        return self._hash.hexdigest()

    async def _chunks(self) -> AsyncIterator[bytes]:
        async for chunk in read_path(self._path):
            self._hash.update(chunk)
            self._flight.add(len(chunk))
            yield chunk
