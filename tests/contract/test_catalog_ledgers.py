"""What ports.Catalog promises of the end of batches and of their lines."""

from dataclasses import replace

import pytest

from filmroll.model import (
    Action,
    BatchState,
    ImageState,
    JobKind,
    JobState,
    LineState,
)
from filmroll.ports import Entry, Standing
from tests.contract.ledger import (
    again,
    batch,
    check_sums,
    declared,
    end_job,
    failed,
    line_at,
    lines_of,
    processing,
    put,
    queued,
    refers,
    state_of,
    stored,
    summed,
)
from tests.contract.records import PROBLEM, image, job

ENDED = (BatchState.CANCELLED, BatchState.EXPIRED)


@pytest.fixture
async def ledger(catalog):
    """The id of an open batch."""
    return (await catalog.add_batch(batch())).id


async def test_a_sealed_batch_takes_only_what_it_waits_for(catalog, ledger):
    await put(catalog, queued(ledger, "q"), failed(ledger, "f"), processing(ledger, "p"))
    sealed = await catalog.close_batch(ledger, BatchState.SEALED, 300.0)
    assert (sealed.state, sealed.sealed_at, sealed.finished_at) == (BatchState.SEALED, 300.0, None)
    new = stored(ledger, "new")
    assert await put(catalog, new) == [Standing(None, taken=False, open=False)]
    assert await catalog.get_image(new.image.id) is None
    for ref in ("f", "p", "q"):
        assert [one.taken for one in await put(catalog, declared(ledger, ref))] == [False]
    assert [one.taken for one in await put(catalog, stored(ledger, "f"))] == [False]
    assert [one.taken for one in await put(catalog, processing(ledger, "q"))] == [True]
    assert await state_of(catalog, ledger) is BatchState.SEALED


@pytest.mark.parametrize("end", ENDED)
async def test_a_batch_that_is_over_takes_nothing(catalog, ledger, end):
    await put(catalog, queued(ledger, "q"), failed(ledger, "f"))
    closed = await catalog.close_batch(ledger, end, 300.0)
    assert (closed.state, closed.sealed_at, closed.finished_at) == (end, None, 300.0)
    for entry in (stored(ledger, "q"), stored(ledger, "f"), stored(ledger, "new")):
        assert [one.taken for one in await put(catalog, entry)] == [False]
        assert await catalog.get_image(entry.image.id) is None
    assert await catalog.retry_lines(ledger, [again(await line_at(catalog, ledger, "f"))]) == []


async def test_what_never_came_has_failed_once_its_batch_is_sealed(catalog, ledger):
    await put(catalog, *(declared(ledger, f"{number:04}") for number in range(2100)))
    sealed = await catalog.close_batch(ledger, BatchState.SEALED, 300.0)
    assert (sealed.state, sealed.finished_at) == (BatchState.SEALED, None)
    assert [one.id for one in await catalog.waiting_batches(9)] == [ledger]
    ended = [await catalog.end_waiting(ledger, 300.0, 1000) for _ in range(4)]
    assert ended == [1000, 1000, 100, 0]
    sealed = await catalog.get_batch(ledger)
    assert (sealed.state, sealed.finished_at) == (BatchState.COMPLETED_WITH_ERRORS, 300.0)
    assert (sealed.counts.failed, sealed.counts.open) == (2100, 0)
    assert await catalog.waiting_batches(9) == []
    found = await line_at(catalog, ledger, "0007")
    assert (found.problem.code, found.at) == ("not-received", 300.0)


@pytest.mark.parametrize("end", ENDED)
async def test_what_waits_when_a_batch_ends_is_cancelled(catalog, ledger, end):
    await put(catalog, declared(ledger, "a"), queued(ledger, "b"), processing(ledger, "c"))
    assert await catalog.end_waiting(ledger, 300.0, 9) == 0  # it is open
    await catalog.close_batch(ledger, end, 300.0)
    assert await catalog.end_waiting(ledger, 300.0, 9) == 2
    states = [one.state for one in await lines_of(catalog, ledger)]
    assert states == [LineState.CANCELLED, LineState.CANCELLED, LineState.PROCESSING]
    assert (await catalog.get_batch(ledger)).counts.open == 1


