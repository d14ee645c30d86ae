"""What ports.Catalog promises of uploads in parts, of every adapter."""

import asyncio
from dataclasses import replace

import pytest

from filmroll.model import (
    JobKind,
    JobState,
    Purpose,
    Transfer,
    Upload,
    UploadPart,
    UploadState,
    new_id,
    part_key,
)
from filmroll.ports import PartStanding
from tests.contract.records import PROBLEM, job

ENDED = [state for state in UploadState if state.final]


def upload(**fields) -> Upload:
    """Return an open upload; a fresh one unless it gets an id."""
    whole = Upload(
        id=new_id(),
        state=UploadState.OPEN,
        purpose=Purpose.IMAGE,
        transfer=Transfer.PARTS,
        created_at=100.0,
        lifetime=50.0,
        expires_at=150.0,
    )
    return replace(whole, **fields)


def part(upload: str, number: int = 1, size: int = 10, at: float = 110.0) -> UploadPart:
    key = part_key(upload, number)
    return UploadPart(upload=upload, number=number, bytes=size, sha256="ab" * 32, key=key, at=at)


def at_work(upload: Upload):
    return job(id=upload.id, kind=JobKind.UPLOAD, instructions=())


async def begun(catalog, **fields) -> Upload:
    return await catalog.add_upload(upload(**fields))


async def completing(catalog) -> Upload:
    """Return an upload whose job runs."""
    record = await begun(catalog)
    fixed = replace(record, state=UploadState.COMPLETING, expires_at=None, version=2)
    assert await catalog.update_upload(fixed, at_work(fixed))
    await catalog.claim_job(fixed.id, 200.0, 60.0)
    return fixed


# ---------------------------------------------------------------------------------- the uploads


async def test_an_upload_comes_back_as_it_was(catalog):
    whole = upload(
        purpose=Purpose.ARCHIVE,
        transfer=Transfer.TUS,
        bytes=5 << 40,
        part_bytes=64 << 20,
        sha256="cd" * 32,
        parts=3,
        received=7,
        etag="e",
        name="Übung \N{CAMERA}.zip",
        batch=new_id(),
        ref="a/b",
        variants=("resize:width=100",),
        tags=("t",),
        metadata={"a": [1, None]},
        image=new_id(),
        problem=PROBLEM,
    )
    assert await catalog.add_upload(whole) == whole
    assert await catalog.get_upload(whole.id) == whole


@pytest.mark.parametrize("variants", [None, ()])
async def test_no_variants_are_not_the_same_as_none_said(catalog, variants):
    record = await begun(catalog, variants=variants)
    assert (await catalog.get_upload(record.id)).variants == variants


async def test_an_upload_is_added_once(catalog):
    record = await begun(catalog)
    assert await catalog.add_upload(replace(record, name="other")) == record
    assert await catalog.get_upload(new_id()) is None


async def test_an_upload_is_replaced_by_its_next_version_only(catalog):
    record = await begun(catalog)
    changed = replace(record, bytes=9, version=2)
    assert await catalog.update_upload(changed)
    assert not await catalog.update_upload(replace(changed, bytes=8))
    assert await catalog.get_upload(record.id) == changed
    assert not await catalog.update_upload(upload(version=2))


async def test_an_upload_and_its_job_are_written_together_or_not_at_all(catalog):
    record = await begun(catalog)
    fixed = replace(record, state=UploadState.COMPLETING, version=2)
    assert not await catalog.update_upload(replace(fixed, version=3), at_work(fixed))
    assert await catalog.get_job(record.id) is None
    assert await catalog.update_upload(fixed, at_work(fixed))
    assert await catalog.get_job(record.id) == at_work(fixed)


# ------------------------------------------------------------------------------------ the parts


async def test_parts_come_in_any_order_and_are_listed_by_number(catalog):
    record = await begun(catalog)
    parts = {number: part(record.id, number) for number in (10, 2, 1)}
    for one in parts.values():
        assert (await catalog.put_part(one)).taken
    in_order = [parts[1], parts[2], parts[10]]
    assert await catalog.list_parts(record.id, 0, 10) == in_order
    assert await catalog.list_parts(record.id, 1, 1) == in_order[1:2]
    assert await catalog.list_parts(record.id, 0, 0) == []
    assert await catalog.list_parts(new_id(), 0, 10) == []


async def test_a_part_changes_the_sums_and_the_expiry_of_its_upload(catalog):
    record = await begun(catalog)
    await catalog.put_part(part(record.id, 1, size=10, at=120.0))
    standing = await catalog.put_part(part(record.id, 2, size=5, at=130.0))
    expected = replace(record, parts=2, received=15, expires_at=180.0, version=3)
    assert standing == PartStanding(expected, taken=True)
    assert await catalog.get_upload(record.id) == expected


async def test_a_part_replaces_the_one_under_its_number(catalog):
    record = await begun(catalog)
    first, second = part(record.id, 3, size=10), part(record.id, 3, size=4)
    await catalog.put_part(first)
    standing = await catalog.put_part(second)
    assert standing.replaced == first
    assert (standing.upload.parts, standing.upload.received) == (1, 4)
    assert await catalog.list_parts(record.id, 0, 10) == [second]


async def test_a_part_makes_what_was_read_before_it_stale(catalog):
    record = await begun(catalog)
    await catalog.put_part(part(record.id))
    assert not await catalog.update_upload(replace(record, state=UploadState.COMPLETING, version=2))


