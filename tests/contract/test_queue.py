"""What ports.JobQueue promises, of every adapter."""

import asyncio
import time
from collections import Counter
from dataclasses import replace

import pytest

from filmroll.model import Lane
from filmroll.ports import Depth
from tests.contract.conftest import MAX_ATTEMPTS

LANE, OTHER = Lane.INTERACTIVE, Lane.BULK
LONG = 60.0  # s


async def jobs(queue, lane=LANE, limit=100, lease=LONG):
    return [each.job for each in await queue.receive(lane, limit, lease, 0)]


async def test_what_is_sent_is_received_once(queue):
    await queue.send(LANE, ["a", "b", "c"])
    taken = await queue.receive(LANE, 10, LONG, 0)
    assert sorted(each.job for each in taken) == ["a", "b", "c"]
    assert {(each.lane, each.attempts) for each in taken} == {(LANE, 1)}
    assert await jobs(queue) == []
    await queue.send(LANE, [])
    assert await jobs(queue) == []


async def test_a_limit_is_kept(queue):
    await queue.send(LANE, [str(number) for number in range(5)])
    assert [len(await jobs(queue, limit=2)) for _ in range(4)] == [2, 2, 1, 0]


async def test_lanes_do_not_mix(queue):
    await queue.send(OTHER, ["bulk"] * 3)
    await queue.send(LANE, ["quick"])
    assert await jobs(queue, LANE) == ["quick"]
    assert await jobs(queue, OTHER) == ["bulk"] * 3


async def test_many_workers_share_the_work(queue):
    sent = [str(number) for number in range(100)]
    await queue.send(LANE, sent)
    taken = await asyncio.gather(*(queue.receive(LANE, 3, LONG, 0) for _ in range(64)))
    assert Counter(each.job for some in taken for each in some) == Counter(sent)


async def test_a_message_that_is_not_removed_comes_back(queue, short):
    await queue.send(LANE, ["a"])
    (first,) = await queue.receive(LANE, 1, short, 0)
    assert await jobs(queue) == []
    (second,) = await queue.receive(LANE, 1, LONG, 5)
    assert (second.job, second.attempts) == ("a", 2)
    assert second.receipt != first.receipt


async def test_a_removed_message_does_not_come_back(queue, short):
    await queue.send(LANE, ["a", "b"])
    taken = await queue.receive(LANE, 2, short, 0)
    await queue.ack(taken)
    await queue.ack(taken)
    assert list(await queue.receive(LANE, 2, LONG, 3 * short)) == []
    assert await queue.depth(LANE) == Depth(waiting=0, leased=0, dead=0)


async def test_a_receipt_is_good_for_one_lease_only(queue, short):
    await queue.send(LANE, ["a"])
    (stale,) = await queue.receive(LANE, 1, short, 0)
    (held,) = await queue.receive(LANE, 1, LONG, 5)
    await queue.ack([stale])
    await queue.release(stale, 0)
    assert not await queue.extend(stale, LONG)
    assert await jobs(queue) == []
    assert await queue.depth(LANE) == Depth(waiting=0, leased=1, dead=0)
    assert await queue.extend(held, LONG)
    await queue.ack([held])
    assert not await queue.extend(held, LONG)
    assert not await queue.extend(replace(held, receipt="999.1"), LONG)


async def test_a_receipt_is_not_good_after_its_lease(queue, short):
    await queue.send(LANE, ["a"])
    (late,) = await queue.receive(LANE, 1, short, 0)
    await asyncio.sleep(short)
    await queue.ack([late])
    assert not await queue.extend(late, LONG)
    assert await jobs(queue) == ["a"]


async def test_no_later_message_answers_to_an_old_receipt(queue):
    await queue.send(LANE, ["old"])
    (old,) = await queue.receive(LANE, 1, LONG, 0)
    await queue.ack([old])
    await queue.send(LANE, ["new"])
    (new,) = await queue.receive(LANE, 1, LONG, 0)
    await queue.ack([old])
    assert await queue.extend(new, LONG)


async def test_a_heartbeat_keeps_a_lease(queue, short):
    await queue.send(LANE, ["a"])
    (held,) = await queue.receive(LANE, 1, 4 * short, 0)
    for _ in range(4):
        await asyncio.sleep(short)
        assert await queue.extend(held, 4 * short)
    assert await jobs(queue) == []


