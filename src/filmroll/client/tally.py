"""How far a push is, and what has failed on the way."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from filmroll.client.files import Archive, Fault, File, Item, Link
from filmroll.client.views import BatchView, LineView, Problem

Failure = Mapping[str, Any]  # a manifest line with ``path`` and ``problem``: it can be pushed again


@dataclass(kw_only=True)
class Tally:
    """Counts of items, changed in place while a push runs; sizes in bytes, times in seconds."""

    on_failure: Callable[[Failure], None] = lambda _: None
    started: float = field(default_factory=time.monotonic)
    batch: BatchView | None = None
    found: int = 0
    found_bytes: int = 0
    walked: bool = False  # whether nothing more will be found
    over: bool = False  # whether everything is settled, and the service goes on alone
    sent: int = 0
    sent_bytes: int = 0
    had: int = 0
    queued: int = 0  # for the service to fetch
    failed: int = 0
    unpacked: int = 0  # archives, whose members have lines of their own
    settled_bytes: int = 0
    flying_bytes: int = 0  # on their way, not acknowledged
    _noted: set[str] = field(default_factory=set)

    @property
    def settled(self) -> int:
        """How many items nothing more is to be done for."""
        return self.sent + self.had + self.queued + self.failed

    @property
    def done_bytes(self) -> int:
        """How much of ``found_bytes`` is settled or on its way, wrapping not counted."""
        return min(self.settled_bytes + self.flying_bytes, self.found_bytes)

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self.started

    def arrived(self) -> float:
        """Note that everything is settled; return how long it took."""
        self.over = True
        return self.seconds

    def restart(self) -> None:
        """Count from the beginning: another batch takes the items. Failures are told once only."""
        self.found = self.found_bytes = self.sent = self.sent_bytes = self.had = 0
        self.queued = self.failed = self.settled_bytes = self.flying_bytes = 0
        self.unpacked = 0
        self.walked = False

    def add(self, item: Item) -> None:
        """Count an item that was found."""
        self.found += 1
        self.found_bytes += _size(item)

    def settle(self, item: Item, state: str) -> None:
        """Count an item that the service has stored, ``have``, or has queued."""
        self.settled_bytes += _size(item)
        match state:
            case "stored":
                self.sent += 1
                self.sent_bytes += _size(item)
            case "have":
                self.had += 1
            case _:
                self.queued += 1

    def fail(self, item: Item, problem: Problem) -> None:
        """Count an item that did not arrive."""
        self.settled_bytes += _size(item)
        self.failed += 1
        self._tell(item.ref, {**_line(item), "problem": problem})

    def fault(self, item: Fault) -> None:
        """Count something that could not even be sent."""
        self.fail(item, {"title": "Cannot be sent", "code": "unreadable", "detail": item.detail})

    def failed_later(self, line: LineView, path: str | None) -> None:
        """Note a line that failed after its item had arrived."""
        if line["ref"] not in self._noted:
            self.failed += 1
            self._tell(line["ref"], {**line, "path": path} if path else line)

    def _tell(self, ref: str, failure: Failure) -> None:
        if ref not in self._noted:
            self._noted.add(ref)
            self.on_failure(failure)


def _size(item: Item) -> int:
    return item.size if isinstance(item, File | Archive) else 0


def _line(item: Item) -> dict[str, Any]:
    match item:
        case File():
            return {**(item.said or {}), "ref": item.ref, "path": item.path}
        case Archive():
            return {"ref": item.ref, "path": item.path, "archive": True}
        case Link():
            return dict(item.line)
        case Fault():
            return {"ref": item.ref} | ({"path": item.path} if item.path else {})
