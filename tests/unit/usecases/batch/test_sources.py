"""Sources that are fetched on their first use: twice at once, deleted, broken off."""

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import replace

import pytest

from filmroll.errors import (
    Deleted,
    FetchFailed,
    NotFound,
    Overloaded,
    SourceFailed,
    StoreUnavailable,
)
from filmroll.migration import Source, Sources
from filmroll.model import Job, JobKind, JobState, KeptSource, Problem, now, original_key
from filmroll.usecases import sources as module
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.sources import SourceImages
from tests.samples import tiny_jpeg
from tests.unit.usecases.batch.yard import Broken, Yard
from tests.unit.usecases.house import House

URL = "https://example.org/a.jpg"
A, B = tiny_jpeg(1), tiny_jpeg(2)


@pytest.fixture
def sources(yard: Yard) -> SourceImages:
    """Sources whose jobs are run at once, by the yard's own fetching."""
    house = House(blobs=yard.blobs, catalog=yard.catalog)
    house.errands[JobKind.FETCH] = yard.fetching.run
    jobs = Jobs(yard.catalog, yard.outbox, house.processing)
    return SourceImages(Sources(["https://example.org/"]), yard.catalog, jobs)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.3)


def slowed(yard: Yard, opened: asyncio.Event) -> None:
    """Let what is fetched arrive, as it was when it was asked for, only when ``opened`` is set."""
    fetch = yard.origin.fetch

    async def slow(url, sink, *more):
        fetched = await fetch(url, sink, *more)
        await opened.wait()
        return fetched

    yard.origin.fetch = slow


async def sha_in_store(yard: Yard, image: str) -> str:
    data = await yard.blobs.read(original_key(image))
    assert data is not None
    return hashlib.sha256(data).hexdigest()


async def job_of(yard: Yard, source: Source) -> Job:
    stored = await yard.catalog.get_source(source.id)
    assert stored is not None
    job = await yard.catalog.get_job(stored.job)
    assert job is not None
    return job


async def test_a_source_is_fetched_once(yard: Yard, sources: SourceImages) -> None:
    yard.origin.pages[URL] = A
    source = sources.find(URL)
    found = {await sources.image(source) for _ in range(3)}
    assert len(found) == 1
    assert yard.origin.asked == [URL]
    assert await sha_in_store(yard, *found) == hashlib.sha256(A).hexdigest()
    image = await yard.catalog.get_image(*found)
    assert image is not None
    assert image.metadata == {"source": URL}


async def test_two_fetches_at_once_of_other_bytes_overwrite_nothing(
    yard: Yard, sources: SourceImages
) -> None:
    """Two attempts at a job whose lease was lost: what was told first stays, and stays whole."""
    source, late = sources.find(URL), asyncio.Event()
    fetch = yard.origin.fetch
    yard.origin.pages[URL] = A
    slowed(yard, late)
    with pytest.raises(Overloaded):
        await sources.image(source)
    job = await job_of(yard, source)
    yard.origin.fetch = fetch
    yard.origin.pages[URL] = B
    second = await yard.fetching.run(job)
    late.set()
    await yard.outbox.drain()
    assert await sources.image(source) == second.image
    assert (await job_of(yard, source)).image == second.image
    stored = await yard.catalog.get_image(second.image)
    assert stored is not None
    assert stored.sha256 == await sha_in_store(yard, second.image) == hashlib.sha256(B).hexdigest()


async def test_two_that_store_in_the_same_moment_keep_their_bytes_apart(
    yard: Yard, sources: SourceImages
) -> None:
    source, both = sources.find(URL), asyncio.Event()
    await yard.catalog.put_source(KeptSource(id=source.id, job="j"))
    said = {"source": source.id, "metadata": {"source": URL}}
    job = Job(
        id="j",
        image="",
        instructions=(),
        created_at=1.0,
        due_at=1.0,
        kind=JobKind.FETCH,
        source=URL,
        said=said,
    )
    put, one = yard.blobs.put, asyncio.Event()

    async def together(*args):
        if one.is_set():
            both.set()
        one.set()
        await both.wait()
        return await put(*args)

    yard.blobs.put = together
    yard.origin.pages[URL] = A
    first = asyncio.create_task(yard.fetching.run(job))
    await one.wait()
    yard.origin.pages[URL] = B
    ended = await asyncio.gather(first, yard.fetching.run(job))
    (named,) = {one.image for one in ended}
    assert await sources.image(source) == named
    for image in await yard.stored():
        row = await yard.catalog.get_image(image)
        assert row is not None
        assert row.sha256 == await sha_in_store(yard, image)


@pytest.mark.parametrize(
    ("store", "method", "number"),
    [
        ("blobs", "put", 1),
        ("catalog", "add_image", 1),
        ("catalog", "put_source", 2),
        ("catalog", "finish_job", 1),
    ],
)
@pytest.mark.parametrize("done", [False, True])
async def test_an_attempt_that_breaks_off_is_repeated_without_harm(
    yard: Yard, sources: SourceImages, store: str, method: str, number: int, *, done: bool
) -> None:
    source = sources.find(URL)
    yard.origin.pages[URL] = A
    Broken(getattr(yard, store), method, number, done=done)
    with suppress(Overloaded):  # or it was kept all the same
        await sources.image(source)
    await yard.outbox.drain()
    job = await job_of(yard, source)
    ended = await yard.fetching.run(job)
    assert await yard.stored() == {ended.image}
    assert await sources.image(source) == ended.image


