"""What ports.BlobStore promises, of every adapter."""

import asyncio
import hashlib
import os
import time

import pytest

from filmroll.errors import DigestMismatch
from filmroll.ports import Blob

MIB = 1 << 20


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def blob(key: str, body: bytes) -> Blob:
    return Blob(key=key, body=body, sha256=digest(body))


async def keys(blobs, prefix=""):
    return sorted([info.key async for info in blobs.list(prefix)])


@pytest.mark.parametrize("size", [0, 1, 4096, MIB, 3 * MIB + 1])
async def test_what_was_put_is_read(blobs, size):
    body = os.urandom(size)
    await blobs.put("o/ab/abc", body, digest(body))
    assert await blobs.read("o/ab/abc") == body


async def test_a_path_is_taken_over(blobs, tmp_path):
    path, body = tmp_path / "upload", os.urandom(2 * MIB)
    path.write_bytes(body)
    await blobs.put("o/ab/abc", path, digest(body))
    assert await blobs.read("o/ab/abc") == body
    assert not path.exists()


async def test_a_path_on_another_file_system_is_taken_over(blobs, shm_path):
    path, body = shm_path / "upload", os.urandom(70_000)
    path.write_bytes(body)
    await blobs.put("o/ab/abc", path, digest(body))
    assert await blobs.read("o/ab/abc") == body
    assert not path.exists()


async def test_what_is_not_there_is_none(blobs):
    await blobs.put("o/ab/abc", b"x", digest(b"x"))
    for key in ("o/ab/abd", "o/ab", "o", "o/ab/abc/deeper"):
        assert await blobs.read(key) is None
        assert await blobs.open(key) is None


async def test_an_object_is_replaced_whole(blobs):
    for body in (b"a long body" * 1000, b"short"):
        await blobs.put("v/ab/abc/r", body, digest(body))
    assert await blobs.read("v/ab/abc/r") == b"short"
    assert await keys(blobs) == ["v/ab/abc/r"]


async def test_readers_see_all_of_an_object_or_nothing(blobs):
    bodies = [bytes([number]) * 50_000 for number in range(30)]
    seen: set[bytes | None] = set()

    async def read() -> None:
        while len(seen - {None}) < 2:
            seen.add(await blobs.read("v/ab/abc/r"))
            await asyncio.sleep(0)

    reader = asyncio.create_task(read())
    for body in bodies:
        await blobs.put("v/ab/abc/r", body, digest(body))
        await asyncio.sleep(0)
    await reader
    assert seen <= {None, *bodies}


@pytest.mark.parametrize("size", [10, 2 * MIB])
async def test_wrong_bytes_are_refused_and_leave_nothing(blobs, size):
    with pytest.raises(DigestMismatch):
        await blobs.put("o/ab/abc", b"x" * size, digest(b"y"))
    assert await blobs.read("o/ab/abc") is None
    assert await keys(blobs) == []


async def test_refused_bytes_leave_the_older_object(blobs):
    await blobs.put("o/ab/abc", b"old", digest(b"old"))
    with pytest.raises(DigestMismatch):
        await blobs.put("o/ab/abc", b"new", digest(b"other"))
    assert await blobs.read("o/ab/abc") == b"old"


async def test_an_open_object_is_a_real_file(blobs):
    await blobs.put("o/ab/abc", b"0123456789", digest(b"0123456789"))
    with await blobs.open("o/ab/abc") as file:
        assert os.pread(file.fileno(), 3, 4) == b"456"
        file.seek(8)
        assert file.read() == b"89"


async def test_an_open_object_outlives_its_deletion(blobs):
    await blobs.put("o/ab/abc", b"still here", digest(b"still here"))
    with await blobs.open("o/ab/abc") as file:
        await blobs.delete(["o/ab/abc"])
        assert file.read() == b"still here"
    assert await blobs.open("o/ab/abc") is None


async def test_delete_removes_what_it_names_and_nothing_else(blobs):
    names = [f"v/ab/abc/{number}" for number in range(5)] + ["v/ab/abd/0", "o/ab/abc"]
    for name in names:
        await blobs.put(name, b"x", digest(b"x"))
    await blobs.delete(["v/ab/abc/1", "v/ab/abc/3", "v/zz/none/0"])
    await blobs.delete(["v/ab/abc/1"])
    await blobs.delete([])
    assert await keys(blobs) == sorted(set(names) - {"v/ab/abc/1", "v/ab/abc/3"})


async def test_delete_may_spare_what_is_fresh(blobs):
    await blobs.put("o/ab/abc", b"x", digest(b"x"))
    await blobs.delete(["o/ab/abc", "o/ab/none"], older_than=time.time() - 60)
    assert await keys(blobs) == ["o/ab/abc"]
    await blobs.delete(["o/ab/abc"], older_than=time.time() + 60)
    assert await keys(blobs) == []


