"""Lines as the use cases offer them to a ledger, with the image and the job that belong to each."""

from collections.abc import Sequence
from dataclasses import replace

from filmroll.model import (
    Batch,
    BatchState,
    Counts,
    Image,
    ImageState,
    Job,
    JobKind,
    JobState,
    Lane,
    Line,
    LineState,
    derived_id,
    line_job,
    new_id,
)
from filmroll.ports import Catalog, Entry, Standing
from tests.contract.records import PROBLEM, image, job

SOURCE = "https://example.org/a.jpg"


def batch(**fields) -> Batch:
    """Return an open batch; a fresh one unless it gets an id."""
    whole = Batch(id=new_id(), state=BatchState.OPEN, created_at=100.0, expires_at=1000.0)
    return replace(whole, **fields)


def line(batch: str, ref: str, state: LineState = LineState.DECLARED, **fields) -> Line:
    return replace(Line(batch=batch, ref=ref, state=state, at=100.0), **fields)


def declared(batch: str, ref: str, **fields) -> Entry:
    return Entry(line=line(batch, ref, **fields))


def queued(batch: str, ref: str) -> Entry:
    """Return what waits for a job that fetches it."""
    return Entry(line=line(batch, ref, LineState.QUEUED, source=SOURCE), job=fetching(batch, ref))


def fetching(batch: str, ref: str) -> Job:
    return job(
        id=line_job(JobKind.FETCH, batch, ref),
        kind=JobKind.FETCH,
        lane=Lane.IO,
        source=SOURCE,
        batch=batch,
        ref=ref,
    )


def stored(batch: str, ref: str, size: int = 10, content: str = "a") -> Entry:
    """Return an image of its own that needs nothing more."""
    kept = _image(batch, ref, size, content, ImageState.READY)
    return Entry(line=_of(kept, LineState.SUCCEEDED), image=kept)


def processing(batch: str, ref: str, size: int = 10, content: str = "a") -> Entry:
    """Return an image of its own whose variants are to be made."""
    kept = _image(batch, ref, size, content, ImageState.STORED)
    return Entry(line=_of(kept, LineState.PROCESSING), image=kept, job=making(kept))


def making(kept: Image) -> Job:
    """Return the job for the variants that were asked for with an image."""
    return job(id=kept.id, image=kept.id, lane=Lane.BULK, batch=kept.batch, ref=kept.ref)


def failed(batch: str, ref: str, **fields) -> Entry:
    """Return an item that was refused."""
    refused = line(batch, ref, LineState.FAILED, received=True, problem=PROBLEM)
    return Entry(line=replace(refused, **fields))


def refers(batch: str, ref: str, twin: Image, state: LineState = LineState.SUCCEEDED) -> Entry:
    """Return a line that refers to an image which is there, perhaps with more to make of it."""
    reference = line(
        batch, ref, state, image=twin.id, duplicate=True, bytes=twin.bytes, sha256=twin.sha256
    )
    work = job(
        id=line_job(JobKind.VARIANTS, batch, ref),
        image=twin.id,
        lane=Lane.BULK,
        batch=batch,
        ref=ref,
    )
    return Entry(line=reference, job=work if state is LineState.PROCESSING else None)


def again(failure: Line) -> Entry:
    """Return what a retry offers of a failed line: that its job is to begin anew."""
    if failure.image is None:
        fresh = replace(failure, state=LineState.QUEUED, problem=None)
        return Entry(line=fresh, job=fetching(failure.batch, failure.ref))
    fresh = replace(failure, state=LineState.PROCESSING, problem=None)
    name = line_job(JobKind.VARIANTS, failure.batch, failure.ref)
    work = job(
        id=name if failure.duplicate else failure.image,
        image=failure.image,
        lane=Lane.BULK,
        batch=failure.batch,
        ref=failure.ref,
    )
    return Entry(line=fresh, job=work)


async def lines_of(catalog: Catalog, batch: str) -> list[Line]:
    """Return the whole ledger, read in small pages."""
    found: list[Line] = []
    while page := await catalog.list_lines(batch, None, found[-1].number if found else 0, 7):
        found += page
    return found


def summed(lines: list[Line]) -> Counts:
    return sum((one.counts for one in lines), Counts())


async def put(catalog: Catalog, *entries: Entry) -> Sequence[Standing]:
    """Offer lines; return what the catalog answers, once its sums are right."""
    standings = await catalog.put_lines(entries[0].line.batch, entries)
    await check_sums(catalog, entries[0].line.batch)
    return standings


async def check_sums(catalog: Catalog, batch: str) -> Batch:
    """Hold the sums of a batch against its ledger, and the order of that; return the batch."""
    found = await catalog.get_batch(batch)
    assert found is not None
    lines = await lines_of(catalog, batch)
    assert found.counts == summed(lines)
    assert [one.number for one in lines] == list(range(1, len(lines) + 1))
    return found


async def state_of(catalog: Catalog, batch: str) -> BatchState:
    found = await catalog.get_batch(batch)
    assert found is not None
    return found.state


async def line_at(catalog: Catalog, batch: str, ref: str = "a") -> Line:
    return (await catalog.get_lines(batch, [ref]))[ref]


async def end_job(catalog: Catalog, work: str, state: JobState = JobState.SUCCEEDED) -> bool:
    """Claim a job and write such an end of it."""
    attempt = await catalog.claim_job(work, 200.0, 60.0)
    if attempt is None:
        return False
    problem = PROBLEM if state is JobState.FAILED else None
    kept = await catalog.get_image(attempt.image)
    own = kept is not None and kept.id == attempt.id
    outcome = ImageState.FAILED if problem else ImageState.READY
    return await catalog.finish_job(
        replace(attempt, state=state, problem=problem, finished_at=210.0),
        replace(kept, state=outcome, problem=problem) if own and kept else None,
        (),
    )


def _image(batch: str, ref: str, size: int, content: str, state: ImageState) -> Image:
    return image(
        id=derived_id(batch, ref, content),
        state=state,
        sha256=derived_id(content) * 2,
        bytes=size,
        batch=batch,
        ref=ref,
        tags=("t",),
    )


def _of(kept: Image, state: LineState) -> Line:
    assert kept.batch, "it is of a batch"
    assert kept.ref, "it is of a line"
    return line(
        kept.batch,
        kept.ref,
        state,
        received=True,
        sha256=kept.sha256,
        bytes=kept.bytes,
        image=kept.id,
    )