async def test_a_batch_is_sealed_only_with_as_many_lines_as_are_expected(catalog, ledger):
    await put(catalog, stored(ledger, "a"))
    refused = await catalog.close_batch(ledger, BatchState.SEALED, 300.0, 2)
    assert refused.state is BatchState.OPEN
    sealed = await catalog.close_batch(ledger, BatchState.SEALED, 300.0, 1)
    assert sealed.state is BatchState.COMPLETED


async def test_a_line_whose_image_was_deleted_may_be_sent_again(catalog, ledger):
    first = stored(ledger, "a")
    await put(catalog, first)
    assert await catalog.which_live([first.image.id, "none"]) == {first.image.id}
    assert await put(catalog, first) == [
        Standing(replace(first.line, number=1), taken=False, open=True)
    ]
    await catalog.bury_image(first.image.id, 1.0)
    assert await catalog.which_live([first.image.id]) == set()
    again = stored(ledger, "a", content="again")
    [standing] = await put(catalog, again)
    assert (standing.taken, standing.line.image, standing.line.attempts) == (
        True,
        again.image.id,
        1,
    )
    assert (await catalog.get_batch(ledger)).counts == summed(await lines_of(catalog, ledger))


async def test_an_empty_batch_is_complete_when_it_is_sealed(catalog, ledger):
    sealed = await catalog.close_batch(ledger, BatchState.SEALED, 300.0)
    assert (sealed.state, sealed.finished_at) == (BatchState.COMPLETED, 300.0)
    assert await catalog.close_batch("none", BatchState.SEALED, 300.0) is None


@pytest.mark.parametrize("first", [BatchState.SEALED, *ENDED])
@pytest.mark.parametrize("second", [BatchState.SEALED, *ENDED])
async def test_a_batch_is_closed_once(catalog, ledger, first, second):
    await put(catalog, processing(ledger, "a"))
    before = await catalog.close_batch(ledger, first, 300.0)
    after = await catalog.close_batch(ledger, second, 400.0)
    if (first, second) == (BatchState.SEALED, BatchState.CANCELLED):
        assert (after.state, after.sealed_at, after.finished_at) == (second, 300.0, 400.0)
        assert after.version > before.version
    else:
        assert after == before
    assert await catalog.get_batch(ledger) == after


ENDS = {
    JobState.SUCCEEDED: (LineState.SUCCEEDED, BatchState.COMPLETED),
    JobState.FAILED: (LineState.FAILED, BatchState.COMPLETED_WITH_ERRORS),
}


@pytest.mark.parametrize("end", ENDS)
async def test_the_last_jobs_end_completes_a_sealed_batch(catalog, ledger, end):
    entries = [processing(ledger, "a"), processing(ledger, "b")]
    await put(catalog, *entries)
    await catalog.close_batch(ledger, BatchState.SEALED, 150.0)
    await end_job(catalog, entries[0].job.id)
    assert await state_of(catalog, ledger) is BatchState.SEALED
    await end_job(catalog, entries[1].job.id, end)
    line_state, batch_state = ENDS[end]
    found = await line_at(catalog, ledger, "b")
    problem = PROBLEM if end is JobState.FAILED else None
    assert (found.state, found.problem, found.at) == (line_state, problem, 210.0)
    ended = await check_sums(catalog, ledger)
    assert ended.state is batch_state
    assert ended.finished_at is not None


async def test_an_open_batch_is_not_complete(catalog, ledger):
    entry = processing(ledger, "a")
    await put(catalog, entry)
    await end_job(catalog, entry.job.id)
    assert await state_of(catalog, ledger) is BatchState.OPEN


