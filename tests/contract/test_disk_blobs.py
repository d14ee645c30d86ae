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


async def test_files_are_private(disk, tmp_path):
    await disk.put("o/ab/abc", b"x", digest(b"x"))
    assert (tmp_path / "blobs/o/ab/abc").stat().st_mode & 0o777 == 0o600
