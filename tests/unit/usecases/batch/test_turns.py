"""Turns at a host: who is refused, who is called, and that nobody in line is forgotten."""

import asyncio
from contextlib import ExitStack

import pytest

from filmroll.model import BatchState, Job, JobState, Lane, new_id, now
from filmroll.ports import Fetched
from filmroll.usecases.batch import turns as module
from filmroll.usecases.batch.manifest import Item
from filmroll.usecases.batch.turns import PER_HOST, Turns
from filmroll.usecases.errands import NotNow
from tests.unit.usecases.batch.yard import Yard

HOST = "example.org"


@pytest.fixture
def turns(yard: Yard) -> Turns:
    return Turns(yard.catalog, yard.outbox)


async def queued(yard: Yard, count: int) -> tuple[str, list[Job]]:
    """Return a batch and the jobs that are to fetch its items, none of them sent yet."""
    batch = await yard.open()
    items = [Item(ref=f"{number}", source=f"https://{HOST}/{number}") for number in range(count)]
    await yard.manifest.declare(batch, items)
    await yard.outbox.drain()
    yard.queue._messages.clear()
    jobs = await yard.catalog.due_jobs(1e12, 1000)
    return batch.id, [job for job in jobs if job.batch == batch.id]


def refused(turns: Turns, job: Job) -> float:
    """Be refused, and put in line as soon as the job is given back; return how long it rests."""
    with pytest.raises(NotNow) as put_off, turns.at(HOST, job.id):
        pass
    put_off.value.given_back()
    return put_off.value.seconds


async def called(yard: Yard) -> list[str]:
    await yard.outbox.drain()
    deliveries = await yard.queue.receive(Lane.IO, 1000, 60, 0)
    await yard.queue.ack(deliveries)
    return [one.job for one in deliveries]


def full(turns: Turns) -> ExitStack:
    stack = ExitStack()
    for _ in range(PER_HOST):
        stack.enter_context(turns.at(HOST, new_id()))
    return stack


async def test_who_leaves_calls_the_next_in_line(yard: Yard, turns: Turns) -> None:
    _, (first, second, third) = await queued(yard, 3)
    with full(turns):
        for job in (first, second, third, first):
            refused(turns, job)
        with turns.at("another.example", new_id()):
            pass
        assert await called(yard) == []
    assert sorted(await called(yard)) == sorted([first.id, second.id, third.id])
    assert (turns._lines, turns._waiting, turns._taken) == ({}, 0, {})


async def test_they_are_called_one_by_one_in_order(
    yard: Yard, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PER_HOST", 1)
    _, jobs = await queued(yard, 5)
    with turns.at(HOST, new_id()):
        for job in jobs:
            refused(turns, job)
    for job in jobs:
        assert await called(yard) == [job.id]
        with turns.at(HOST, job.id):
            pass
    assert await called(yard) == []


async def test_who_is_not_wanted_any_more_is_passed_over(yard: Yard, turns: Turns) -> None:
    ended, gone = await queued(yard, 3)
    _, (left,) = await queued(yard, 1)
    with full(turns) as held:
        for job in (*gone, left):
            refused(turns, job)
        await yard.catalog.cancel_job(gone[0].id, now())
        await yard.catalog.close_batch(ended, BatchState.CANCELLED, now())
        held.pop_all().close()
    assert await called(yard) == [left.id]


async def test_who_is_put_in_line_as_the_last_one_leaves_is_called(
    yard: Yard, turns: Turns
) -> None:
    _, (job,) = await queued(yard, 1)
    with full(turns), pytest.raises(NotNow) as put_off, turns.at(HOST, job.id):
        pass
    assert await called(yard) == []
    put_off.value.given_back()
    assert await called(yard) == [job.id]


async def test_a_long_line_rests_longer_and_has_an_end(
    yard: Yard, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 300)
    _, jobs = await queued(yard, 400)
    with full(turns):
        rests = [refused(turns, job) for job in jobs]
        assert (rests[0], rests[-1]) == (10, 15)
        assert turns._waiting == 300
        for job in jobs:
            refused(turns, job)
        assert turns._waiting == 300


async def test_a_fetch_that_is_refused_is_no_attempt_and_comes_in_its_turn(yard: Yard) -> None:
    _, jobs = await queued(yard, 3 * PER_HOST)
    held = asyncio.Event()

    async def fetch(url: str, *_: object) -> Fetched:
        yard.origin.asked.append(url)
        await held.wait()
        raise AssertionError("it is not to get so far")

    yard.origin.fetch = fetch
    running = [asyncio.create_task(yard.fetching.run(job)) for job in jobs]
    await asyncio.sleep(0.01)
    done = [one.exception() for one in running if one.done()]
    assert {type(one) for one in done} == {NotNow}
    assert len(done) == 2 * PER_HOST
    assert len(yard.origin.asked) == PER_HOST
    for one in running:
        one.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    states = {(await yard.catalog.get_job(job.id)).state for job in jobs}
    assert states == {JobState.QUEUED}