async def test_a_job_that_is_given_back_ends_no_line(catalog, ledger):
    entry = processing(ledger, "a")
    await put(catalog, entry)
    assert await end_job(catalog, entry.job.id, JobState.QUEUED)
    assert (await line_at(catalog, ledger)).state is LineState.PROCESSING


async def test_a_fetch_ends_only_the_line_that_still_waits_for_it(catalog, ledger):
    entry = queued(ledger, "a")
    await put(catalog, entry)
    await put(catalog, processing(ledger, "a"))
    await end_job(catalog, entry.job.id, JobState.FAILED)
    assert (await line_at(catalog, ledger)).state is LineState.PROCESSING


async def test_a_fetch_that_fails_ends_its_line(catalog, ledger):
    entry = queued(ledger, "a")
    await put(catalog, entry)
    await catalog.close_batch(ledger, BatchState.SEALED, 150.0)
    await end_job(catalog, entry.job.id, JobState.FAILED)
    found = await line_at(catalog, ledger)
    assert (found.state, found.problem, found.source) == (
        LineState.FAILED,
        PROBLEM,
        entry.line.source,
    )
    assert await state_of(catalog, ledger) is BatchState.COMPLETED_WITH_ERRORS


@pytest.mark.parametrize("entry_of", [processing, queued])
async def test_a_job_that_is_cancelled_ends_its_line(catalog, ledger, entry_of):
    entry = entry_of(ledger, "a")
    await put(catalog, entry)
    await catalog.close_batch(ledger, BatchState.SEALED, 150.0)
    await catalog.cancel_job(entry.job.id, 220.0)
    found = await line_at(catalog, ledger)
    assert (found.state, found.at) == (LineState.CANCELLED, 220.0)
    assert (await check_sums(catalog, ledger)).state is BatchState.COMPLETED
    before = await catalog.get_batch(ledger)
    await catalog.cancel_job(entry.job.id, 230.0)
    assert await catalog.get_batch(ledger) == before


async def test_the_end_of_a_lost_attempt_ends_no_line(catalog, ledger):
    entry = processing(ledger, "a")
    await put(catalog, entry)
    lost = await catalog.claim_job(entry.job.id, 100.0, 60.0)
    await catalog.claim_job(entry.job.id, 200.0, 60.0)
    assert not await catalog.finish_job(replace(lost, state=JobState.FAILED), None, [])
    assert (await line_at(catalog, ledger)).state is LineState.PROCESSING


async def test_lines_whose_image_is_buried_end(catalog, ledger):
    twin = await catalog.add_image(image(), None)
    own, other = processing(ledger, "own"), refers(ledger, "other", twin, LineState.PROCESSING)
    await put(catalog, own, other, stored(ledger, "done"))
    await catalog.close_batch(ledger, BatchState.SEALED, 150.0)
    for buried in (own.image.id, twin.id):
        assert await catalog.bury_image(buried, 0.0)
    states = [one.state for one in await lines_of(catalog, ledger)]
    assert states == [LineState.CANCELLED, LineState.CANCELLED, LineState.SUCCEEDED]
    assert (await check_sums(catalog, ledger)).state is BatchState.COMPLETED
    assert (await catalog.get_job(own.job.id)).state is JobState.CANCELLED


@pytest.mark.parametrize("end", ENDED)
async def test_what_was_deleted_is_told_even_in_a_batch_that_is_over(catalog, end):
    ledger = (await catalog.add_batch(batch(action=Action.DELETE))).id
    begun = replace(declared(ledger, "a").line, state=LineState.QUEUED)
    await put(catalog, Entry(line=begun))
    await catalog.close_batch(ledger, end, 300.0)
    assert await catalog.end_waiting(ledger, 310.0, 99) == 0
    done = replace(begun, state=LineState.SUCCEEDED)
    assert [one.taken for one in await put(catalog, Entry(line=done))] == [True]
    assert [one.taken for one in await put(catalog, declared(ledger, "new"))] == [False]
    assert await state_of(catalog, ledger) is end