async def test_a_released_message_comes_back_after_its_delay(queue, short):
    await queue.send(LANE, ["a"])
    (held,) = await queue.receive(LANE, 1, LONG, 0)
    await queue.release(held, 2 * short)
    assert await jobs(queue) == []
    assert await queue.depth(LANE) == Depth(waiting=1, leased=0, dead=0)
    assert not await queue.extend(held, LONG)
    (again,) = await queue.receive(LANE, 1, LONG, 5)
    assert again.attempts == 2


async def test_a_message_that_always_fails_becomes_a_dead_letter(queue):
    await queue.send(LANE, ["bad", "worse"])
    for attempt in range(1, MAX_ATTEMPTS + 1):
        for held in await queue.receive(LANE, 2, LONG, 5):
            assert held.attempts == attempt
            await queue.release(held, 0)
    await queue.send(LANE, ["good"])
    assert [*await jobs(queue, limit=2), *await jobs(queue, limit=2)] == ["good"]
    assert sorted(await queue.dead(10)) == ["bad", "worse"]
    assert len(await queue.dead(1)) == 1
    assert await queue.depth(LANE) == Depth(waiting=0, leased=1, dead=2)
    assert await queue.depth(OTHER) == Depth(waiting=0, leased=0, dead=0)
    await queue.expire_dead(time.time() - 60)
    assert len(await queue.dead(10)) == 2
    await queue.expire_dead(time.time() + 60)
    assert await queue.dead(10) == []


async def test_dead_letters_go_back_to_their_lanes(queue):
    for lane, jobs_ in ((LANE, ["a", "b"]), (OTHER, ["c"])):
        await queue.send(lane, jobs_)
        for _ in range(MAX_ATTEMPTS):
            for held in await queue.receive(lane, 2, LONG, 5):
                await queue.release(held, 0)
        assert await jobs(queue, lane) == []
    assert await queue.redrive(0) == 0
    assert await queue.redrive(1) == 1
    assert len(await queue.dead(10)) == 2
    assert await queue.redrive() == 2
    assert await queue.dead(10) == []
    assert sorted(await jobs(queue, LANE)) == ["a", "b"]
    assert [each.attempts for each in await queue.receive(OTHER, 9, LONG, 5)] == [1]


async def test_the_last_lease_may_run_its_time(queue):
    await queue.send(LANE, ["a"])
    for _ in range(MAX_ATTEMPTS - 1):
        (held,) = await queue.receive(LANE, 1, LONG, 0)
        await queue.release(held, 0)
    (last,) = await queue.receive(LANE, 1, LONG, 0)
    assert await jobs(queue) == []
    assert await queue.dead(10) == []
    assert await queue.extend(last, LONG)


async def test_depth_counts(queue, short):
    await queue.send(LANE, ["a"] * 5)
    await queue.receive(LANE, 2, LONG, 0)
    assert await queue.depth(LANE) == Depth(waiting=3, leased=2, dead=0)
    await queue.receive(LANE, 3, short, 0)
    assert await queue.depth(LANE) == Depth(waiting=0, leased=5, dead=0)
    await asyncio.sleep(short)
    assert await queue.depth(LANE) == Depth(waiting=3, leased=2, dead=0)


async def test_who_waits_is_woken_by_a_message(queue):
    waiting = asyncio.create_task(queue.receive(LANE, 1, LONG, 10))
    await asyncio.sleep(0.12)
    began = time.monotonic()
    await queue.send(LANE, ["a"])
    assert [each.job for each in await waiting] == ["a"]
    assert time.monotonic() - began < 2


async def test_who_waits_in_vain_comes_back_in_time(queue):
    began = time.monotonic()
    assert list(await queue.receive(LANE, 1, LONG, 0.2)) == []
    assert 0.2 <= time.monotonic() - began < 2


@pytest.mark.parametrize("others", [1, 5])
async def test_of_many_who_wait_for_one_message_one_gets_it(queue, others):
    waiting = [asyncio.create_task(queue.receive(LANE, 1, LONG, 0.5)) for _ in range(1 + others)]
    await asyncio.sleep(0.05)
    await queue.send(LANE, ["a"])
    taken = await asyncio.gather(*waiting)
    assert sorted(map(len, taken)) == [0] * others + [1]


async def test_a_check_leaves_nothing(queue):
    await queue.check()
    for lane in Lane:
        assert await queue.depth(lane) == Depth(waiting=0, leased=0, dead=0)
