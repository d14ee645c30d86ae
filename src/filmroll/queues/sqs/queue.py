"""The adapter itself."""

# ruff: noqa: D102 - ports.JobQueue says what each method promises

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from filmroll.aws import client
from filmroll.errors import StoreUnavailable
from filmroll.model import Lane
from filmroll.place import Place
from filmroll.ports import Delivery, Depth
from filmroll.queues.sqs.calls import BATCH, Calls
from filmroll.queues.sqs.dead_letters import DeadLetters
from filmroll.queues.sqs.definitions import check_name, dead_name, lane_name

_POLL_SECONDS = 5  # of one call: well within what the client waits for an answer
_CHECK_SECONDS = 30


class SqsQueue:
    """Messages in a standard queue for each lane; ``create_queues`` makes them.

    A message's body is the job's id: all else is in the catalog. What is different with SQS:

    - Leases and delays are rounded up to whole seconds, and end twelve hours after a delivery at
      the latest.
    - SQS may obey an old receipt, so one is refused here as soon as its lease is over by the clock
      of this process, which is late by the time that an answer takes.
    - ``depth`` is approximate. What waits out the delay of a ``release`` counts as leased to all
      processes but the one that released it.
    - Dead letters cannot be read without taking them: ``dead`` hides them for a moment, and sorts
      them by when they were sent.
    - Nothing says when a message died. It did within the four days that a lane keeps it, so
      ``expire_dead`` forgets it once those are over too. SQS itself does after fourteen days.
    """

    def __init__(self, client: Any, prefix: str) -> None:
        self._calls = Calls(client)
        self._prefix = prefix
        self._dead = {lane: DeadLetters(self._calls, prefix, lane) for lane in Lane}
        self._leases: dict[str, float] = {}  # when those of the receipts in hand end, monotonic
        self._resting: list[tuple[Lane, float]] = []  # given back, with a delay that ends then
        self._abandoned: set[asyncio.Task[None]] = set()

    async def send(self, lane: Lane, jobs: Sequence[str]) -> None:
        await self._calls.send(self._name(lane), jobs)

    async def receive(
        self, lane: Lane, limit: int, lease: float, wait: float
    ) -> Sequence[Delivery]:
        self._forget_ended()
        deadline = time.monotonic() + wait
        while True:
            left = max(0.0, deadline - time.monotonic())
            taken = await self._take_whole(lane, limit, lease, min(left, _POLL_SECONDS))
            if taken or time.monotonic() >= deadline:
                return taken

    async def extend(self, delivery: Delivery, lease: float) -> bool:
        began = time.monotonic()
        if not await self._show_after(delivery, lease):
            return False
        self._leases[delivery.receipt] = began + math.ceil(lease)
        return True

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        held = [each for each in deliveries if self._holds(each)]
        for lane in {each.lane for each in held}:
            receipts = [each.receipt for each in held if each.lane is lane]
            await self._calls.remove(self._name(lane), receipts)
        for each in held:
            self._leases.pop(each.receipt, None)

    async def release(self, delivery: Delivery, delay: float) -> None:
        if await self._show_after(delivery, delay):
            self._leases.pop(delivery.receipt, None)
            self._forget_ended()
            self._resting.append((delivery.lane, time.monotonic() + math.ceil(delay)))

    async def depth(self, lane: Lane) -> Depth:
        (waiting, hidden), dead = await asyncio.gather(
            self._calls.count(self._name(lane)),
            self._calls.count(dead_name(self._prefix, lane)),
        )
        self._forget_ended()
        resting = min(hidden, sum(each is lane for each, _ in self._resting))
        return Depth(waiting=waiting + resting, leased=hidden - resting, dead=sum(dead))

    async def dead(self, limit: int) -> Sequence[str]:
        found = await asyncio.gather(*(dead.look(limit) for dead in self._dead.values()))
        letters = sorted((each for some in found for each in some), key=lambda each: each.sent_at)
        return [letter.body for letter in letters[:limit]]

    async def expire_dead(self, before: float) -> None:
        await asyncio.gather(*(dead.expire(before) for dead in self._dead.values()))

    async def redrive(self, limit: int | None = None) -> int:
        moved = 0
        for dead in self._dead.values():
            moved += await dead.redrive(None if limit is None else limit - moved)
        return moved

    async def check(self) -> None:
        name = check_name(self._prefix)
        await self._calls.send(name, ["check"])
        # When several check at once, each takes one message, whosever it is.
        taken = await self._calls.receive(name, 1, _CHECK_SECONDS, _POLL_SECONDS)
        if not taken:
            raise StoreUnavailable("The queue does not deliver what was sent to it.")
        await self._calls.remove(name, [message.receipt for message in taken])

    async def time(self) -> float:
        return await self._calls.time(check_name(self._prefix))

    async def close(self) -> None:
        await asyncio.gather(*self._abandoned)

    def _name(self, lane: Lane) -> str:
        return lane_name(self._prefix, lane)

    async def _take_whole(
        self, lane: Lane, limit: int, lease: float, wait: float
    ) -> Sequence[Delivery]:
        """Take messages; if the caller goes away meanwhile, give back what comes.

        To break off the call would not do: SQS might deliver to nobody then.
        """
        taking = asyncio.create_task(self._take(lane, limit, lease, wait))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            giving = asyncio.create_task(self._give_back(taking))
            self._abandoned.add(giving)
            giving.add_done_callback(self._abandoned.discard)
            raise

    async def _take(self, lane: Lane, limit: int, lease: float, wait: float) -> list[Delivery]:
        """Take ten messages at a time while there are so many; wait for the first only."""
        taken: list[Delivery] = []
        while len(taken) < limit:
            asked = min(limit - len(taken), BATCH)
            found = await self._calls.receive(self._name(lane), asked, lease, 0 if taken else wait)
            ends = time.monotonic() + math.ceil(lease)
            self._leases.update((message.receipt, ends) for message in found)
            taken += [
                Delivery(job=each.body, lane=lane, attempts=each.attempts, receipt=each.receipt)
                for each in found
            ]
            if len(found) < asked:
                break
        return taken

    async def _give_back(self, taking: "asyncio.Task[list[Delivery]]") -> None:
        with suppress(StoreUnavailable):  # their leases end anyway
            for delivery in await taking:
                await self.release(delivery, 0)

    def _holds(self, delivery: Delivery) -> bool:
        """Whether a receipt is still good."""
        return time.monotonic() < self._leases.get(delivery.receipt, 0)

    async def _show_after(self, delivery: Delivery, seconds: float) -> bool:
        """Say when a message in hand is to be seen again; False if it is no longer in hand."""
        if not self._holds(delivery):
            return False
        shown = await self._calls.show_after(self._name(delivery.lane), delivery.receipt, seconds)
        if not shown:
            self._leases.pop(delivery.receipt, None)
        return shown

    def _forget_ended(self) -> None:
        """Drop what is over from the notes on leases and delays."""
        at = time.monotonic()
        self._leases = {receipt: ends for receipt, ends in self._leases.items() if ends > at}
        self._resting = [(lane, ends) for lane, ends in self._resting if ends > at]


@asynccontextmanager
async def open_sqs(place: Place) -> AsyncIterator[SqsQueue]:
    """Open the queues under the place's name; they need not be there yet."""
    async with client(place) as sqs:
        queue = SqsQueue(sqs, place.name)
        try:
            yield queue
        finally:
            await queue.close()
