"""The queue in memory: for tests, and for trying Filmroll without leaving a trace."""

# ruff: noqa: D102 - ports.JobQueue says what each method promises

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from filmroll.model import Lane, now
from filmroll.ports import Delivery, Depth
from filmroll.queues.waiting import Bell, first


@dataclass(slots=True)
class _Message:
    number: int
    lane: Lane
    job: str
    visible_at: float
    attempts: int = 0
    leased: bool = False

    @property
    def receipt(self) -> str:
        return f"{self.number}.{self.attempts}"

    def held(self) -> bool:
        """Whether a lease on it runs."""
        return self.leased and self.visible_at > now()


class MemoryQueue:
    """Messages in a dictionary that ends with the process."""

    def __init__(self, max_attempts: int = 5) -> None:
        self._max_attempts = max_attempts
        self._numbers = itertools.count()
        self._messages: dict[int, _Message] = {}
        self._dead: list[_Message] = []
        self._bell = Bell()

    async def send(self, lane: Lane, jobs: Sequence[str]) -> None:
        for job in jobs:
            message = _Message(next(self._numbers), lane, job, now())
            self._messages[message.number] = message
        self._bell.ring()

    async def receive(
        self, lane: Lane, limit: int, lease: float, wait: float
    ) -> Sequence[Delivery]:
        async def take() -> Sequence[Delivery]:
            return self._take(lane, limit, lease)

        return await first(take, self._bell, wait)

    async def extend(self, delivery: Delivery, lease: float) -> bool:
        message = self._held(delivery)
        if message is None:
            return False
        message.visible_at = now() + lease
        return True

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            message = self._held(delivery)
            if message is not None:
                del self._messages[message.number]

    async def release(self, delivery: Delivery, delay: float) -> None:
        message = self._held(delivery)
        if message is not None:
            message.leased = False
            message.visible_at = now() + delay
            self._bell.ring()

    async def depth(self, lane: Lane) -> Depth:
        messages = [message for message in self._messages.values() if message.lane == lane]
        leased = sum(message.held() for message in messages)
        dead = sum(message.lane == lane for message in self._dead)
        return Depth(waiting=len(messages) - leased, leased=leased, dead=dead)

    async def dead(self, limit: int) -> Sequence[str]:
        return [message.job for message in self._dead[:limit]]

    async def redrive(self, limit: int | None = None) -> int:
        again = self._dead[:limit]
        del self._dead[:limit]
        for message in again:
            await self.send(message.lane, [message.job])
        return len(again)

    async def expire_dead(self, before: float) -> None:
        self._dead = [message for message in self._dead if message.visible_at >= before]

    async def check(self) -> None:
        pass

    async def close(self) -> None:
        self._messages.clear()

    def _take(self, lane: Lane, limit: int, lease: float) -> list[Delivery]:
        self._bury(lane)
        taken = sorted(self._due(lane), key=lambda message: message.visible_at)[:limit]
        for message in taken:
            message.attempts += 1
            message.leased = True
            message.visible_at = now() + lease
        return [
            Delivery(job=each.job, lane=lane, attempts=each.attempts, receipt=each.receipt)
            for each in taken
        ]

    def _due(self, lane: Lane) -> list[_Message]:
        at = now()
        return [
            each for each in self._messages.values() if each.lane == lane and each.visible_at <= at
        ]

    def _bury(self, lane: Lane) -> None:
        for message in self._due(lane):
            if message.attempts >= self._max_attempts:
                message.visible_at = now()  # from now on: when it died
                self._dead.append(self._messages.pop(message.number))

    def _held(self, delivery: Delivery) -> _Message | None:
        """Return the message that a receipt is still good for."""
        message = self._messages.get(int(delivery.receipt.partition(".")[0]))
        if message is None or message.receipt != delivery.receipt or not message.held():
            return None
        return message