@pytest.mark.parametrize("done", [False, True])
async def test_a_process_that_dies_before_its_job_is_written_leaves_it_to_the_next(
    yard: Yard, sources: SourceImages, *, done: bool
) -> None:
    yard.origin.pages[URL] = A
    Broken(yard.catalog, "add_job", 1, done=done)
    with pytest.raises(StoreUnavailable):
        await sources.image(sources.find(URL))
    assert await sources.image(sources.find(URL))
    assert yard.origin.asked == [URL]


async def test_what_was_deleted_is_not_fetched_again(yard: Yard, sources: SourceImages) -> None:
    yard.origin.pages[URL] = A
    source = sources.find(URL)
    image = await sources.image(source)
    job = await job_of(yard, source)
    await yard.images.delete(image)
    assert await sources.image(source) == image, "what is told of it is the delivery's business"
    with pytest.raises(Deleted):
        await yard.fetching.run(job)
    assert yard.origin.asked == [URL]
    assert await yard.stored() == set()


async def test_what_was_deleted_before_its_source_was_noted_stays_deleted(
    yard: Yard, sources: SourceImages
) -> None:
    yard.origin.pages[URL] = A
    source = sources.find(URL)
    image = await sources.image(source)
    job = await job_of(yard, source)
    await yard.images.delete(image)
    stored = yard.catalog._sources[source.id]
    yard.catalog._sources[source.id] = replace(stored, image=None)
    with pytest.raises(Deleted):
        await yard.fetching.run(job)
    assert await yard.stored() == set()


async def test_there_is_one_job_however_old_it_is(
    yard: Yard, sources: SourceImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = asyncio.Event()
    slowed(yard, opened)
    yard.origin.pages[URL] = A
    source, at = sources.find(URL), now()
    for hours in (0, 1, 100):
        monkeypatch.setattr(module, "now", lambda: at + hours * 3600)  # noqa: B023 -- used at once
        with pytest.raises(Overloaded):
            await sources.image(source)
    assert len(yard.catalog._jobs) == 1
    opened.set()
    await yard.outbox.drain()
    assert await sources.image(source) == (await job_of(yard, source)).image
    assert yard.origin.asked == [URL]


async def test_a_failure_is_remembered_for_a_minute(
    yard: Yard, sources: SourceImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.origin.pages[URL] = FetchFailed("500")
    source, at = sources.find(URL), now()
    for _ in range(3):
        with pytest.raises(SourceFailed):
            await sources.image(source)
    assert yard.origin.asked == [URL]
    monkeypatch.setattr(module, "now", lambda: at + 62)
    yard.origin.pages[URL] = A
    assert await sources.image(source)
    assert yard.origin.asked == [URL, URL]


async def test_a_job_that_failed_hides_no_picture_that_is_there(
    yard: Yard, sources: SourceImages
) -> None:
    """The job's own attempt was lost, and failed after another had kept the picture."""
    source, late, asked_for = sources.find(URL), asyncio.Event(), asyncio.Event()

    async def slow(*_):
        asked_for.set()
        await late.wait()
        raise FetchFailed("late")

    yard.origin.fetch = slow
    asked = asyncio.create_task(sources.image(source))
    await asked_for.wait()
    stored = await yard.catalog.get_source(source.id)
    assert stored is not None
    await yard.catalog.put_source(replace(stored, image="kept", version=stored.version + 1))
    job = await job_of(yard, source)
    failed = replace(
        job,
        state=JobState.FAILED,
        problem=Problem.of(NotFound("none")),
        finished_at=now(),
    )
    assert await yard.catalog.finish_job(failed, None, ())
    late.set()
    assert await asked == "kept"


async def test_too_many_are_refused_at_once(
    yard: Yard, sources: SourceImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_AWAITED", 4)
    opened = asyncio.Event()
    slowed(yard, opened)
    urls = [f"https://example.org/{n}.jpg" for n in range(9)]
    yard.origin.pages |= dict.fromkeys(urls, A)
    asked = [asyncio.create_task(sources.image(sources.find(url))) for url in urls]
    done, waiting = await asyncio.wait(asked, timeout=0.1)
    assert (len(done), len(waiting)) == (5, 4)
    for one in done:
        fault = one.exception()
        assert isinstance(fault, Overloaded)
        assert fault.figures["retry_after"] == 5
    assert len(yard.catalog._jobs) == 4, "what is refused leaves nothing behind"
    again = asyncio.create_task(sources.image(sources.find(urls[0])))
    opened.set()
    assert len(await asyncio.gather(*waiting, again)) == 5
    assert await sources.image(sources.find(urls[8]))
