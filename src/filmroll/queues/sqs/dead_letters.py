"""Messages that were delivered too often: SQS moves them to a queue of their own."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from filmroll.model import Lane, now
from filmroll.queues.sqs.calls import BATCH, Calls, Message
from filmroll.queues.sqs.definitions import LANE_RETENTION, dead_name, lane_name

_LOOK_SECONDS = 30  # how long a letter that is taken is hidden, unless it is put back
_WAIT_SECONDS = 1  # SQS asks all its servers only if it may wait


class DeadLetters:
    """The dead letters of one lane. Whoever looks at them hides them from others for a moment."""

    def __init__(self, calls: Calls, prefix: str, lane: Lane) -> None:
        self._calls = calls
        self._name = dead_name(prefix, lane)
        self._lane_name = lane_name(prefix, lane)

    async def look(self, limit: int) -> list[Message]:
        """Return some of them, and leave them there."""
        found: list[Message] = []
        try:
            async for letters in self._take(limit):
                found += letters
        finally:
            await self._calls.show(self._name, _receipts(found))
        return found

    async def expire(self, before: float) -> None:
        """Forget those that died before that time, until a look finds others too.

        They come in about the order in which they were sent, so few are left then.
        """
        async with aclosing(self._take(None)) as tens:
            async for letters in tens:
                old = [letter for letter in letters if _died_by(letter) < before]
                await self._calls.remove(self._name, _receipts(old))
                if len(old) < len(letters):
                    others = [letter for letter in letters if letter not in old]
                    await self._calls.show(self._name, _receipts(others))
                    return

    async def redrive(self, limit: int | None) -> int:
        """Send them back to their lane; return how many."""
        moved = 0
        async for letters in self._take(limit):
            await self._calls.send(self._lane_name, [letter.body for letter in letters])
            await self._calls.remove(self._name, _receipts(letters))
            moved += len(letters)
        return moved

    async def _take(self, limit: int | None) -> AsyncGenerator[list[Message], None]:
        """Take up to ten at a time, each once."""
        left, _ = await self._calls.count(self._name)
        if limit is not None:
            left = min(left, limit)
        while left > 0:
            letters = await self._calls.receive(
                self._name, min(left, BATCH), _LOOK_SECONDS, _WAIT_SECONDS
            )
            if not letters:
                return
            yield letters
            left -= len(letters)


def _receipts(messages: Sequence[Message]) -> list[str]:
    return [message.receipt for message in messages]


def _died_by(letter: Message) -> float:
    """Return a time by which a message was dead for sure: SQS does not say when it died."""
    return min(now(), letter.sent_at + LANE_RETENTION)
