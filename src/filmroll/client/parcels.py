"""What travels together: small files in shards, each of them a tar; others alone."""

import re
from collections.abc import Iterable, Iterator, Sequence

from filmroll.client.files import Archive, File, Item

SMALL_BYTES = 1 << 20
SHARD_FILES = 2_000  # a break costs no more than one shard a stream
SHARD_BYTES = 16 << 20
_HASHED_BYTES = 64 << 20
_LOSES_ITS_NAME = re.compile(
    r"(?ix) \\ | ^[a-z]: | (^|/)(\.|/|$) | ^__macosx/ | (\.json|thumbs\.db|desktop\.ini)$"
)


Parcel = list[File] | Archive


class Packing:
    """Gathers files until a shard is full."""

    def __init__(self) -> None:
        self._shard: list[File] = []
        self._bytes = 0

    def add(self, files: Iterable[File | Archive]) -> list[Parcel]:
        """Take files in; return the parcels that are complete."""
        parcels: list[Parcel] = []
        for file in files:
            if isinstance(file, Archive):
                parcels.append(file)
                continue
            if file.size > SMALL_BYTES or not packable(file.ref):
                parcels.append([file])
                continue
            self._shard.append(file)
            self._bytes += file.size
            if len(self._shard) >= SHARD_FILES or self._bytes >= SHARD_BYTES:
                parcels += self.rest()
        return parcels

    def rest(self) -> list[Parcel]:
        """Return what was gathered as a parcel, if anything was."""
        shard, self._shard, self._bytes = self._shard, [], 0
        return [shard] if shard else []


def packable(ref: str) -> bool:
    """Whether a file arrives under this very name if an archive brings it.

    The service makes ``a.jpg`` of ``./a.jpg`` there, refuses what leads elsewhere, leaves out
    what systems hide, and looks for sidecars.
    """
    return not _LOSES_ITS_NAME.search(ref)


def portions(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Cut a chunk so that hashing one portion keeps nobody waiting for long."""
    start = size = 0
    for at, item in enumerate(items, 1):
        size += item.size if isinstance(item, File) else 0
        if size >= _HASHED_BYTES:
            yield items[start:at]
            start, size = at, 0
    if start < len(items):
        yield items[start:]
