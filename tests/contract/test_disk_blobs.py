"""What only a folder can show: several stores on it, and what crashes leave there."""

import asyncio
import hashlib
import os
import time

import pytest

from filmroll.blobs.disk import DiskBlobs
from filmroll.errors import StoreUnavailable
from tests.contract.children import run_children


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
async def disk(tmp_path):
    store = DiskBlobs(tmp_path / "blobs")
    yield store
    await store.close()


async def test_two_stores_share_a_folder(disk, tmp_path):
    other = DiskBlobs(tmp_path / "blobs")
    await asyncio.gather(
        *(
            store.put(f"o/ab/{n}", bytes([n]), digest(bytes([n])))
            for n in range(50)
            for store in (disk, other)
        )
    )
    await other.delete(["o/ab/0"])
    assert await disk.read("o/ab/0") is None
    assert [await other.read(f"o/ab/{n}") for n in range(1, 50)] == [
        bytes([n]) for n in range(1, 50)
    ]
    await other.close()


async def test_two_processes_write_to_a_folder_at_once(disk, tmp_path):
    acknowledged = await run_children("put_blobs", tmp_path / "blobs", count=2)
    assert len(acknowledged) == 200
    for key in acknowledged:
        body = await disk.read(key)
        assert digest(body) == key.rpartition("/")[2]
    assert len(files(tmp_path / "blobs")) == 200


async def test_only_stale_temporaries_are_removed_at_start(tmp_path):
    incoming = tmp_path / ".incoming"
    incoming.mkdir()
    for name, age in (("dead", 3700), ("alive", 3500)):
        (incoming / name).write_bytes(b"half")
        os.utime(incoming / name, (time.time() - age,) * 2)
    store = DiskBlobs(tmp_path)
    assert files(tmp_path) == [".incoming/alive"]
    assert [info async for info in store.list("")] == []
    await store.close()


async def test_no_put_leaves_a_temporary(disk, tmp_path):
    big = bytes(2 << 20)
    outcomes = await asyncio.gather(
        disk.put("o/ab/1", b"x", digest(b"x")),
        disk.put("o/ab/2", big, digest(big)),
        disk.put("o/ab/3", big, digest(b"x")),
        return_exceptions=True,
    )
    assert outcomes[:2] == [None, None]
    assert files(tmp_path / "blobs") == ["o/ab/1", "o/ab/2"]


async def test_a_cancelled_put_of_a_path_leaves_no_temporary(disk, tmp_path):
    path, body = tmp_path / "upload", bytes(4 << 20)
    path.write_bytes(body)
    task = asyncio.create_task(disk.put("o/ab/1", path, digest(body)))
    await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        while files(tmp_path) != ["blobs/o/ab/1"]:  # noqa: ASYNC110 - no event tells when a thread ends
            await asyncio.sleep(0.01)


async def test_a_closed_store_refuses(tmp_path):
    store = DiskBlobs(tmp_path)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.put("o/ab/abc", b"x", digest(b"x"))


def folders(root):
    found = (path for path in root.rglob("*") if path.is_dir() and path.name[0] != ".")
    return sorted(str(path.relative_to(root)) for path in found)


async def test_the_folder_of_an_images_variants_goes_with_the_last_of_them(disk, tmp_path):
    for key in ("v/ab/abc/1", "v/ab/abc/2", "o/ab/abc"):
        await disk.put(key, b"x", digest(b"x"))
    await disk.delete(["v/ab/abc/1"])
    assert folders(tmp_path / "blobs") == ["o", "o/ab", "v", "v/ab", "v/ab/abc"]
    await disk.delete(["v/ab/abc/2", "o/ab/abc"])
    assert folders(tmp_path / "blobs") == ["o", "o/ab", "v", "v/ab"]
    await disk.put("v/ab/abc/1", b"again", digest(b"again"))
    assert await disk.read("v/ab/abc/1") == b"again"


async def test_a_folder_that_is_made_again_is_made_durable_again(disk, tmp_path, monkeypatch):
    key, made = "v/ab/abc/1", str(tmp_path / "blobs/v/ab/abc")
    await disk.put(key, b"x", digest(b"x"))
    other = DiskBlobs(tmp_path / "blobs")
    await other.delete([key])  # a process of which the first one knows nothing
    await other.close()
    synced = []
    monkeypatch.setattr("filmroll.blobs.disk.sync_path", synced.append)
    await disk.put(key, b"x", digest(b"x"))
    assert synced[1:] == [made, str(tmp_path / "blobs/v/ab")]


async def test_puts_and_deletes_of_two_stores_in_one_folder_lose_nothing(disk, tmp_path):
    other = DiskBlobs(tmp_path / "blobs")

    async def come_and_go():
        for number in range(200):
            key = f"v/ab/abc/passing{number}"
            await other.put(key, b"x", digest(b"x"), lasting=False)
            await other.delete([key])

    async def come_and_stay():
        for number in range(200):
            key = f"v/ab/abc/{number}"
            await disk.put(key, b"x", digest(b"x"), lasting=number % 2 == 0)
            assert await disk.read(key) == b"x"
            await disk.delete([key])

    await asyncio.gather(come_and_go(), come_and_stay())
    assert files(tmp_path / "blobs") == []
    await other.close()


async def test_files_are_private(disk, tmp_path):
    await disk.put("o/ab/abc", b"x", digest(b"x"))
    assert (tmp_path / "blobs/o/ab/abc").stat().st_mode & 0o777 == 0o600
