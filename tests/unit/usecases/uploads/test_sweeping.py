"""What becomes of uploads in time."""

from dataclasses import replace

import pytest

from filmroll.catalog.tombstones import Tombstones
from filmroll.errors import Conflict, NotFound, UploadGone
from filmroll.model import JobState, Transfer, UploadState, new_id, now
from filmroll.queues.memory import MemoryQueue
from filmroll.usecases import housekeeping
from filmroll.usecases.housekeeping import Housekeeping
from filmroll.usecases.spool import Held
from filmroll.usecases.uploads import sweeping
from tests.unit.usecases.uploads.house import aged


async def state(house, upload):
    return await house.catalog.get_upload(upload.id)


async def let_expire(house, upload):
    assert await house.catalog.update_upload(aged(await state(house, upload)))


async def test_an_open_upload_expires_and_its_parts_go(house):
    upload, other = await house.begin(), await house.begin()
    await house.send(upload, b"one", b"two")
    await house.send(other, b"stays")
    await let_expire(house, upload)
    assert await house.sweeping.sweep() == 1
    found = await state(house, upload)
    assert found.state is UploadState.EXPIRED
    assert found.expires_at > now() + sweeping.KEPT_SECONDS - 60
    assert len(await house.stored("p/")) == 1
    assert await house.catalog.list_parts(upload.id, 0, 10) == []
    with pytest.raises(UploadGone):
        await house.sessions.get(upload.id, Transfer.PARTS)


async def test_a_part_puts_the_expiry_off(house):
    upload = await house.begin()
    await let_expire(house, upload)
    await house.parts.take(upload, 1, Held(b"in time"))
    assert await house.sweeping.sweep() == 0
    assert (await state(house, upload)).state is UploadState.OPEN


async def test_what_has_expired_takes_no_part_and_leaves_none(house):
    upload = await house.begin()
    await let_expire(house, upload)
    await house.sweeping.sweep()
    with pytest.raises(UploadGone):
        await house.parts.take(upload, 1, Held(b"late"))
    assert await house.stored("p/") == []


async def test_the_record_of_an_ended_upload_is_forgotten_in_the_end(house):
    upload = await house.begin()
    await house.send(upload, b"one")
    await house.sessions.abort(upload.id, Transfer.PARTS)
    assert await house.sweeping.sweep() == 1
    assert await house.stored("p/") == []
    await let_expire(house, upload)
    assert await house.sweeping.sweep() == 1
    assert await state(house, upload) is None
    with pytest.raises(NotFound):
        await house.sessions.get(upload.id, Transfer.PARTS)


async def test_a_sweep_that_broke_off_is_ended_by_the_next(house):
    upload = await house.begin()
    await house.send(upload, b"one", b"two", b"three")
    await let_expire(house, upload)
    found = await state(house, upload)
    assert await house.catalog.update_upload(
        replace(found, state=UploadState.EXPIRED, version=found.version + 1)
    )
    parts = await house.catalog.list_parts(upload.id, 0, 10)
    await house.blobs.delete([part.key for part in parts[:2]])
    await house.catalog.drop_parts(upload.id, 1)
    assert await house.sweeping.sweep() == 1
    assert await house.stored("p/") == []
    assert await house.sweeping.sweep() == 0


async def test_an_upload_that_ended_without_parts_is_kept_as_well(house):
    upload = await house.begin()
    await house.sessions.abort(upload.id, Transfer.PARTS)
    assert await house.sweeping.sweep() == 1
    found = await state(house, upload)
    assert found.cleared
    assert found.expires_at > now() + sweeping.KEPT_SECONDS - 60


async def test_a_sweeper_that_died_when_all_was_cleared_shortens_nothing(house, monkeypatch):
    upload = await house.begin()
    await house.send(upload, b"one")
    await house.sessions.abort(upload.id, Transfer.PARTS)
    drop_parts = house.catalog.drop_parts

    async def die(*asked):
        await drop_parts(*asked)
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(house.catalog, "drop_parts", die)
        with pytest.raises(ConnectionError):
            await house.sweeping.sweep()
    monkeypatch.setattr(sweeping, "now", lambda: now() + 301)
    assert await house.sweeping.sweep() == 1
    assert (await state(house, upload)).expires_at > now() + sweeping.KEPT_SECONDS


