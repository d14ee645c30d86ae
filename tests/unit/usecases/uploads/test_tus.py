"""Uploads that go on at an offset, and that are joined of others: races, crashes, ends."""

import asyncio
import hashlib
from dataclasses import replace

import pytest

from filmroll.errors import (
    IncompleteBody,
    InvalidRequest,
    OffsetMismatch,
    TooLarge,
    UploadGone,
    UploadSettled,
)
from filmroll.model import JobState, OnDuplicate, Purpose, Transfer, UploadState, now
from filmroll.queues.memory import MemoryQueue
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.spool import Held, Spools
from filmroll.usecases.uploads import appending
from filmroll.usecases.uploads.appending import Appending, Checksum
from filmroll.usecases.uploads.sessions import Intent
from filmroll.usecases.uploads.tus import Tus
from tests.samples import tiny_jpeg
from tests.unit.usecases.uploads.house import LIMIT, aged

BODY = tiny_jpeg(1)
HALF = 2000


@pytest.fixture
def tus(house):
    return Tus(
        catalog=house.catalog,
        sessions=house.sessions,
        completions=house.completions,
        outbox=Outbox(house.catalog, MemoryQueue()),
    )


@pytest.fixture
def append(house):
    return Appending(house.parts, Spools(house.folder, LIMIT))


def intent(size=None, **fields):
    return Intent(transfer=Transfer.TUS, bytes=size, **fields)


async def chunks(*given, ends=True):
    for chunk in given:
        yield chunk
    if not ends:
        raise IncompleteBody("The connection ended.")


async def piece(house, tus, body, size=None):
    """Begin a partial upload with its first bytes; return its id."""
    size = len(body) if size is None else size
    upload = await tus.begin(intent(size, purpose=Purpose.ARCHIVE, partial=True))
    if body:
        await house.parts.take(upload, 1, Held(body), 0)
    return upload.id


async def made(house, upload):
    """Run the job of an upload as the processing role does; return what the upload is then."""
    job = await house.catalog.claim_job(upload.id, now(), 60.0)
    done = replace(await house.making.run(job), state=JobState.SUCCEEDED, finished_at=now())
    assert await house.catalog.finish_job(done, None, [])
    return await house.catalog.get_upload(upload.id)


async def states(house, *uploads):
    return [(await house.catalog.get_upload(upload)).state for upload in uploads]


# ------------------------------------------------------------------------------------- appending


async def test_what_takes_long_is_kept_in_between(house, tus, append, monkeypatch):
    monkeypatch.setattr(appending, "_PIECE_SECONDS", 0.0)
    upload = await tus.begin(intent())
    await append.append(upload, chunks(b"one", b"two", b"three"))
    parts = await house.catalog.list_parts(upload.id, 0, 10)
    assert [(part.number, part.bytes) for part in parts] == [(1, 3), (2, 3), (3, 5)]


async def test_pieces_have_the_size_of_parts(house, tus, append):
    upload = await tus.begin(intent(part_bytes=5 << 20))
    await append.append(upload, chunks(*[bytes(2 << 20)] * 4))
    parts = await house.catalog.list_parts(upload.id, 0, 10)
    assert [part.bytes >> 20 for part in parts] == [6, 2]


async def test_what_breaks_off_is_kept_as_far_as_it_came(tus, append):
    upload = await tus.begin(intent(100))
    await append.append(upload, chunks(b"one", b"two", ends=False))
    assert (await tus.get(upload.id)).received == 6
    await append.append(await tus.get(upload.id), chunks(ends=False))
    assert (await tus.get(upload.id)).parts == 1, "of nothing there is no part"


async def test_with_a_checksum_what_breaks_off_is_dropped(house, tus, append):
    upload = await tus.begin(intent(100))
    checksum = Checksum(hashlib.sha256(), hashlib.sha256(b"one").digest())
    with pytest.raises(IncompleteBody):
        await append.append_checked(upload, chunks(b"one", ends=False), checksum)
    assert await house.stored("p/") == []


async def test_of_two_at_one_offset_one_is_kept(house, tus, append):
    upload = await tus.begin(intent(100))
    done = await asyncio.gather(
        append.append(upload, chunks(b"one")),
        append.append(upload, chunks(b"another")),
        return_exceptions=True,
    )
    assert {type(one) for one in done} == {OffsetMismatch, type(None)}
    assert len(await house.stored("p/")) == 1


async def test_pieces_are_not_without_number(tus, append, monkeypatch):
    monkeypatch.setattr(appending, "MAX_PARTS", 1)
    upload = await tus.begin(intent())
    await append.append(upload, chunks(b"one"))
    with pytest.raises(TooLarge):
        await append.append(await tus.get(upload.id), chunks(b"two"))


async def test_a_length_is_told_once_whoever_tells_it(tus, append):
    upload = await tus.begin(intent())
    await append.append(upload, chunks(b"more"))  # the record has changed since it was read
    told = await tus.announce(upload, 9)
    assert (told.bytes, told.received) == (9, 4)
    assert (await tus.announce(upload, 9)).bytes == 9
    with pytest.raises(InvalidRequest):
        await tus.announce(upload, 10)


