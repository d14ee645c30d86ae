"""Parts, and what is made of them as a whole."""

import asyncio
import hashlib

import pytest

from filmroll.errors import EmptyBody, NotFound, OffsetMismatch, StorageFull, StoreUnavailable
from filmroll.model import Transfer
from filmroll.usecases.spool import Held, Spools
from filmroll.usecases.uploads.reading import digest, joined, parts_of, stream


async def test_a_part_that_is_sent_again_replaces_the_first(house):
    upload = await house.begin()
    await house.send(upload, b"first")
    await house.send(upload, b"second")
    key, *more = await house.stored("p/")
    assert await house.blobs.read(key) == b"second"
    assert more == []


async def test_of_many_at_once_one_is_left(house):
    upload = await house.begin()
    bodies = [b"%d" % number for number in range(20)]
    await asyncio.gather(*(house.parts.take(upload, 1, Held(body)) for body in bodies))
    key, *more = await house.stored("p/")
    (part,) = await house.catalog.list_parts(upload.id, 0, 10)
    assert (part.key, more) == (key, [])


async def test_at_an_offset_only_what_follows_is_taken(house):
    upload = await house.begin(transfer=Transfer.TUS)
    await house.parts.take(upload, 1, Held(b"abc"), offset=0)
    for number, offset in ((1, 0), (2, 2), (2, 4), (3, 3)):
        with pytest.raises(OffsetMismatch) as caught:
            await house.parts.take(upload, number, Held(b"wrong"), offset=offset)
        assert caught.value.figures["offset"] == 3
    await house.parts.take(upload, 2, Held(b"def"), offset=3)
    assert len(await house.stored("p/")) == 2


async def test_what_is_not_taken_leaves_nothing(house):
    upload = await house.begin()
    with pytest.raises(EmptyBody):
        await house.parts.take(upload, 1, Held(b""))
    await house.sessions.abort(upload.id, Transfer.PARTS)
    await house.catalog.forget_uploads([await house.catalog.get_upload(upload.id)])
    with pytest.raises(NotFound):
        await house.parts.take(upload, 1, Held(b"x"))
    assert await house.stored("p/") == []


@pytest.mark.parametrize(("fault", "left"), [(StorageFull, 0), (StoreUnavailable, 1)])
async def test_bytes_stay_where_their_record_may_be(house, monkeypatch, fault, left):
    async def fail(*_):
        raise fault("The catalog does not answer.")

    upload = await house.begin()
    monkeypatch.setattr(house.catalog, "put_part", fail)
    with pytest.raises(fault):
        await house.parts.take(upload, 1, Held(b"x"))
    assert len(await house.stored("p/")) == left


@pytest.mark.parametrize("size", [3, 700_000])
async def test_parts_read_as_a_whole_are_the_whole(house, size):
    bodies = [bytes([number]) * size for number in range(3)]
    whole = b"".join(bodies)
    upload = await house.begin()
    await house.send(upload, *bodies)

    def parts():
        return parts_of(house.catalog, upload.id, len(bodies))

    assert b"".join([chunk async for chunk in stream(house.blobs, parts())]) == whole
    assert await digest(house.blobs, parts()) == hashlib.sha256(whole).digest()
    async with joined(house.blobs, parts(), len(whole), house.folder) as body:
        assert (body.bytes, body.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
        assert body.file().read() == whole
        assert body.file().read() == whole
    assert not house.folder.exists() or list(house.folder.iterdir()) == []


async def test_only_so_many_parts_are_read_as_were_fixed(house):
    upload = await house.begin()
    await house.send(upload, b"1", b"2", b"3")
    chunks = [chunk async for chunk in stream(house.blobs, parts_of(house.catalog, upload.id, 2))]
    assert b"".join(chunks) == b"12"


@pytest.mark.parametrize("chunks", [[b"abc"], [b"x" * 900_000] * 3])
async def test_a_spool_feeds_other_hashers_too(tmp_path, chunks):
    spool = Spools(tmp_path, 1 << 30).new()
    md5 = hashlib.md5(usedforsecurity=False)
    spool.feed(md5)
    for chunk in chunks:
        await spool.write(chunk)
    await spool.seal()
    spool.close()
    assert md5.digest() == hashlib.md5(b"".join(chunks), usedforsecurity=False).digest()
