"""What ports.Catalog promises of batches, and of what their ledgers take in."""

import asyncio
from dataclasses import replace

import pytest

from filmroll.errors import InvalidRequest
from filmroll.model import (
    Action,
    BatchState,
    ImageState,
    JobState,
    LineState,
    OnDuplicate,
    new_id,
)
from filmroll.ports import BatchFilter, ImageFilter, Standing
from tests.contract.ledger import (
    again,
    batch,
    check_sums,
    declared,
    end_job,
    failed,
    line_at,
    lines_of,
    making,
    processing,
    put,
    queued,
    refers,
    state_of,
    stored,
)
from tests.contract.records import image, job

ENDED = (BatchState.CANCELLED, BatchState.EXPIRED)


@pytest.fixture
async def ledger(catalog):
    """The id of an open batch."""
    return (await catalog.add_batch(batch())).id


async def test_a_batch_comes_back_as_it_was(catalog):
    whole = batch(
        name="Übung \N{CAMERA}",
        action=Action.VARIANTS,
        on_duplicate=OnDuplicate.REUSE,
        variants=("resize:width=100",),
        where={"tag": "t", "created_after": 7.5},
        expected_count=3,
        webhook="w",
    )
    work = job(batch=whole.id)
    assert await catalog.add_batch(whole, work) == whole
    assert await catalog.get_batch(whole.id) == whole
    assert await catalog.get_job(work.id) == work
    assert await catalog.get_batch("none") is None


async def test_a_batch_is_added_once(catalog, ledger):
    other = batch(id=ledger, name="other")
    assert (await catalog.add_batch(other, job(id=new_id(), batch=ledger))).name is None
    assert (await catalog.get_batch(ledger)).name is None


