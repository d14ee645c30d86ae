"""Small pictures that are asked for often, kept in memory for as long as they are true."""

from collections import OrderedDict
from dataclasses import dataclass

from filmroll.ports import Epochs
from filmroll.usecases.download import Asset

CAPACITY_BYTES = 64 << 20
LARGEST_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class _Entry:
    stamp: int
    asset: Asset
    data: bytes


class HotAssets:
    """Least recently used first out. A deletion, in whatever process, makes its entries stale.

    Reading a file costs this process more in hand-overs of its interpreter lock than all the
    rest of an answer: from memory, a kept variant is served about three times as fast.
    """

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._bytes = 0

    def stamp(self, image: str) -> int:
        """Return the stamp to ``put`` with; taken before anything of the image is read."""
        return self._epochs.stamp(image)

    def get(self, path: bytes) -> tuple[Asset, bytes] | None:
        """Return what is kept under a path, if it still holds."""
        entry = self._entries.get(path)
        if entry is None:
            return None
        if entry.stamp != self._epochs.stamp(entry.asset.image):
            self._drop(path)
            return None
        self._entries.move_to_end(path)
        return entry.asset, entry.data

    def put(self, path: bytes, stamp: int, asset: Asset, data: bytes) -> None:
        """Keep an asset whose URL can never mean other bytes."""
        if len(data) > LARGEST_BYTES:
            return
        if path in self._entries:
            self._drop(path)
        self._entries[path] = _Entry(stamp, asset, data)
        self._bytes += len(data)
        while self._bytes > CAPACITY_BYTES:
            self._drop(next(iter(self._entries)))

    def _drop(self, path: bytes) -> None:
        self._bytes -= len(self._entries.pop(path).data)