@pytest.mark.parametrize("end", [JobState.FAILED, JobState.CANCELLED, JobState.SUCCEEDED])
async def test_a_batch_whose_own_job_is_given_up_is_cancelled(catalog, end):
    acting = batch(action=Action.DELETE)
    own = job(id=acting.id, kind=JobKind.BATCH, batch=acting.id)
    await catalog.add_batch(acting, own)
    await end_job(catalog, own.id, end)
    after = await catalog.get_batch(acting.id)
    if end is JobState.SUCCEEDED:
        assert after == acting
    else:
        assert (after.state, after.finished_at) == (BatchState.CANCELLED, 210.0)
        assert after.version > acting.version


async def test_a_batch_outlives_an_upload_into_it_that_fails(catalog, ledger):
    own = job(kind=JobKind.UPLOAD, batch=ledger)
    await catalog.add_job(own)
    await end_job(catalog, own.id, JobState.FAILED)
    assert await state_of(catalog, ledger) is BatchState.OPEN


async def test_a_sealed_batch_outlives_its_own_job(catalog):
    acting = batch(action=Action.VARIANTS)
    own = job(id=acting.id, kind=JobKind.BATCH, batch=acting.id)
    await catalog.add_batch(acting, own)
    await put(catalog, processing(acting.id, "a"))
    sealed = await catalog.close_batch(acting.id, BatchState.SEALED, 150.0)
    await end_job(catalog, own.id, JobState.FAILED)
    assert await catalog.get_batch(acting.id) == sealed


async def test_failed_lines_are_begun_anew_in_a_batch_that_is_sealed_again(catalog, ledger):
    await put(catalog, processing(ledger, "p"), queued(ledger, "q"), failed(ledger, "f"))
    p, q = processing(ledger, "p"), queued(ledger, "q")
    for work in (p.job.id, q.job.id):
        await end_job(catalog, work, JobState.FAILED)
    ended = await catalog.close_batch(ledger, BatchState.SEALED, 300.0)
    assert ended.state is BatchState.COMPLETED_WITH_ERRORS
    entries = [again(await line_at(catalog, ledger, ref)) for ref in "pq"]
    begun = await catalog.retry_lines(ledger, entries)
    assert [(one.ref, one.state, one.attempts) for one in begun] == [
        ("p", LineState.PROCESSING, 1),
        ("q", LineState.QUEUED, 1),
    ]
    reopened = await check_sums(catalog, ledger)
    assert (reopened.state, reopened.finished_at) == (BatchState.SEALED, None)
    assert (reopened.told, reopened.version > ended.version) == (False, True)
    assert (await catalog.get_image(p.image.id)).state is ImageState.STORED
    assert (await catalog.get_job(p.job.id)) == entries[0].job
    assert await catalog.retry_lines(ledger, entries) == []
    for work in (p.job.id, q.job.id):
        await end_job(catalog, work)
    assert await state_of(catalog, ledger) is BatchState.COMPLETED_WITH_ERRORS
    states = [one.state for one in await lines_of(catalog, ledger)]
    assert states == [LineState.SUCCEEDED, LineState.SUCCEEDED, LineState.FAILED]


async def test_a_retry_in_an_open_batch_leaves_it_open(catalog, ledger):
    await put(catalog, queued(ledger, "q"))
    await end_job(catalog, queued(ledger, "q").job.id, JobState.FAILED)
    assert len(await catalog.retry_lines(ledger, [again(await line_at(catalog, ledger, "q"))])) == 1
    assert await state_of(catalog, ledger) is BatchState.OPEN


async def test_nothing_is_begun_anew_for_an_image_that_is_deleted(catalog, ledger):
    entry = processing(ledger, "p")
    await put(catalog, entry)
    await end_job(catalog, entry.job.id, JobState.FAILED)
    before = await line_at(catalog, ledger, "p")
    await catalog.bury_image(entry.image.id, 0.0)
    assert await catalog.retry_lines(ledger, [again(before)]) == []
    assert await line_at(catalog, ledger, "p") == before
    assert await catalog.retry_lines("none", [again(before)]) == []
