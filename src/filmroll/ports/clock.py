"""An optional ability of stores that are elsewhere."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """A store with a clock of its own, by which it judges signatures, leases and ages."""

    async def time(self) -> float:
        """Return what time it is there: seconds since the epoch (UTC), rounded down to whole."""
