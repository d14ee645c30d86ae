"""Who may have an engine now: each lane has slots of its own, and people a bounded line.

A slot is a processor's time; a picture also needs memory while it is decoded. So a lane gives its
next slot only if the picture fits beside those that are being worked on: a few giants wait for each
other, where two slots for them would be one too many for the machine.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import BinaryIO

from filmroll.errors import Overloaded
from filmroll.model import Header, Lane
from filmroll.ports import Probe

_PIXEL_BYTES = 4  # red, green, blue and alpha


def decoded_bytes(header: Header) -> int:
    """Return how much memory a picture takes when it is decoded in full, all its frames.

    More than it will mostly need: a decoder that shrinks leaves fewer pixels.
    """
    return header.width * header.height * header.frames * _PIXEL_BYTES


@dataclass(slots=True)
class _Room:
    """What a lane has left, and who waits for it, in the order of their coming."""

    slots: int
    bytes: int
    busy: int = 0
    waiting: deque[tuple[asyncio.Future[None], int]] = field(default_factory=deque)

    def fits(self, size: int) -> bool:
        """Whether a picture may begin: what is larger than all the room there is, if alone."""
        return self.slots > 0 and (size <= self.bytes or not self.busy)

    def take(self, size: int) -> None:
        """Give a slot away."""
        self.slots -= 1
        self.bytes -= size
        self.busy += 1

    def take_idle(self, size: int, most: int) -> int:
        """Give away more slots to one who has one; return how many."""
        if self.waiting:
            return 0
        given = 0
        while given < most and self.slots > given + 1 and size <= self.bytes:
            self.take(size)
            given += 1
        return given

    def give_back(self, size: int) -> None:
        """Get a slot back, and let in whoever is next and fits."""
        self.slots += 1
        self.bytes += size
        self.busy -= 1
        self.let_in()

    def let_in(self) -> None:
        """Let in whoever has waited the longest, as long as they fit; nobody overtakes them."""
        while self.waiting and (self.waiting[0][0].done() or self.fits(self.waiting[0][1])):
            turn, size = self.waiting.popleft()
            if not turn.done():  # else its caller has left
                self.take(size)
                turn.set_result(None)


class Admission:
    """Hands out slots."""

    def __init__(self, slots: Mapping[Lane, int], line: int, memory: int, probe: Probe) -> None:
        """``slots`` of a lane may work at once; ``line`` more people are let in to wait.

        ``memory`` is how many bytes all decoded pictures may take, a share for each lane; how many
        one takes follows from what ``probe`` reads.
        """
        self._line = line
        self._most = slots[Lane.INTERACTIVE] + line
        self._inside = 0
        self._probe = probe
        self._rooms = {lane: _Room(count, memory // len(slots)) for lane, count in slots.items()}

    @property
    def full(self) -> bool:
        """Whether the next interactive caller would be refused."""
        return self._inside >= self._most

    def place(self, lane: Lane) -> AbstractContextManager[object]:
        """Let somebody in who waits for an answer, until the context is left.

        Whoever has a place will get a slot in time. Raises Overloaded at once where there is none;
        it is taken in the same moment, so no crowd can pass a check that each of them still passed.
        Bulk work is not let in: it waits in the queue.
        """
        if lane is not Lane.INTERACTIVE:
            return nullcontext()
        if self.full:
            raise Overloaded(
                "All engines are busy and the waiting line is full. Try again in a second.",
                retry_after=1,
                limit=self._line,
            )
        self._inside += 1
        place = ExitStack()
        place.callback(self._leave)
        return place

    @asynccontextmanager
    async def slots(self, lane: Lane, source: BinaryIO, most: int = 1) -> AsyncIterator[int]:
        """Wait for a slot, and for the memory that an original takes; hold both.

        Up to ``most`` if they are idle, each with as much memory, and as many are left for whoever
        comes next. Yields how many. Raises what the probe has against the original.
        """
        room, size = self._rooms[lane], await asyncio.to_thread(self._size, source)
        await _enter(room, size)
        held = 1 + room.take_idle(size, most - 1)
        try:
            yield held
        finally:
            for _ in range(held):
                room.give_back(size)

    def _leave(self) -> None:
        self._inside -= 1

    def _size(self, source: BinaryIO) -> int:
        return decoded_bytes(self._probe(source, source.seek(0, os.SEEK_END)))


async def _enter(room: _Room, size: int) -> None:
    if not room.waiting and room.fits(size):
        room.take(size)
        return
    turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    room.waiting.append((turn, size))
    try:
        await turn
    except asyncio.CancelledError:
        if not turn.cancelled():  # the slot came just as the caller left
            room.give_back(size)
        room.let_in()  # the caller may have stood before others that fit
        raise