@pytest.mark.parametrize("state", [UploadState.COMPLETING, *ENDED])
async def test_only_an_open_upload_takes_parts(catalog, state):
    record = await begun(catalog, state=state)
    assert await catalog.put_part(part(record.id)) == PartStanding(record, taken=False)
    assert await catalog.list_parts(record.id, 0, 10) == []


async def test_no_upload_takes_no_part(catalog):
    assert await catalog.put_part(part(new_id())) == PartStanding(None, taken=False)


async def test_with_an_offset_only_the_next_part_is_taken(catalog):
    record = await begun(catalog)
    assert (await catalog.put_part(part(record.id, 1), offset=0)).taken
    for wrong in ((1, 10), (2, 9), (2, 11), (3, 10)):
        number, offset = wrong
        standing = await catalog.put_part(part(record.id, number), offset=offset)
        assert (standing.taken, standing.upload.received) == (False, 10)
    assert (await catalog.put_part(part(record.id, 2), offset=10)).taken


async def test_of_two_at_one_offset_one_is_taken(catalog):
    record = await begun(catalog)
    both = [catalog.put_part(part(record.id, 1, size), offset=0) for size in (3, 4)]
    standings = await asyncio.gather(*both)
    assert sorted(one.taken for one in standings) == [False, True]
    parts = await catalog.list_parts(record.id, 0, 10)
    assert [one.bytes for one in parts] == [(await catalog.get_upload(record.id)).received]


async def test_many_parts_at_once_are_all_counted(catalog):
    record = await begun(catalog)
    numbers = range(1, 41)
    await asyncio.gather(*(catalog.put_part(part(record.id, n, size=n)) for n in numbers))
    found = await catalog.get_upload(record.id)
    assert (found.parts, found.received, found.version) == (40, sum(numbers), 41)


# -------------------------------------------------------------------------------------- the end


@pytest.mark.parametrize(
    ("ended", "state"),
    [(JobState.SUCCEEDED, UploadState.COMPLETED), (JobState.FAILED, UploadState.FAILED)],
)
async def test_the_end_of_the_job_is_the_end_of_its_upload(catalog, ended, state):
    record = await completing(catalog)
    running = await catalog.get_job(record.id)
    problem = PROBLEM if ended is JobState.FAILED else None
    last = replace(running, state=ended, problem=problem, finished_at=300.0)
    assert await catalog.finish_job(last, None, ())
    expected = replace(record, state=state, problem=problem, expires_at=300.0, version=3)
    assert await catalog.get_upload(record.id) == expected


async def test_a_job_that_rests_does_not_end_its_upload(catalog):
    record = await completing(catalog)
    running = await catalog.get_job(record.id)
    assert await catalog.finish_job(replace(running, state=JobState.QUEUED), None, ())
    assert await catalog.get_upload(record.id) == record


async def test_cancelling_the_job_aborts_the_upload(catalog):
    record = await completing(catalog)
    await catalog.cancel_job(record.id, 300.0)
    found = await catalog.get_upload(record.id)
    assert (found.state, found.expires_at) == (UploadState.ABORTED, 300.0)


async def test_a_job_of_another_kind_ends_no_upload(catalog):
    record = await begun(catalog, state=UploadState.COMPLETING)
    await catalog.add_job(job(id=record.id))
    await catalog.cancel_job(record.id, 300.0)
    assert await catalog.get_upload(record.id) == record


# ----------------------------------------------------------------------------------- the sweeper


async def test_uploads_are_due_by_their_expiry(catalog):
    late = await begun(catalog, expires_at=200.0)
    early = await begun(catalog, expires_at=100.0, state=UploadState.ABORTED)
    await begun(catalog, expires_at=300.0)
    await begun(catalog, expires_at=None, state=UploadState.COMPLETING)
    assert await catalog.due_uploads(250.0, 10) == [early, late]
    assert await catalog.due_uploads(250.0, 1) == [early]


async def test_parts_of_ended_uploads_are_dropped(catalog):
    record = await begun(catalog)
    for number in (1, 2, 3):
        await catalog.put_part(part(record.id, number))
    await catalog.drop_parts(record.id, 3)
    assert len(await catalog.list_parts(record.id, 0, 10)) == 3, "it is open"
    stored = await catalog.get_upload(record.id)
    ended = replace(stored, state=UploadState.EXPIRED, version=stored.version + 1)
    assert await catalog.update_upload(ended)
    await catalog.drop_parts(record.id, 2)
    assert [one.number for one in await catalog.list_parts(record.id, 0, 10)] == [3]
    assert await catalog.get_upload(record.id) == ended


async def test_only_ended_uploads_are_forgotten(catalog):
    records = [await begun(catalog, state=state) for state in UploadState]
    await catalog.forget_uploads([*records, replace(records[0], id=new_id())])
    left = [await catalog.get_upload(record.id) for record in records]
    assert [found.state for found in left if found] == [UploadState.OPEN, UploadState.COMPLETING]


async def test_an_upload_is_forgotten_only_as_it_was_seen(catalog):
    seen = await begun(catalog, state=UploadState.COMPLETED)
    kept = replace(seen, expires_at=500.0, version=seen.version + 1)
    assert await catalog.update_upload(kept)
    await catalog.forget_uploads([seen])
    assert await catalog.get_upload(seen.id) == kept
    await catalog.forget_uploads([kept])
    assert await catalog.get_upload(seen.id) is None
