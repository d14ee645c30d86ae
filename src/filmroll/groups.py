"""Group commit: callers of the event loop share one thread, and one barrier on the disk.

A barrier (fsync, syncfs, COMMIT) costs about as much for one item as for fifty. So the thread takes
whatever waits, does it together, and wakes everyone with a single call into the event loop.
"""

import asyncio
import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, NamedTuple, TypeVar

from filmroll.errors import StoreUnavailable

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

MOST_ITEMS = 256
MOST_BYTES = 32 << 20


class _Waiting(NamedTuple, Generic[Item, Outcome]):
    item: Item
    size: int
    done: asyncio.Future[Outcome]


class Committer(Generic[Item, Outcome]):
    """Runs groups of items through ``run``, one group after the other, in a thread of its own.

    ``run`` returns one outcome per item, in order. An exception in place of an outcome reaches
    the caller of that item only; one that ``run`` raises reaches the callers of the whole group.
    All callers belong to one event loop.
    """

    def __init__(
        self, name: str, run: Callable[[Sequence[Item]], Sequence[Outcome | Exception]]
    ) -> None:
        self._run = run
        self._queue: SimpleQueue[_Waiting[Item, Outcome] | None] = SimpleQueue()
        self._closed = False
        self._ended = False
        # A daemon: a process that dies without ``close`` must not hang. Nothing that it leaves
        # undone was acknowledged.
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def commit(self, item: Item, size: int = 0) -> Outcome:
        """Return the item's outcome once its group is done; ``size`` in bytes bounds the group.

        A caller that is cancelled leaves its item in the group: it may still be done.
        """
        if self._closed:
            raise StoreUnavailable("The store is closed: this process is ending.")
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.put(_Waiting(item, size, done))
        return await done

    async def close(self) -> None:
        """Finish what waits, then end the thread. Twice is harmless."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while not self._ended:
            group = self._take()
            if group:
                self._commit(group)

    def _take(self) -> list[_Waiting[Item, Outcome]]:
        """Wait for one item, then take what else waits already, within bounds."""
        group: list[_Waiting[Item, Outcome]] = []
        size = 0
        waiting = self._queue.get()
        while waiting is not None:
            group.append(waiting)
            size += waiting.size
            if len(group) >= MOST_ITEMS or size >= MOST_BYTES:
                return group
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                return group
        self._ended = True
        return group

    def _commit(self, group: list[_Waiting[Item, Outcome]]) -> None:
        outcomes: Sequence[Outcome | Exception]
        try:
            outcomes = self._run([waiting.item for waiting in group])
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is the callers' to see
            outcomes = [_own(exc) for _ in group]
        # Without its loop nobody waits any more.
        with suppress(RuntimeError):
            group[0].done.get_loop().call_soon_threadsafe(_settle, group, outcomes)


def _own(error: Exception) -> Exception:
    """Copy an error: one object raised by many tasks would collect the tracebacks of all."""
    mine = copy.copy(error)
    mine.__cause__ = error
    return mine


def _settle(group: list[_Waiting[Item, Outcome]], outcomes: Sequence[Outcome | Exception]) -> None:
    for waiting, outcome in zip(group, outcomes, strict=True):
        if waiting.done.done():  # its caller was cancelled
            continue
        if isinstance(outcome, Exception):
            waiting.done.set_exception(outcome)
        else:
            waiting.done.set_result(outcome)


class Gathering:
    """Lets those go on together who come within ``seconds``, or as soon as there are ``most``.

    For what nobody waits for: one after the other, each would be a group of its own.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._waiting = 0
        self._gate: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Wait for the others."""
        loop = asyncio.get_running_loop()
        gate = self._gate
        if gate is None:
            gate = self._gate = loop.create_future()
            loop.call_later(self._seconds, self._open, gate)
        self._waiting += 1
        if self._waiting >= self._most:
            self._open(gate)
        await asyncio.shield(gate)  # who leaves takes nobody along

    def _open(self, gate: asyncio.Future[None]) -> None:
        if gate is self._gate:
            self._gate, self._waiting = None, 0
            gate.set_result(None)
