"""Keeping what arrives: stores that fail at every step, and others who are quicker."""

import asyncio
from dataclasses import replace

import pytest

from filmroll.errors import StoreUnavailable
from filmroll.model import BatchState, JobState, LineState, OnDuplicate, original_key
from filmroll.usecases.batch.lines import Word
from tests.samples import tiny_jpeg
from tests.unit.usecases.batch.yard import SMALL, Broken, Yard

A, B, C = (tiny_jpeg(seed) for seed in range(3))


def words(verdicts):
    return [verdict.word for verdict in verdicts]


async def test_answers_are_in_the_order_of_what_arrived(yard: Yard) -> None:
    batch = await yard.open(on_duplicate=OnDuplicate.REUSE)
    await yard.take(batch, ("there", A))
    verdicts = await yard.take(
        batch, ("no", b"none"), ("there", A), ("new", B), ("twin", A), ("new", C), ("last", C)
    )
    assert [verdict.ref for verdict in verdicts] == ["no", "there", "new", "twin", "new", "last"]
    assert words(verdicts) == [
        Word.REJECTED,
        Word.HAVE,
        Word.STORED,
        Word.HAVE,
        Word.REJECTED,
        Word.STORED,
    ]
    lines = await yard.ledger(batch)
    assert lines["twin"].image == lines["there"].image
    assert await yard.stored() == {line.image for line in lines.values() if line.image}


@pytest.mark.parametrize("method", ["put_all", "put_lines"])
@pytest.mark.parametrize("done", [False, True])
async def test_what_a_store_lost_is_not_told_as_kept_and_may_come_again(
    yard: Yard, method: str, *, done: bool
) -> None:
    batch = await yard.open(SMALL)
    store = yard.blobs if method == "put_all" else yard.catalog
    Broken(store, method, 1, done=done)
    with pytest.raises(StoreUnavailable):
        await yard.take(batch, ("a", A), ("b", B))
    again = await yard.take(batch, ("a", A), ("b", B))
    entered = method == "put_lines" and done
    assert words(again) == [Word.HAVE if entered else Word.STORED] * 2
    lines = await yard.ledger(batch)
    assert await yard.stored() == {line.image for line in lines.values()}
    for line in lines.values():
        job = await yard.catalog.get_job(line.image)
        assert (job.state, job.batch, job.ref) == (JobState.QUEUED, batch.id, line.ref)


async def test_a_job_whose_message_is_lost_is_due_soon(yard: Yard) -> None:
    batch = await yard.open(SMALL)
    Broken(yard.queue, "send", 1, done=False)
    await yard.take(batch, ("a", A))
    assert await yard.jobs_sent() == 0
    (line,) = (await yard.ledger(batch)).values()
    (due,) = await yard.catalog.due_jobs(line.at + 61, 9)
    assert (due.id, due.ref) == (line.image, "a")


async def test_jobs_are_sent_once_their_lines_are_kept(yard: Yard) -> None:
    batch = await yard.open(SMALL)
    await yard.take(batch, ("a", A), ("b", B), ("no", b"none"))
    assert await yard.jobs_sent() == 2
    await yard.take(batch, ("a", A), ("b", B))
    assert await yard.jobs_sent() == 2


class Gate:
    """Holds all who want to enter lines until so many have come, or one says go."""

    def __init__(self, yard: Yard, count: int) -> None:
        self._waiting, self._count = 0, count
        self._open = asyncio.Event()
        self.full = asyncio.Event()
        put_lines = yard.catalog.put_lines

        async def held(batch, entries):
            self._waiting += 1
            if self._waiting >= self._count:
                self.full.set()
            await self._open.wait()
            return await put_lines(batch, entries)

        yard.catalog.put_lines = held

    def go(self) -> None:
        self._open.set()


async def test_of_many_who_have_stored_their_bytes_one_is_entered(yard: Yard) -> None:
    batch = await yard.open()
    gate = Gate(yard, 12)
    racing = [asyncio.create_task(yard.take(batch, ("raced", body))) for body in (A, B, C) * 4]
    await gate.full.wait()
    assert len(await yard.stored()) == 3
    gate.go()
    verdicts = [verdict for task in racing for verdict in await task]
    (line,) = (await yard.ledger(batch)).values()
    assert words(verdicts).count(Word.STORED) == 1
    assert words(verdicts).count(Word.HAVE) == 3
    assert words(verdicts).count(Word.REJECTED) == 8
    assert await yard.stored() == {line.image}
    assert await yard.blobs.read(original_key(line.image)) in (A, B, C)


@pytest.mark.parametrize("end", [BatchState.SEALED, BatchState.CANCELLED, BatchState.EXPIRED])
async def test_a_batch_that_is_closed_meanwhile_keeps_nothing(yard: Yard, end: BatchState) -> None:
    batch = await yard.open()
    gate = Gate(yard, 1)
    taking = asyncio.create_task(yard.take(batch, ("a", A), ("b", B)))
    await gate.full.wait()
    await yard.catalog.close_batch(batch.id, end, 100.0)
    gate.go()
    verdicts = await taking
    assert words(verdicts) == [Word.REJECTED] * 2
    assert {verdict.problem.code for verdict in verdicts} == {"conflict"}
    assert await yard.ledger(batch) == {}
    assert await yard.stored() == set()


async def test_a_twin_that_is_deleted_meanwhile_is_not_referred_to(yard: Yard) -> None:
    (kept,) = await yard.take(await yard.open(), ("first", A))
    batch = await yard.open(on_duplicate=OnDuplicate.REUSE)
    gate = Gate(yard, 1)
    taking = asyncio.create_task(yard.take(batch, ("a", A)))
    await gate.full.wait()
    await yard.images.delete(kept.line.image)
    gate.go()
    (verdict,) = await taking
    assert verdict.word is Word.REJECTED
    assert await yard.ledger(batch) == {}
    assert words(await yard.take(batch, ("a", A))) == [Word.STORED]


async def test_an_image_that_is_deleted_while_it_is_begun_anew(yard: Yard) -> None:
    batch = await yard.open(SMALL)
    (kept,) = await yard.take(batch, ("a", A))
    attempt = await yard.catalog.claim_job(kept.line.image, 1e12, 60.0)
    await yard.catalog.finish_job(_failed(attempt), None, ())
    gate = Gate(yard, 1)
    taking = asyncio.create_task(yard.take(batch, ("a", A)))
    await gate.full.wait()
    await yard.images.delete(kept.line.image)
    gate.go()
    (verdict,) = await taking
    line = (await yard.ledger(batch))["a"]
    assert (verdict.word, line.state) != (Word.STORED, LineState.PROCESSING)
    (again,) = await yard.take(batch, ("a", A))
    assert (again.word, again.line.state) == (Word.STORED, LineState.PROCESSING)
    assert again.line.image != kept.line.image
    assert await yard.stored() == {again.line.image}


def _failed(job):
    return replace(job, state=JobState.FAILED, finished_at=1.0)
