"""Small pictures that are asked for often, kept in memory for as long as they are true."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

from filmroll.ports import Epochs

CAPACITY_BYTES = 4 << 20
LARGEST_BYTES = 256 << 10  # of a picture that is read whole, and may be kept here
_ENTRY_BYTES = 2048  # what an entry takes beside its picture and its path, about

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Answer]):
    image: str
    stamp: int
    answer: Answer
    size: int


class HotAnswers(Generic[Answer]):
    """Answers by path, least recently used first out.

    A deletion, in whatever process, makes its entries stale. Reading a file costs this process
    more in hand-overs of its interpreter lock than all the rest of an answer.
    """

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs
        self._entries: OrderedDict[bytes, _Entry[Answer]] = OrderedDict()
        self._bytes = 0

    def stamp(self, image: str) -> int:
        """Return the stamp to ``put`` with; taken before anything of the image is read."""
        return self._epochs.stamp(image)

    def get(self, path: bytes) -> Answer | None:
        """Return what is kept under a path, if it still holds."""
        entry = self._entries.get(path)
        if entry is None:
            return None
        if entry.stamp != self._epochs.stamp(entry.image):
            self._drop(path)
            return None
        self._entries.move_to_end(path)
        return entry.answer

    def put(self, path: bytes, image: str, stamp: int, answer: Answer, size: int) -> None:
        """Keep an answer of ``size`` bytes whose URL can never mean other bytes."""
        if size > LARGEST_BYTES:
            return
        if path in self._entries:
            self._drop(path)
        taken = size + len(path) + _ENTRY_BYTES
        self._entries[path] = _Entry(image, stamp, answer, taken)
        self._bytes += taken
        while self._bytes > CAPACITY_BYTES:
            self._drop(next(iter(self._entries)))

    def _drop(self, path: bytes) -> None:
        self._bytes -= self._entries.pop(path).size
