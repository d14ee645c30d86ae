"""The members of an archive between reading and keeping: in groups, sidecars with their images."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from filmroll.errors import Conflict
from filmroll.usecases.batch.lines import Verdict
from filmroll.usecases.spool import Body, Spool

GROUP_SECONDS = 0.5  # a slow stream's items are not held back for longer
_GROUP_ITEMS = 64
_GROUP_BYTES = 4 << 20
_SIDECAR = ".json"
_SIDECAR_SECONDS = 10.0  # for which an image waits; a hiccup of the network is shorter


@dataclass(frozen=True, slots=True)
class File:
    """A member with all its bytes: an image that may get a sidecar, or a sidecar."""

    ref: str
    body: Body

    @property
    def stem(self) -> str:
        """What an image and its sidecar have in common."""
        return self.ref.rpartition(".")[0]

    @property
    def sidecar(self) -> bool:
        """Whether it says something of an image, by its name."""
        return self.ref.lower().endswith(_SIDECAR)

    def close(self) -> None:
        """Forget the bytes: nobody needs them any more."""
        if isinstance(self.body, Spool):
            self.body.close()


class Pair(NamedTuple):
    """An image and its sidecar, or one of them alone."""

    image: File | None = None
    sidecar: File | None = None

    @classmethod
    def of(cls, *files: File) -> "Pair":
        """Put together what belongs together, in either order."""
        return cls(**{"sidecar" if file.sidecar else "image": file for file in files})

    @property
    def files(self) -> Sequence[File]:
        """Those that are there."""
        return [file for file in self if file is not None]


Item = Pair | Verdict  # what is to be kept, or an answer at once


class Pairing:
    """Gathers members into groups. The last file is held: its other half may come next."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._bytes = 0
        self._began = self._came = time.monotonic()
        self._held: File | None = None
        self._without: str | None = None  # the stem of an image that waited in vain

    @property
    def full(self) -> bool:
        """Whether it is time to keep what was gathered."""
        return (
            len(self._items) >= _GROUP_ITEMS
            or self._bytes >= _GROUP_BYTES
            or (bool(self._items) and self._came - self._began > GROUP_SECONDS)
        )

    def add(self, member: File | Verdict) -> None:
        """Take the archive's next member."""
        self._came = time.monotonic()
        if isinstance(member, Verdict):
            self._put(member)
        elif self._held is not None and _belong(self._held, member):
            self._put(Pair.of(self._held, member))
            self._held = None
        elif member.sidecar and member.stem == self._without:
            member.close()
            self._put(Verdict.rejected(member.ref, _late()))
        else:
            self._release()
            self._held = member

    def take(self) -> Sequence[Item]:
        """Return what was gathered, and begin the next group.

        An image goes without its sidecar once nothing has come for long.
        """
        held = self._held
        if held and not held.sidecar and time.monotonic() - self._came > _SIDECAR_SECONDS:
            self._release()
            self._without = held.stem
        items, self._items, self._bytes = self._items, [], 0
        return items

    def rest(self) -> Sequence[Item]:
        """Return everything, for nothing follows."""
        self._release()
        return self.take()

    def _release(self) -> None:
        self._without = None
        if self._held is not None:
            self._put(Pair.of(self._held))
            self._held = None

    def _put(self, item: Item) -> None:
        if not self._items:
            self._began = self._came
        self._items.append(item)
        if isinstance(item, Pair):
            self._bytes += sum(file.body.bytes for file in item.files)


def close(items: Sequence[Item]) -> None:
    """Forget the bytes of all files: they are kept, or nobody needs them any more."""
    for item in items:
        if isinstance(item, Pair):
            for file in item.files:
                file.close()


def _belong(one: File, other: File) -> bool:
    """Whether one of two neighbours is the sidecar of the other."""
    return one.sidecar != other.sidecar and one.stem == other.stem


def _late() -> Conflict:
    return Conflict(
        f"The image before it was kept without it: it came over {_SIDECAR_SECONDS:g} s later. "
        "Say it of the image itself."
    )
