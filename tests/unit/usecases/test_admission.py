"""Who may have an engine, and who waits."""

import asyncio
from io import BytesIO
from typing import BinaryIO

import pytest

from filmroll.errors import Overloaded
from filmroll.model import Header, Lane
from filmroll.usecases.admission import Admission, decoded_bytes

MEMORY = 200  # of which each of the two lanes has a half


def admission(slots: int = 3, line: int = 2) -> Admission:
    return Admission({Lane.INTERACTIVE: slots, Lane.BULK: slots}, line, MEMORY, header)


def header(_: BinaryIO, size: int) -> Header:
    """Say of an original of so many bytes that it takes as many when decoded."""
    return Header(format="png", width=size // 4, height=1)


def original(size: int) -> BytesIO:
    return BytesIO(bytes(size))


class Caller:
    """Somebody who wants a slot, until told to leave it."""

    def __init__(self, of: Admission, size: int, lane: Lane = Lane.INTERACTIVE) -> None:
        self.inside = asyncio.Event()
        self._leave = asyncio.Event()
        self.task = asyncio.create_task(self._come(of, size, lane))

    async def _come(self, of: Admission, size: int, lane: Lane) -> None:
        async with of.slots(lane, original(size)):
            self.inside.set()
            await self._leave.wait()

    async def leave(self) -> None:
        self._leave.set()
        await self.task
        await settled()


async def settled() -> None:
    await asyncio.sleep(0.05)  # the probe has a thread of its own


async def inside(*callers: Caller) -> list[bool]:
    await settled()
    return [caller.inside.is_set() for caller in callers]


@pytest.mark.parametrize(
    ("slots", "size", "most", "held"),
    [(3, 4, 1, 1), (3, 4, 2, 2), (3, 4, 3, 2), (2, 4, 2, 1), (1, 4, 2, 1), (9, 4, 9, 5)],
)
async def test_who_shares_takes_half_of_what_is_idle(slots, size, most, held):
    house = admission(slots)
    async with house.slots(Lane.INTERACTIVE, original(size), most) as first:
        assert first == held
        others = [Caller(house, size) for _ in range(slots - held + 1)]
        assert await inside(*others) == [True] * (slots - held) + [False]
    assert await inside(*others) == [True] * len(others)
    for other in others:
        await other.leave()


async def test_who_shares_takes_no_more_memory_than_there_is():
    house = admission()
    async with house.slots(Lane.INTERACTIVE, original(60), 2) as held:
        assert held == 1
        small = Caller(house, 40)
        assert await inside(small) == [True]
        await small.leave()


async def test_who_shares_overtakes_nobody():
    house = admission()
    first = [Caller(house, 4) for _ in range(3)]
    assert await inside(*first) == [True] * 3
    sharing = asyncio.create_task(_held(house))
    await settled()
    large = Caller(house, 100)
    await settled()
    await asyncio.gather(*(caller.leave() for caller in first))
    assert await sharing == 1
    assert await inside(large) == [True]
    await large.leave()


async def _held(of: Admission) -> int:
    async with of.slots(Lane.INTERACTIVE, original(4), 2) as held:
        return held


async def test_slots_are_given_in_the_order_of_coming():
    house = admission(slots=1)
    callers = [Caller(house, 4) for _ in range(3)]
    for number, caller in enumerate(callers):
        assert await inside(*callers) == [n <= number for n in range(3)]
        await caller.leave()


async def test_giants_wait_for_each_other_and_nobody_overtakes_them():
    house = admission()
    first, giant, small = Caller(house, 60), Caller(house, 60), Caller(house, 12)
    assert await inside(first, giant, small) == [True, False, False]
    await first.leave()
    assert await inside(giant, small) == [True, True]
    await giant.leave()
    await small.leave()


async def test_what_is_larger_than_all_memory_works_alone():
    house = admission()
    monster = Caller(house, 10 * MEMORY)
    after = Caller(house, 4)
    assert await inside(monster, after) == [True, False]
    await monster.leave()
    assert await inside(after) == [True]
    again = Caller(house, 10 * MEMORY)
    assert await inside(again) == [False]
    await after.leave()
    assert await inside(again) == [True]
    await again.leave()


async def test_lanes_do_not_take_each_others_memory():
    house = admission()
    bulk, person = Caller(house, 100, Lane.BULK), Caller(house, 100)
    assert await inside(bulk, person) == [True, True]
    await bulk.leave()
    await person.leave()


def test_a_line_that_is_full_refuses_people_alone():
    house = admission(slots=1, line=2)
    with house.place(Lane.INTERACTIVE), house.place(Lane.INTERACTIVE):
        assert not house.full
        with house.place(Lane.INTERACTIVE):
            assert house.full
            with pytest.raises(Overloaded):
                house.place(Lane.INTERACTIVE)
            with house.place(Lane.BULK):
                pass
        assert not house.full


async def test_who_leaves_the_line_holds_nobody_up():
    house = admission()
    first, giant, small = Caller(house, 60), Caller(house, 60), Caller(house, 12)
    assert await inside(first, giant, small) == [True, False, False]
    giant.task.cancel()
    assert await inside(small) == [True]
    await first.leave()
    await small.leave()
    everything = Caller(house, 100)
    assert await inside(everything) == [True]
    await everything.leave()


@pytest.mark.parametrize("given", [True, False], ids=["given, then left", "left, then given"])
async def test_a_slot_for_a_caller_that_leaves_goes_on(given):
    """Both in one step of the loop: the caller never runs again but to be cancelled."""
    house = admission(slots=1)
    async with house.slots(Lane.INTERACTIVE, original(4)):
        leaving, after = Caller(house, 4), Caller(house, 4)
        await settled()
        if not given:
            leaving.task.cancel()
    leaving.task.cancel()
    assert await inside(leaving, after) == [False, True]
    await after.leave()
    assert leaving.task.cancelled()
    last = Caller(house, 100)
    assert await inside(last) == [True]
    await last.leave()


def test_all_frames_count():
    assert decoded_bytes(Header(format="gif", width=10, height=5, frames=3)) == 600
