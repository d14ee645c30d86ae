"""Disks that fail, are full or read-only: no acknowledgement, and nothing left behind."""

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from filmroll.blobs.disk import DiskBlobs
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.errors import StorageFull, StoreUnavailable
from tests.contract.records import image
from tests.faults.power_cut import ROOT, strace

REFUSED = "StoreUnavailable"


def written(store: str, folder: Path, fault: str, *sizes: int) -> list[list[str]]:
    """Write groups of these sizes while a system call fails; return the outcomes by group."""
    call = fault.partition(":")[0]
    command = [sys.executable, "-B", "-m", "tests.faults.faulty_writer", store, str(folder)]
    inject = strace("-q", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={fault}")
    ended = subprocess.run(
        [*inject, *command, *map(str, sizes)],
        check=True,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    return [line.split() for line in ended.stdout.splitlines()]


def temporaries(folder: Path) -> list[Path]:
    return list((folder / ".incoming").iterdir())


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


# ------------------------------------------------------------------------- a call that fails


@pytest.fixture
def folder(tmp_path):
    """A folder that is in use already, so that the store syncs nothing at its start."""
    written("blobs", tmp_path / "used", "fsync:error=EIO:when=999", 1)
    written("catalog", tmp_path / "used", "fdatasync:error=EIO:when=999", 1)
    return tmp_path / "used"


# Only the one call fails: all that came after it would have worked, were it tried.
@pytest.mark.parametrize(
    ("fault", "size"),
    [
        ("fsync:error=EIO:when=1", 1),  # of the file
        ("fsync:error=EIO:when=2", 1),  # of its folder
        ("fsync:error=ENOSPC:when=1", 1),
        ("syncfs:error=EIO:when=1", 9),  # of the files of a group
        ("syncfs:error=EIO:when=2", 9),  # of their folders
    ],
)
def test_after_a_failed_sync_nothing_is_acknowledged_any_more(folder, fault, size):
    # The first write of a gathering is alone in its group, so the group comes after it.
    first, second, _ = written("blobs", folder, fault, size, 3)
    assert set(first[1:] or first) == {REFUSED}
    assert second == [REFUSED] * 3
    assert temporaries(folder) == []


def test_reads_go_on_after_a_failed_sync(folder):
    *_, read = written("blobs", folder, "fsync:error=EIO:when=1", 1, 3)
    assert read == ["0"]  # it was there before


def test_a_failed_rename_is_the_fault_of_one_object(folder):
    first, second, read = written("blobs", folder, "rename:error=EIO:when=3", 9, 9)
    assert sorted(first) == [REFUSED] + ["kept"] * 8
    assert second == ["kept"] * 9
    assert len(read) >= 17
    assert temporaries(folder) == []


def test_after_a_failed_sync_the_catalog_acknowledges_nothing_any_more(folder):
    first, second, third, read = written("catalog", folder, "fdatasync:error=EIO:when=1", 1, 3, 2)
    assert first == ["kept"]  # it was there before: nothing to write
    assert second + third == [REFUSED] * 5
    assert read == ["0"]


# ----------------------------------------------------------------------------- a full disk


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    if mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)) != 0:
        pytest.skip("NOT PROVEN: a full disk needs root, to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mount(*args: str) -> int:
    return subprocess.run(["mount", *args], check=False, stderr=subprocess.DEVNULL).returncode


async def test_a_full_disk_keeps_what_it_acknowledged_and_nothing_else(small_disk):
    store = DiskBlobs(small_disk)
    bodies = {f"o/{number % 5}/{number}": os.urandom(20_000) for number in range(100)}
    outcomes = await asyncio.gather(
        *(store.put(key, body, digest(body)) for key, body in bodies.items()),
        return_exceptions=True,
    )
    kept = [key for key, outcome in zip(bodies, outcomes, strict=True) if outcome is None]
    full = [outcome for outcome in outcomes if outcome is not None]
    assert {type(each) for each in full} == {StorageFull}
    assert 30 < len(kept) < 70
    assert temporaries(small_disk) == []
    assert {info.key async for info in store.list("o/")} == set(kept)

    with pytest.raises(StorageFull):
        await store.put("o/0/large", bytes(2 << 20), digest(bytes(2 << 20)))
    assert temporaries(small_disk) == []

    await store.delete(kept[:5])
    await store.put("o/0/again", bytes(20_000), digest(bytes(20_000)))
    assert [digest(await store.read(key)) for key in kept[5:]] == [
        digest(bodies[key]) for key in kept[5:]
    ]
    await store.close()


async def test_a_path_that_does_not_fit_is_refused_and_gone(small_disk, tmp_path):
    store = DiskBlobs(small_disk)
    path = tmp_path / "upload"
    path.write_bytes(bytes(2 << 20))
    with pytest.raises(StorageFull):
        await store.put("o/0/large", path, digest(bytes(2 << 20)))
    assert temporaries(small_disk) == []
    assert not path.exists()
    await store.check()
    await store.close()


async def test_a_catalog_on_a_full_disk_goes_on_when_there_is_room(small_disk):
    store = SqliteCatalog(small_disk / "catalog.db")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    added = []

    async def fill() -> None:
        while True:
            added.append(await store.add_image(image(name="x" * 10_000), None))

    with pytest.raises(StorageFull):
        await fill()
    ballast.unlink()
    added.append(await store.add_image(image(), None))
    assert len(added) > 10
    assert [await store.get_image(each.id) for each in added] == added
    await store.close()
    assert apsw.Connection(str(small_disk / "catalog.db")).pragma("integrity_check") == "ok"


# ------------------------------------------------------------------------- a read-only disk


async def test_a_disk_that_turns_read_only_is_read(small_disk):
    store = DiskBlobs(small_disk)
    await store.put("o/0/0", b"x", digest(b"x"))
    assert mount("-o", "remount,ro", str(small_disk)) == 0
    for refused in (store.put("o/0/1", b"y", digest(b"y")), store.delete(["o/0/0"]), store.check()):
        with pytest.raises(StoreUnavailable):
            await refused
    assert await store.read("o/0/0") == b"x"
    assert mount("-o", "remount,rw", str(small_disk)) == 0
    await store.put("o/0/1", b"y", digest(b"y"))
    await store.close()


async def test_a_read_only_disk_is_refused_at_start(small_disk):
    assert mount("-o", "remount,ro", str(small_disk)) == 0
    for build in (DiskBlobs, lambda folder: SqliteCatalog(folder / "catalog.db")):
        with pytest.raises(StoreUnavailable):
            build(small_disk)
