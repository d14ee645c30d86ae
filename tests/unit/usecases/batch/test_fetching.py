"""Fetching: attempts that break off, are repeated, or come too late."""

import asyncio

import pytest

from filmroll.errors import Conflict, FetchFailed, FetchUnavailable, StoreUnavailable
from filmroll.model import BatchState, Job, LineState
from filmroll.usecases.batch.lines import Word
from filmroll.usecases.batch.manifest import Item
from tests.samples import tiny_jpeg
from tests.unit.usecases.batch.yard import SMALL, Broken, Yard

URL = "https://example.org/a.jpg"
A, B = tiny_jpeg(1), tiny_jpeg(2)


async def queued(yard: Yard, **fields) -> tuple:
    """Declare one item by its URL; return the batch and the job that is to fetch it."""
    batch = await yard.open(**fields)
    (verdict,) = await yard.manifest.declare(batch, [Item(ref="a", source=URL)])
    assert verdict.word is Word.QUEUED
    (job,) = await yard.catalog.due_jobs(1e12, 9)
    return batch, job


async def line_of(yard: Yard, batch):
    return (await yard.ledger(batch))["a"]


async def test_what_is_fetched_is_kept_once(yard: Yard) -> None:
    batch, job = await queued(yard)
    yard.origin.pages[URL] = A
    for _ in range(3):
        await yard.fetching.run(job)
    line = await line_of(yard, batch)
    assert (line.state, line.source, line.received) == (LineState.SUCCEEDED, URL, True)
    assert yard.origin.asked == [URL]
    assert await yard.stored() == {line.image}
    assert yard.spooled() == []


@pytest.mark.parametrize("method", ["put_all", "put_lines"])
@pytest.mark.parametrize("done", [False, True])
async def test_an_attempt_that_breaks_off_is_repeated_without_harm(
    yard: Yard, method: str, *, done: bool
) -> None:
    batch, job = await queued(yard)
    yard.origin.pages[URL] = A
    Broken(yard.blobs if method == "put_all" else yard.catalog, method, 1, done=done)
    with pytest.raises(StoreUnavailable):
        await yard.fetching.run(job)
    await yard.fetching.run(job)
    line = await line_of(yard, batch)
    assert line.state is LineState.SUCCEEDED
    assert await yard.stored() == {line.image}


@pytest.mark.parametrize("fault", [FetchFailed("gone"), FetchUnavailable("busy")])
async def test_what_the_other_server_says_goes_to_the_job(yard: Yard, fault: Exception) -> None:
    batch, job = await queued(yard)
    yard.origin.pages[URL] = fault
    with pytest.raises(type(fault)):
        await yard.fetching.run(job)
    assert (await line_of(yard, batch)).state is LineState.QUEUED, "its job ends it"


async def test_other_bytes_under_the_url_the_next_time_change_nothing(yard: Yard) -> None:
    """Two attempts at once, of which the first was believed dead."""
    batch, job = await queued(yard)
    fetch, late = yard.origin.fetch, asyncio.Event()

    async def slow(url, sink, *more):
        fetched = await fetch(url, sink, *more)
        await late.wait()
        return fetched

    yard.origin.pages[URL] = A
    yard.origin.fetch = slow
    first = asyncio.create_task(yard.fetching.run(job))
    await asyncio.sleep(0.01)
    yard.origin.fetch = fetch
    yard.origin.pages[URL] = B
    await yard.fetching.run(job)
    late.set()
    with pytest.raises(Conflict):
        await first
    line = await line_of(yard, batch)
    assert await yard.stored() == {line.image}
    assert line.state is LineState.SUCCEEDED


@pytest.mark.parametrize("end", [BatchState.CANCELLED, BatchState.EXPIRED])
async def test_what_comes_too_late_is_not_kept(yard: Yard, end: BatchState) -> None:
    batch, job = await queued(yard, on_duplicate="new")
    yard.origin.pages[URL] = A
    fetch = yard.origin.fetch

    async def close_first(url, sink, *more):
        await yard.catalog.close_batch(batch.id, end, 100.0)
        return await fetch(url, sink, *more)

    yard.origin.fetch = close_first
    with pytest.raises(Conflict):
        await yard.fetching.run(job)
    assert await yard.stored() == set()
    await yard.batches.cancel(batch.id)
    assert (await line_of(yard, batch)).state is LineState.CANCELLED


async def test_a_sealed_batch_still_waits_for_what_is_fetched(yard: Yard) -> None:
    batch, job = await queued(yard)
    await yard.batches.seal(batch.id, 1)
    yard.origin.pages[URL] = A
    await yard.fetching.run(job)
    assert (await yard.catalog.get_batch(batch.id)).state is BatchState.COMPLETED


@pytest.mark.parametrize("key", ["import/none.jpg", "import/ä.jpg", "import/", "import/a//b"])
async def test_what_is_no_object_is_not_imported(yard: Yard, key: str) -> None:
    batch = await yard.open()
    await yard.manifest.declare(batch, [Item(ref="a", source=key)])
    (job,) = await yard.catalog.due_jobs(1e12, 9)
    with pytest.raises(FetchFailed):
        await yard.fetching.run(job)


async def test_variants_are_left_to_a_job_of_their_own(yard: Yard) -> None:
    batch = await yard.open(SMALL)
    await yard.manifest.declare(batch, [Item(ref="a", source=URL)])
    (job,) = await yard.catalog.due_jobs(1e12, 9)
    yard.origin.pages[URL] = A
    ended: Job = await yard.fetching.run(job)
    line = await line_of(yard, batch)
    assert (line.state, ended.image) == (LineState.PROCESSING, line.image)
    made = await yard.catalog.get_job(line.image)
    assert made.instructions == (SMALL,)
