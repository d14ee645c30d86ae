"""Job ids on their way to a worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from filmroll.model import Lane


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A message in the hands of one worker. ``receipt`` is good until the lease is over."""

    job: str
    lane: Lane
    attempts: int  # this delivery included
    receipt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Depth:
    """How much waits in a lane, how much is out on lease."""

    waiting: int
    leased: int
    dead: int


class JobQueue(Protocol):
    """At-least-once delivery of job ids, in lanes; order is best effort."""

    async def send(self, lane: Lane, jobs: Sequence[str]) -> None:
        """Add messages; durable on return."""

    async def receive(
        self, lane: Lane, limit: int, lease: float, wait: float
    ) -> Sequence[Delivery]:
        """Take up to ``limit`` messages under a lease of so many seconds.

        Waits up to ``wait`` seconds for a first one, also for one that another process sends.
        A message whose lease ends without ``ack`` is delivered again. One that was delivered
        ``max_attempts`` times already is moved to the dead letters instead.
        """

    async def extend(self, delivery: Delivery, lease: float) -> bool:
        """Start the lease anew (heartbeat); False if it was lost."""

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Remove messages for good. A receipt that is no longer good changes nothing."""

    async def release(self, delivery: Delivery, delay: float) -> None:
        """Give a message back, to be delivered again after ``delay`` seconds."""

    async def depth(self, lane: Lane) -> Depth:
        """Count messages."""

    async def dead(self, limit: int) -> Sequence[str]:
        """Return job ids among the dead letters, oldest first."""

    async def redrive(self, limit: int | None = None) -> int:
        """Send up to ``limit`` dead letters, or all, back to their lanes; return how many.

        Their attempts are counted anew. If it is broken off, some may come twice.
        """

    async def expire_dead(self, before: float) -> None:
        """Forget dead letters that became so before that time."""

    async def check(self) -> None:
        """Send, receive and remove a message beside the lanes; raise what is wrong."""

    async def close(self) -> None:
        """Finish what was begun, then let go of everything."""