async def test_a_piece_that_was_held_while_its_whole_was_cleared_ends_with_it(house):
    whole, piece = await house.begin(), await house.begin()
    await house.send(piece, b"one")
    seen = await state(house, whole)
    joins = replace(seen, joins=(piece.id,), state=UploadState.EXPIRED, expires_at=now() - 1)
    assert await house.catalog.update_upload(replace(joins, version=seen.version + 1))
    assert await house.sweeping.sweep() == 1
    seen = await state(house, piece)
    held = replace(seen, state=UploadState.COMPLETING, joined_by=whole.id, expires_at=None)
    assert await house.catalog.update_upload(replace(held, version=seen.version + 1))
    await let_expire(house, whole)
    await house.sweeping.sweep()
    await house.sweeping.sweep()
    assert (await state(house, piece)).state is UploadState.EXPIRED
    assert await house.stored("p/") == []
    assert await state(house, whole) is None


async def test_what_a_sweeper_left_half_cleared_is_taken_by_another(house, monkeypatch):
    upload = await house.begin()
    await house.send(upload, b"one", b"two")
    await house.sessions.abort(upload.id, Transfer.PARTS)

    async def crash(*_):
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(house.catalog, "drop_parts", crash)
        with pytest.raises(ConnectionError):
            await house.sweeping.sweep()
    assert await house.sweeping.sweep() == 0, "the one that took it may be at it still"
    monkeypatch.setattr(sweeping, "now", lambda: now() + 301)
    assert await house.sweeping.sweep() == 1
    assert await house.catalog.list_parts(upload.id, 0, 10) == []
    assert (await state(house, upload)).expires_at > now() + sweeping.KEPT_SECONDS


async def test_more_uploads_than_a_page_go_in_one_sweep(house, monkeypatch):
    monkeypatch.setattr(sweeping, "_PAGE", 3)
    monkeypatch.setattr(sweeping, "_PARTS", 2)
    for _ in range(8):
        upload = await house.begin()
        await house.send(upload, b"1", b"2", b"3")
        await let_expire(house, upload)
    assert await house.sweeping.sweep() == 8
    assert await house.stored("p/") == []


async def test_an_upload_that_is_being_completed_is_left_alone(house):
    job = await house.completed(b"x")
    assert await house.sweeping.sweep() == 0
    assert len(await house.stored("p/")) == 1
    await house.sessions.abort(job.id, Transfer.PARTS)
    assert await house.sweeping.sweep() == 1
    assert await house.stored("p/") == []


async def test_what_is_completed_cannot_be_aborted(house):
    job = await house.completed(b"x")
    ended = replace(job, state=JobState.SUCCEEDED, finished_at=now())
    assert await house.catalog.finish_job(ended, None, ())
    with pytest.raises(Conflict):
        await house.sessions.abort(job.id, Transfer.PARTS)


async def test_parts_without_a_record_are_collected_and_those_with_one_stay(
    house, tmp_path, monkeypatch
):
    monkeypatch.setattr(housekeeping, "ORPHAN_SECONDS", -60.0)
    upload = await house.begin()
    await house.send(upload, b"one", b"two")
    counted = await house.stored("p/")
    for number in (1, 2, 3):
        await house.put_stray(upload.id, number)
    await house.put_stray(new_id())
    epochs = Tombstones(tmp_path / "epochs")
    keeper = Housekeeping(
        blobs=house.blobs,
        catalog=house.catalog,
        queue=MemoryQueue(),
        epochs=epochs,
        spool=tmp_path,
    )
    assert await keeper.collect_orphans() == 4
    assert await house.stored("p/") == counted
    epochs.close()
