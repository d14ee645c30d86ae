"""Uploads step back while pictures are handed out, and only then."""

import asyncio

import pytest

from filmroll.usecases.spool import IN_MEMORY_BYTES
from filmroll.web.precedence import AT_ONCE, LOOKING_SECONDS, Precedence

SMALL = 1000


class Uploads:
    """Many uploads that come at once; ``kept`` at a time until they are let go."""

    def __init__(self, precedence: Precedence, size: int = SMALL) -> None:
        self.kept = 0
        self.done = 0
        self.go = asyncio.Event()
        self.all = [asyncio.create_task(self._keep(precedence, size)) for _ in range(4 * AT_ONCE)]

    async def _keep(self, precedence: Precedence, size: int) -> None:
        async with precedence.turn(size):
            self.kept += 1
            await self.go.wait()
            self.kept -= 1
            self.done += 1

    async def begin(self) -> int:
        """Return how many are being kept once all have come."""
        await asyncio.sleep(0)
        return self.kept

    async def end(self) -> int:
        """Return how many were kept in the end."""
        self.go.set()
        await asyncio.gather(*self.all)
        return self.done


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_while_somebody_looks_few_are_kept_at_a_time(clock):
    precedence = Precedence(shared=True, clock=clock)
    precedence.looked()
    uploads = Uploads(precedence)
    assert await uploads.begin() == AT_ONCE
    assert await uploads.end() == 4 * AT_ONCE


async def test_one_that_is_cancelled_in_line_holds_nobody_up(clock):
    precedence = Precedence(shared=True, clock=clock)
    precedence.looked()
    uploads = Uploads(precedence)
    await uploads.begin()
    waiting = uploads.all.pop()
    waiting.cancel()
    assert await uploads.end() == 4 * AT_ONCE - 1
    assert waiting.cancelled()


@pytest.mark.parametrize("passed", [None, LOOKING_SECONDS + 0.01])
async def test_while_nobody_looks_all_are_kept_at_once(clock, passed):
    precedence = Precedence(shared=True, clock=clock)
    if passed is not None:
        precedence.looked()
        clock.now += passed
    uploads = Uploads(precedence)
    assert await uploads.begin() == 4 * AT_ONCE
    await uploads.end()


async def test_what_waits_for_stores_elsewhere_crowds_nobody_out(clock):
    precedence = Precedence(shared=False, clock=clock)
    precedence.looked()
    uploads = Uploads(precedence)
    assert await uploads.begin() == 4 * AT_ONCE
    await uploads.end()


async def test_small_ones_do_not_wait_for_large_ones(clock):
    precedence = Precedence(shared=True, clock=clock)
    precedence.looked()
    large = Uploads(precedence, IN_MEMORY_BYTES + 1)
    small = Uploads(precedence)
    assert await large.begin() == 4 * AT_ONCE
    assert await small.begin() == AT_ONCE
    await large.end()
    await small.end()
