"""What travels together: small files in shards, each of them a tar; a large one alone."""

from collections.abc import Iterable

from filmroll.client.files import File

SMALL_BYTES = 1 << 20
SHARD_FILES = 2_000  # a break costs no more than one shard a stream
SHARD_BYTES = 16 << 20


class Packing:
    """Gathers files until a shard is full."""

    def __init__(self) -> None:
        self._shard: list[File] = []
        self._bytes = 0

    def add(self, files: Iterable[File]) -> list[list[File]]:
        """Take files in; return the parcels that are complete."""
        parcels = []
        for file in files:
            if file.size > SMALL_BYTES:
                parcels.append([file])
                continue
            self._shard.append(file)
            self._bytes += file.size
            if len(self._shard) >= SHARD_FILES or self._bytes >= SHARD_BYTES:
                parcels += self.rest()
        return parcels

    def rest(self) -> list[list[File]]:
        """Return what was gathered as a parcel, if anything was."""
        shard, self._shard, self._bytes = self._shard, [], 0
        return [shard] if shard else []