async def test_batches_are_listed_newest_first(catalog):
    ids = [new_id() for _ in range(5)]
    for number, id_ in enumerate(ids):
        await catalog.add_batch(batch(id=id_, created_at=100.0 + number // 2))
    listed, cursor = [], None
    while True:
        page = await catalog.list_batches(BatchFilter(), 2, cursor)
        listed += [one.id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    expected = sorted(enumerate(ids), key=lambda one: (one[0] // 2, one[1]), reverse=True)
    assert listed == [id_ for _, id_ in expected]


async def test_batches_are_found_by_name_and_state(catalog):
    made = {
        (name, state): (await catalog.add_batch(batch(name=name, state=state))).id
        for name in ("a", "b", None)
        for state in (BatchState.OPEN, BatchState.EXPIRED)
    }

    async def found(**where):
        page = await catalog.list_batches(BatchFilter(**where), 99, None)
        return {one.id for one in page.items}

    assert await found(name="a") == {made["a", state] for state in ("open", "expired")}
    assert await found(state=BatchState.OPEN) == {made[name, "open"] for name in ("a", "b", None)}
    assert await found(name="b", state=BatchState.EXPIRED) == {made["b", "expired"]}
    assert await found(name="none") == await found(state=BatchState.SEALED) == set()


async def test_a_cursor_is_of_its_listing_only(catalog):
    for _ in range(2):
        await catalog.add_batch(batch(name="a"))
        await catalog.add_image(image(), None)
    cursor = (await catalog.list_batches(BatchFilter(name="a"), 1, None)).next_cursor
    foreign = (await catalog.list_images(ImageFilter(), 1, None)).next_cursor
    for where, wrong in ((BatchFilter(), cursor), (BatchFilter(), foreign), (BatchFilter(), "x")):
        with pytest.raises(InvalidRequest) as caught:
            await catalog.list_batches(where, 1, wrong)
        assert caught.value.figures["pointer"] == "/cursor"


async def test_batches_that_expire(catalog):
    late, soon, closed = [
        await catalog.add_batch(batch(expires_at=at)) for at in (500.0, 400.0, 300.0)
    ]
    await catalog.close_batch(closed.id, BatchState.SEALED, 200.0)
    assert [one.id for one in await catalog.due_batches(399.0, 9)] == []
    assert [one.id for one in await catalog.due_batches(500.0, 9)] == [soon.id, late.id]
    assert [one.id for one in await catalog.due_batches(500.0, 1)] == [soon.id]


async def test_new_lines_come_with_all_that_belongs_to_them(catalog, ledger):
    entries = [
        declared(ledger, "d", variants=("flip:axis=x",), tags=("t",), metadata={"a": [1]}),
        queued(ledger, "q"),
        stored(ledger, "s"),
        processing(ledger, "p"),
        failed(ledger, "f"),
    ]
    standings = await put(catalog, *entries)
    assert all(standing.taken for standing in standings)
    offered = [replace(entry.line, number=n) for n, entry in enumerate(entries, 1)]
    assert [standing.line for standing in standings] == offered
    assert await lines_of(catalog, ledger) == offered
    for entry in entries:
        if entry.image is not None:
            assert await catalog.get_image(entry.image.id) == entry.image
        if entry.job is not None:
            assert await catalog.get_job(entry.job.id) == entry.job
    counts = (await catalog.get_batch(ledger)).counts
    assert (counts.declared, counts.received, counts.stored, counts.bytes) == (5, 3, 2, 20)
    assert (counts.processing, counts.succeeded, counts.failed, counts.open) == (1, 1, 1, 3)


async def test_nothing_is_taken_for_a_batch_that_is_not(catalog):
    entry = stored("none", "a")
    assert await catalog.put_lines("none", [entry]) == [Standing(None, taken=False, open=False)]
    assert await catalog.get_image(entry.image.id) is None
    assert await catalog.put_lines("none", []) == []


async def test_refs_are_of_their_own_batch(catalog, ledger):
    other = (await catalog.add_batch(batch())).id
    await put(catalog, stored(ledger, "a"))
    await put(catalog, declared(other, "a"))
    assert (await line_at(catalog, ledger)).state is LineState.SUCCEEDED
    assert (await line_at(catalog, other)).state is LineState.DECLARED


@pytest.mark.parametrize("outcome", [stored, processing, failed])
@pytest.mark.parametrize("awaited", [declared, queued])
async def test_what_was_awaited_comes(catalog, ledger, awaited, outcome):
    await put(catalog, awaited(ledger, "x"), awaited(ledger, "a"))
    (standing,) = await put(catalog, outcome(ledger, "a"))
    assert standing.taken
    assert (standing.line.number, standing.line.attempts) == (2, 0)
    assert await line_at(catalog, ledger) == standing.line


async def test_the_same_declaration_again_changes_nothing(catalog, ledger):
    await put(catalog, declared(ledger, "a", sha256="ab"))
    before = await catalog.get_batch(ledger)
    later = declared(ledger, "a", sha256="ab", at=999.0)
    assert [one.taken for one in await put(catalog, later)] == [False]
    assert await catalog.get_batch(ledger) == before
    (changed,) = await put(catalog, declared(ledger, "a", sha256="cd"))
    assert changed.taken


async def test_what_is_queued_is_not_declared_again(catalog, ledger):
    await put(catalog, queued(ledger, "a"))
    attempt = await catalog.claim_job(queued(ledger, "a").job.id, 100.0, 60.0)
    for entry in (declared(ledger, "a"), queued(ledger, "a")):
        (standing,) = await put(catalog, entry)
        assert (standing.taken, standing.line.state) == (False, LineState.QUEUED)
    assert await catalog.get_job(attempt.id) == attempt


@pytest.mark.parametrize("there", [stored, processing])
async def test_what_is_kept_stays(catalog, ledger, there):
    (first,) = await put(catalog, there(ledger, "a"))
    for entry in (
        stored(ledger, "a", content="other"),
        there(ledger, "a"),
        failed(ledger, "a"),
        declared(ledger, "a"),
        queued(ledger, "a"),
    ):
        before = await catalog.get_batch(ledger)
        assert await put(catalog, entry) == [Standing(first.line, taken=False, open=True)]
        assert await catalog.get_batch(ledger) == before
    other = stored(ledger, "a", content="other")
    assert await catalog.get_image(other.image.id) is None


async def test_what_failed_may_come_again(catalog, ledger):
    await put(catalog, failed(ledger, "a"))
    for attempts, entry in enumerate((failed(ledger, "a"), declared(ledger, "a")), 1):
        (standing,) = await put(catalog, entry)
        assert (standing.taken, standing.line.attempts) == (True, attempts)
    (kept,) = await put(catalog, stored(ledger, "a"))
    assert (kept.taken, kept.line.problem) == (True, None)
    assert await state_of(catalog, ledger) is BatchState.OPEN


async def test_of_several_with_one_ref_in_one_call_the_first_is_kept(catalog, ledger):
    entries = [
        stored(ledger, "a"),
        stored(ledger, "a"),
        stored(ledger, "a", content="other"),
        stored(ledger, "b"),
        declared(ledger, "b"),
        declared(ledger, "c"),
        declared(ledger, "c"),
    ]
    standings = await put(catalog, *entries)
    assert [one.taken for one in standings] == [True, False, False, True, False, True, False]
    assert standings[0].line == standings[1].line == standings[2].line
    assert await catalog.get_image(entries[2].image.id) is None
    assert (await catalog.get_batch(ledger)).counts.declared == 3


async def test_of_many_at_once_one_is_kept(catalog, ledger):
    offers = [stored(ledger, "a", content=str(number % 8)) for number in range(64)]
    outcomes = await asyncio.gather(*(catalog.put_lines(ledger, [entry]) for entry in offers))
    taken = [standing for (standing,) in outcomes if standing.taken]
    assert len(taken) == 1
    assert all(standing.line == taken[0].line for (standing,) in outcomes)
    assert (await check_sums(catalog, ledger)).counts.stored == 1
    page = await catalog.list_images(ImageFilter(batch=ledger), 99, None)
    assert [one.id for one in page.items] == [taken[0].line.image]


async def test_a_reference_needs_its_image(catalog, ledger):
    twin = await catalog.add_image(image(bytes=77), None)
    standings = await put(catalog, refers(ledger, "a", twin), refers(ledger, "b", image()))
    assert [one.taken for one in standings] == [True, False]
    counts = (await catalog.get_batch(ledger)).counts
    assert (counts.duplicate, counts.stored, counts.bytes, counts.received) == (1, 0, 77, 0)
    await catalog.bury_image(twin.id, 0.0)
    entry = refers(ledger, "c", twin, LineState.PROCESSING)
    assert await put(catalog, entry) == [Standing(None, taken=False, open=True)]
    assert await catalog.get_job(entry.job.id) is None


async def test_an_image_may_be_referred_to_in_the_call_that_brings_it(catalog, ledger):
    first = stored(ledger, "a")
    standings = await put(catalog, first, refers(ledger, "b", first.image))
    assert [one.taken for one in standings] == [True, True]


async def test_an_image_that_failed_is_begun_anew_with_its_line(catalog, ledger):
    entry = processing(ledger, "a")
    await put(catalog, entry)
    assert await end_job(catalog, entry.job.id, JobState.FAILED)
    assert (await catalog.get_image(entry.image.id)).state is ImageState.FAILED
    (standing,) = await put(catalog, processing(ledger, "a"))
    assert (standing.taken, standing.line.attempts) == (True, 1)
    kept = await catalog.get_image(entry.image.id)
    assert (kept.state, kept.problem, kept.version) == (ImageState.STORED, None, 3)
    assert (await catalog.get_job(entry.job.id)).state is JobState.QUEUED


async def test_an_image_that_was_deleted_is_not_begun_anew(catalog, ledger):
    entry = processing(ledger, "a")
    await put(catalog, entry)
    await end_job(catalog, entry.job.id, JobState.FAILED)
    await catalog.bury_image(entry.image.id, 0.0)
    (standing,) = await put(catalog, processing(ledger, "a"))
    assert (standing.taken, standing.line.state) == (False, LineState.FAILED)
    assert (await catalog.get_job(entry.job.id)).state.final


async def test_of_several_with_one_ref_the_one_whose_image_is_not_deleted_is_taken(catalog, ledger):
    deleted = stored(ledger, "a")
    await put(catalog, deleted)
    await catalog.bury_image(deleted.image.id, 0.0)
    standings = await put(catalog, deleted, stored(ledger, "a", content="other"))
    assert [one.taken for one in standings] == [False, True]


async def test_lines_are_listed_in_the_ledgers_order(catalog, ledger):
    refs = [f"{(number * 7) % 23}" for number in range(23)]
    kinds = [declared, failed, stored, queued]
    await put(catalog, *(kinds[n % 4](ledger, ref) for n, ref in enumerate(refs)))
    await put(catalog, stored(ledger, refs[0]))  # a line keeps its place
    lines = await lines_of(catalog, ledger)
    assert [one.ref for one in lines] == refs
    chosen = await catalog.list_lines(ledger, LineState.FAILED, 0, 3)
    assert [one.ref for one in chosen] == refs[1::4][:3]
    rest = await catalog.list_lines(ledger, LineState.FAILED, chosen[-1].number, 99)
    assert [one.ref for one in rest] == refs[1::4][3:]
    assert await catalog.list_lines(ledger, LineState.PROCESSING, 0, 99) == []
    assert await catalog.list_lines("none", None, 0, 99) == []


async def test_lines_are_found_by_ref(catalog, ledger):
    odd = ["a/b 1.jpg", "ü", "\N{CAMERA}" * 256, "..", "A", "a"]
    await put(catalog, *(declared(ledger, ref) for ref in odd))
    found = await catalog.get_lines(ledger, [*odd, "none"])
    assert {ref: one.ref for ref, one in found.items()} == {ref: ref for ref in odd}


async def test_the_version_grows_with_every_change_and_only_then(catalog, ledger):
    entry = processing(ledger, "a")
    changes = [
        lambda: catalog.put_lines(ledger, [entry]),
        lambda: catalog.put_lines(ledger, [declared(ledger, "d")]),
        lambda: catalog.close_batch(ledger, BatchState.SEALED, 150.0),
        lambda: end_job(catalog, entry.job.id, JobState.FAILED),
        lambda: catalog.retry_lines(ledger, [again(entry.line)]),
        lambda: catalog.cancel_job(making(entry.image).id, 230.0),
    ]
    before = await catalog.get_batch(ledger)
    for change in changes:
        await change()
        after = await catalog.get_batch(ledger)
        assert after.version > before.version
        await catalog.put_lines(ledger, [entry])
        await end_job(catalog, "none")
        assert await catalog.get_batch(ledger) == after
        before = after