async def test_a_listing_is_by_prefix(blobs):
    for name in ("o/ab/abc", "o/ab/abd", "o/xy/xyz", "v/ab/abc/1", "v/ab/abc/2", "v/ab/abcd/1"):
        await blobs.put(name, b"four", digest(b"four"))
    assert await keys(blobs, "o/") == ["o/ab/abc", "o/ab/abd", "o/xy/xyz"]
    assert await keys(blobs, "o/ab/ab") == ["o/ab/abc", "o/ab/abd"]
    assert await keys(blobs, "v/ab/abc/") == ["v/ab/abc/1", "v/ab/abc/2"]
    assert await keys(blobs, "v/ab/abc") == ["v/ab/abc/1", "v/ab/abc/2", "v/ab/abcd/1"]
    assert await keys(blobs, "x") == await keys(blobs, "o/none/") == []
    assert len(await keys(blobs)) == 6


async def test_a_listing_knows_sizes_and_times(blobs):
    await blobs.put("o/ab/abc", b"12345", digest(b"12345"))
    (info,) = [info async for info in blobs.list("o/")]
    assert info.bytes == 5
    assert info.modified_at == pytest.approx(time.time(), abs=5)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../x",
        "o/../x",
        "o//x",
        "o/.x",
        ".incoming/x",
        "o/x/",
        "o/\0",
        "o/ä",
        "a\n",
    ],
)
async def test_a_key_out_of_form_is_refused(blobs, key):
    for refused in (blobs.put(key, b"", digest(b"")), blobs.read(key), blobs.open(key)):
        with pytest.raises(ValueError, match="not a key"):
            await refused
    with pytest.raises(ValueError, match="not a key"):
        await blobs.delete([key])


async def test_many_puts_at_once_are_all_kept(blobs):
    bodies = {f"o/{number % 7:02}/{number}": os.urandom(500 + number) for number in range(200)}
    wrong = {f"o/00/wrong{number}" for number in range(20)}
    outcomes = await asyncio.gather(
        *(blobs.put(key, body, digest(body)) for key, body in bodies.items()),
        *(blobs.put(key, b"x", digest(b"y")) for key in wrong),
        return_exceptions=True,
    )
    assert outcomes[:200] == [None] * 200
    assert {type(outcome) for outcome in outcomes[200:]} == {DigestMismatch}
    assert {key: await blobs.read(key) for key in await keys(blobs)} == bodies


async def test_several_are_put_together(blobs):
    bodies = {f"o/{number % 7:02}/{number}": os.urandom(number * 40) for number in range(100)}
    await blobs.put_all([blob(key, body) for key, body in bodies.items()])
    assert {key: await blobs.read(key) for key in await keys(blobs)} == bodies
    await blobs.put_all([])


async def test_a_key_that_is_put_twice_together_holds_one_of_the_bodies_whole(blobs):
    bodies = [bytes([number]) * 5000 for number in range(10)]
    await blobs.put_all([blob("o/ab/abc", body) for body in bodies])
    assert await blobs.read("o/ab/abc") in bodies
    assert await keys(blobs) == ["o/ab/abc"]


async def test_groups_on_the_same_keys_leave_whole_objects(blobs):
    names = [f"o/ab/{number}" for number in range(8)]
    groups = [[blob(name, bytes([n]) * 4000) for name in names] for n in range(12)]
    await asyncio.gather(*(blobs.put_all(group) for group in groups))
    assert await keys(blobs) == names
    for name in names:
        body = await blobs.read(name)
        assert len(body) == 4000
        assert len(set(body)) == 1


async def test_wrong_bytes_among_several_are_refused(blobs):
    wrong = Blob(key="o/ab/wrong", body=b"x", sha256=digest(b"y"))
    others = [blob(f"o/ab/{number}", b"fine") for number in range(5)]
    with pytest.raises(DigestMismatch):
        await blobs.put_all([*others, wrong])
    assert "o/ab/wrong" not in await keys(blobs)
    with pytest.raises(ValueError, match="not a key"):
        await blobs.put_all([blob("../x", b"x")])


async def test_writes_on_one_key_happen_in_order(blobs):
    await asyncio.gather(
        *(blobs.put("o/ab/abc", bytes([n]), digest(bytes([n]))) for n in range(40)),
        blobs.delete(["o/ab/abc"]),
        blobs.put("o/ab/abc", b"last", digest(b"last")),
    )
    assert await blobs.read("o/ab/abc") == b"last"


async def test_a_cancelled_put_harms_nobody(blobs):
    async def put(number: int) -> None:
        body = bytes([number]) * (2 * MIB if number % 2 else 100)
        await blobs.put(f"o/ab/{number}", body, digest(body))

    tasks = [asyncio.create_task(put(number)) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[:10]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for number in range(10, 20):
        assert (await blobs.read(f"o/ab/{number}"))[:1] == bytes([number])


async def test_a_check_leaves_nothing(blobs):
    await blobs.check()
    assert await keys(blobs) == []