# ---------------------------------------------------------------------------------------- the end


async def test_a_look_completes_what_a_crash_has_left(house, tus):
    upload = await tus.begin(intent(len(BODY)))
    await house.parts.take(upload, 1, Held(BODY), 0)
    assert (await tus.get(upload.id)).state is UploadState.OPEN
    found = await tus.look(upload.id)
    assert found.state is UploadState.COMPLETING
    assert (await made(house, found)).image


async def test_what_its_batch_does_not_take_has_ended(house, tus):
    batch = await house.batches.create(
        name=None,
        variants=(),
        on_duplicate=OnDuplicate.NEW,
        expected_count=None,
        webhook=None,
        expires_in=1000,
    )
    upload = await tus.begin(intent(len(BODY), batch=batch.id, ref="a"))
    await house.parts.take(upload, 1, Held(BODY), 0)
    await house.batches.seal(batch.id, None)
    with pytest.raises(UploadGone):
        await tus.look(upload.id)
    assert await states(house, upload.id) == [UploadState.ABORTED]


# ---------------------------------------------------------------------------------------- joining


async def test_the_pieces_end_with_what_joins_them(house, tus):
    pieces = [await piece(house, tus, BODY[:HALF]), await piece(house, tus, BODY[HALF:])]
    joined = await tus.begin(intent(joins=tuple(pieces)))
    assert await states(house, *pieces) == [UploadState.COMPLETING] * 2
    done = await made(house, joined)
    image = await house.catalog.get_image(done.image)
    assert image.sha256 == hashlib.sha256(BODY).hexdigest()
    assert await house.sweeping.sweep() == 1
    assert await states(house, joined.id, *pieces) == [UploadState.COMPLETED] * 3
    assert await house.sweeping.sweep() == 2
    assert await house.stored("p/") == []
    assert await house.sweeping.sweep() == 0, "for a week one can see how it ended"


async def test_the_pieces_expire_with_what_joins_them(house, tus):
    whole = await piece(house, tus, BODY[:HALF])
    half = await piece(house, tus, b"x", 9)
    joined = await tus.begin(intent(joins=(whole, half)))
    assert await states(house, whole, half) == [UploadState.COMPLETING, UploadState.OPEN]
    assert await house.catalog.update_upload(aged(await tus.get(joined.id)))
    await house.sweeping.sweep()
    assert await states(house, joined.id, whole, half) == [UploadState.EXPIRED] * 3


async def test_what_joins_a_piece_that_expired_is_gone(house, tus):
    half = await piece(house, tus, b"x", 9)
    joined = await tus.begin(intent(joins=(half,)))
    assert await house.catalog.update_upload(aged(await tus.get(half)))
    await house.sweeping.sweep()
    with pytest.raises(UploadGone):
        await tus.look(joined.id)


async def test_the_last_byte_of_a_piece_completes_what_joins_it(house, tus):
    half = await piece(house, tus, BODY[:HALF], len(BODY))
    joined = await tus.begin(intent(joins=(half,)))
    await house.parts.take(await tus.get(half), 2, Held(BODY[HALF:]), HALF)
    await tus.finish(await tus.get(half))
    assert await states(house, joined.id) == [UploadState.COMPLETING]


async def test_joining_goes_on_after_a_crash(house, tus, monkeypatch):
    pieces = [await piece(house, tus, BODY[:HALF]), await piece(house, tus, BODY[HALF:])]

    async def crash(*_):
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(house.completions, "fix", crash)
        with pytest.raises(ConnectionError):
            await tus.begin(intent(joins=tuple(pieces)))
    joined = await tus.begin(intent(joins=tuple(pieces)))
    assert joined.state is UploadState.COMPLETING


async def test_who_comes_late_does_not_bring_ended_pieces_back(house, tus):
    """Another process has joined them, and the sweeper was there, since this one looked."""
    half = await piece(house, tus, b"", len(BODY))
    stale = await tus.begin(intent(joins=(half,)))
    await house.parts.take(await tus.get(half), 1, Held(BODY), 0)
    await made(house, await tus.look(stale.id))
    await house.sweeping.sweep()
    assert await states(house, half) == [UploadState.COMPLETED]
    assert await tus.finish(stale) == stale
    assert await states(house, half) == [UploadState.COMPLETED]


async def test_a_piece_belongs_to_one(house, tus):
    one = await piece(house, tus, BODY)
    await tus.begin(intent(joins=(one,)))
    with pytest.raises(UploadSettled):
        await tus.begin(intent(joins=(one, one)))


async def test_what_is_joined_may_be_too_large(house, tus, monkeypatch):
    one = await piece(house, tus, BODY)
    monkeypatch.setattr("filmroll.usecases.uploads.sizes.MAX_IMAGE_BYTES", len(BODY) - 1)
    with pytest.raises(TooLarge):
        await tus.begin(intent(joins=(one,)))
    await house.sweeping.sweep()
    assert await states(house, one) == [UploadState.ABORTED]
