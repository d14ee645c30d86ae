"""What a completed upload becomes, also at a second attempt and beside other faults."""

import hashlib
import io
import tarfile

import pytest

from filmroll.errors import BrokenArchive, Conflict, StorageFull, UnsupportedMedia
from filmroll.model import BatchState, ImageState, LineState, OnDuplicate, Purpose, original_key
from filmroll.usecases.images import Annotations
from filmroll.usecases.uploads.completion import own_batch
from tests.samples import jpeg, tiny_jpeg

BODY = jpeg(300, 200)


def tar(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def halves(body: bytes) -> tuple[bytes, bytes]:
    return body[: len(body) // 2], body[len(body) // 2 :]


async def opened(house):
    return await house.batches.create(
        name=None,
        variants=(),
        on_duplicate=OnDuplicate.NEW,
        expected_count=None,
        webhook=None,
        expires_in=1000,
    )


async def lines(house, batch):
    found = await house.catalog.list_lines(batch, None, 0, 100)
    return {line.ref: line.state for line in found}


async def test_parts_become_an_image(house):
    job = await house.completed(*halves(BODY), annotations=Annotations(name="one"))
    made = await house.making.run(job)
    image = await house.catalog.get_image(made.image)
    assert (image.name, image.state) == ("one", ImageState.READY)
    assert image.sha256 == hashlib.sha256(BODY).hexdigest()
    assert await house.blobs.read(original_key(image.id)) == BODY
    assert not list(house.folder.glob("*"))


async def test_a_second_attempt_makes_the_same_image(house):
    job = await house.completed(*halves(BODY))
    first = await house.making.run(job)
    again = await house.making.run(job)
    assert first.image == again.image
    assert len(await house.stored("o/")) == 1


async def test_large_parts_are_joined_in_a_file_that_becomes_the_image(house):
    noise = jpeg(1400, 1000, Q=99)
    assert len(noise) > 1 << 20
    made = await house.making.run(await house.completed(*halves(noise)))
    assert await house.blobs.read(original_key(made.image)) == noise
    assert list(house.folder.iterdir()) == []


async def test_nothing_is_made_of_an_upload_that_was_ended(house):
    job = await house.completed(BODY)
    await house.catalog.cancel_job(job.id, 1.0)
    assert (await house.making.run(job)).image == ""
    assert await house.stored("o/") == []


async def test_parts_that_are_gone_are_told_of(house):
    job = await house.completed(BODY)
    await house.blobs.delete(await house.stored("p/"))
    with pytest.raises(Conflict):
        await house.making.run(job)


async def test_an_archive_becomes_a_batch_that_is_sealed(house):
    whole = tar(**{"a.jpg": tiny_jpeg(1), "b.jpg": tiny_jpeg(2), "../c.jpg": tiny_jpeg(3)})
    job = await house.completed(*halves(whole), purpose=Purpose.ARCHIVE)
    await house.making.run(job)
    batch = await house.catalog.get_batch(own_batch(job.id))
    assert batch.state is BatchState.COMPLETED_WITH_ERRORS
    assert await lines(house, batch.id) == {
        "a.jpg": LineState.SUCCEEDED,
        "b.jpg": LineState.SUCCEEDED,
        "../c.jpg": LineState.FAILED,
    }


async def test_an_archive_is_taken_once_however_often_it_is_read(house):
    whole = tar(**{f"{number}.jpg": tiny_jpeg(number) for number in range(20)})
    batch = await opened(house)
    job = await house.completed(whole, purpose=Purpose.ARCHIVE, batch=batch.id)
    for _ in range(2):
        await house.making.run(job)
    found = await house.catalog.get_batch(batch.id)
    assert (found.state, found.counts.declared, found.counts.stored) == (BatchState.OPEN, 20, 20)


async def test_an_attempt_after_the_batch_was_sealed_changes_nothing(house):
    job = await house.completed(tar(**{"a.jpg": tiny_jpeg(1)}), purpose=Purpose.ARCHIVE)
    await house.making.run(job)
    before = await house.catalog.get_batch(own_batch(job.id))
    await house.making.run(job)
    assert await house.catalog.get_batch(before.id) == before


async def test_a_batch_that_closes_meanwhile_is_told_of(house):
    batch = await opened(house)
    whole = tar(**{"a.jpg": tiny_jpeg(1)})
    job = await house.completed(whole, purpose=Purpose.ARCHIVE, batch=batch.id)
    await house.batches.seal(batch.id, None)
    with pytest.raises(Conflict):
        await house.making.run(job)


async def test_a_full_disk_is_another_attempts_business(house, monkeypatch):
    async def full(*_):
        raise StorageFull("There is no room.")

    whole = tar(**{"a.jpg": tiny_jpeg(1)})
    job = await house.completed(whole, purpose=Purpose.ARCHIVE)
    with monkeypatch.context() as patched:
        patched.setattr(house.blobs, "put_all", full)
        with pytest.raises(StorageFull):
            await house.making.run(job)
    assert (await house.catalog.get_batch(own_batch(job.id))).state is BatchState.OPEN
    await house.making.run(job)
    assert (await house.catalog.get_batch(own_batch(job.id))).state is BatchState.COMPLETED


@pytest.mark.parametrize(
    ("whole", "fault"),
    [(tar(**{"a.jpg": tiny_jpeg(1)})[:5000], BrokenArchive), (b"none", UnsupportedMedia)],
)
async def test_a_broken_archive_leaves_a_line_that_says_so(house, whole, fault):
    job = await house.completed(whole, purpose=Purpose.ARCHIVE)
    with pytest.raises(fault):
        await house.making.run(job)
    batch = await house.catalog.get_batch(own_batch(job.id))
    assert batch.state is BatchState.COMPLETED_WITH_ERRORS
    assert (await lines(house, batch.id))[job.id] is LineState.FAILED


async def test_a_member_whose_name_can_be_no_ref_is_told_of_too(house):
    whole = tar(**{"../" + "x" * 2000: tiny_jpeg(1)})
    job = await house.completed(whole, purpose=Purpose.ARCHIVE)
    await house.making.run(job)
    batch = await house.catalog.get_batch(own_batch(job.id))
    assert batch.counts.failed == 1
