"""What only S3 can show: parts, presigned URLs, and a line to the store that breaks."""

import asyncio
import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx
import pytest

from filmroll.aws import client
from filmroll.blobs.s3 import open_s3
from filmroll.blobs.s3_bucket import lifecycle_rules, prepare_bucket
from filmroll.errors import (
    StorageFull,
    StoreUnavailable,
)
from filmroll.model import new_id
from tests.contract.conftest import s3_place

MIB = 1 << 20
KEY = "o/ab/abc"
BOUND_SECONDS = 15  # in which a store that is away is said to be so


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
async def place(seaweedfs):
    return await s3_place(seaweedfs.endpoint)


@pytest.fixture
async def s3(place, tmp_path):
    async with open_s3(place, tmp_path / "opened") as store:
        yield store


@pytest.fixture
async def requests(place):
    async with client(place) as made:
        yield made


@pytest.fixture
async def web():
    async with httpx.AsyncClient(verify=False) as made:
        yield made


# --- large objects


def file_of(path: Path, size: int) -> str:
    """Write a file of random bytes; return its digest."""
    hasher = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(size // MIB):
            block = os.urandom(MIB)
            hasher.update(block)
            file.write(block)
    return hasher.hexdigest()


async def test_a_large_path_goes_in_parts(s3, requests, place, tmp_path):
    path = tmp_path / "large"
    sha256 = file_of(path, 40 * MIB)
    await s3.put(KEY, path, sha256)
    assert not path.exists()
    with await s3.open(KEY) as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == sha256
    kept = await requests.head_object(Bucket=place.name, Key=f"{place.path}/{KEY}")
    assert kept["ETag"].endswith('-5"')  # so many parts


async def test_each_request_carries_a_checksum(s3, requests, place):
    await s3.put(KEY, b"body", digest(b"body"))
    kept = await requests.head_object(
        Bucket=place.name, Key=f"{place.path}/{KEY}", ChecksumMode="ENABLED"
    )
    assert kept["ChecksumSHA256"] == "Iw2DWNyOiJC0xY3utikS7i8gNXrpKlzIYbmOaP4xrLU="


async def test_memory_does_not_grow_with_the_object(s3, tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(256 * MIB)
    before = peak_memory()
    await s3.put(KEY, path, "believed")
    with await s3.open(KEY) as file:
        assert os.fstat(file.fileno()).st_size == 256 * MIB
    assert peak_memory(reset=False) - before < 128 * MIB


def peak_memory(*, reset: bool = True) -> int:
    """Return the most bytes this process has held; with ``reset`` count anew from now on."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


async def test_what_is_opened_leaves_nothing_in_the_folder(s3, tmp_path):
    await s3.put(KEY, b"body", digest(b"body"))
    with await s3.open(KEY) as file:
        assert list((tmp_path / "opened").iterdir()) == []
        assert file.read() == b"body"


async def test_a_refused_path_is_removed(s3, tmp_path):
    path = tmp_path / "gone"
    with pytest.raises(StoreUnavailable):
        await s3.put(KEY, path, digest(b""))
    assert await s3.read(KEY) is None


async def test_a_put_that_was_called_off_cannot_overtake_what_follows(s3, tmp_path):
    path = tmp_path / "large"
    put = asyncio.create_task(s3.put(KEY, path, file_of(path, 24 * MIB)))
    await asyncio.sleep(0.02)
    put.cancel()
    await s3.delete([KEY])
    assert await s3.read(KEY) is None
    assert not path.exists()


async def test_closing_waits_for_what_was_called_off(place, tmp_path):
    async with open_s3(place, tmp_path) as store:
        put = asyncio.create_task(store.put(KEY, b"body", digest(b"body")))
        await asyncio.sleep(0)
        put.cancel()
    with pytest.raises(StoreUnavailable):
        await store.put(KEY, b"late", digest(b"late"))
    async with open_s3(place, tmp_path) as store:
        assert await store.read(KEY) == b"body"


async def test_prefixes_do_not_see_each_other(s3, place, tmp_path):
    await s3.put(KEY, b"mine", digest(b"mine"))
    for path in (new_id(), place.path[:-1], f"{place.path}/o"):
        async with open_s3(replace(place, path=path), tmp_path) as other:
            assert await other.read(KEY) is None
            assert await other.direct_object(KEY) is None
    async with open_s3(replace(place, path=f"{place.path}/o"), tmp_path) as inner:
        assert [info.key async for info in inner.list("")] == ["ab/abc"]


async def test_a_listing_goes_on_after_a_page(s3):
    names = {f"o/ab/{number:04}" for number in range(1100)}
    await asyncio.gather(*(s3.put(name, b"x", digest(b"x")) for name in names))
    assert {info.key async for info in s3.list("o/ab/")} == names
    await s3.delete(sorted(names))
    assert [info.key async for info in s3.list("")] == []
    assert not s3._order._last  # what has ended is forgotten


# --- uploads that go to the store directly


async def send(web, put, body, **headers):
    answer = await web.put(put.url, content=body, headers={**put.headers, **headers})
    return answer.status_code


async def test_a_signed_url_takes_one_object_of_the_announced_size(s3, web):
    put = await s3.direct_put(KEY, 9, 60)
    assert await s3.direct_object(KEY) is None
    assert await send(web, put, b"announced and more", **{"Content-Length": "18"}) in {400, 403}
    assert await send(web, put, b"short", **{"Content-Length": "5"}) in {400, 403}
    answer = await web.put(put.url, content=b"announced", headers=put.headers)
    assert answer.status_code == 200
    found = await s3.direct_object(KEY)
    assert (found.bytes, f'"{found.etag}"') == (9, answer.headers["ETag"])
    assert await send(web, put, b"disguised") == 412
    assert await s3.read(KEY) == b"announced"


async def test_no_pinned_header_can_be_left_out(s3, web):
    put = await s3.direct_put(KEY, 9, 60)
    bare = {"Content-Length": "9"}
    assert (await web.put(put.url, content=b"announced", headers=bare)).status_code == 403
    assert await s3.direct_object(KEY) is None


async def test_a_signed_url_expires(s3, web):
    put = await s3.direct_put(KEY, 4, 1)
    await asyncio.sleep(2.1)
    assert await send(web, put, b"body") == 403
    assert await s3.direct_object(KEY) is None


# --- the bucket


async def test_a_bucket_is_prepared_again_and_again(requests, place):
    bucket = replace(place, name=new_id(), path="")
    for _ in range(2):
        assert await prepare_bucket(requests, bucket)
    kept = await requests.get_bucket_lifecycle_configuration(Bucket=bucket.name)
    assert kept["Rules"] == list(lifecycle_rules())


async def test_the_rules_of_others_stay(requests, place):
    bucket = replace(place, name=new_id())
    await requests.create_bucket(Bucket=bucket.name)
    other = {"ID": "mine", "Status": "Enabled", "Filter": {"Prefix": "x/"}}
    other["Expiration"] = {"Days": 7}
    await requests.put_bucket_lifecycle_configuration(
        Bucket=bucket.name, LifecycleConfiguration={"Rules": [other]}
    )
    for _ in range(2):
        assert await prepare_bucket(requests, bucket)
    kept = await requests.get_bucket_lifecycle_configuration(Bucket=bucket.name)
    assert kept["Rules"] == [other, *lifecycle_rules(bucket.path)]


async def test_a_bucket_that_is_not_there_is_no_empty_one(place, tmp_path):
    async with open_s3(replace(place, name=new_id()), tmp_path) as store:
        with pytest.raises(StoreUnavailable):
            await store.read(KEY)


# --- faults of the line

Fault = Callable[[bytes], bytes]  # makes of the store's answer what gets through


def lost(_: bytes) -> bytes:
    return b""


def cut(answer: bytes) -> bytes:
    return answer[: len(answer) * 2 // 3]


def refusal(status: str, code: str) -> Fault:
    """Return what answers in place of the store."""
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close"
    return lambda _: f"{head}\r\n\r\n{body}".encode()


busy = refusal("503 Slow Down", "SlowDown")
full = refusal("507 Insufficient Storage", "StorageFull")
not_offered = refusal("501 Not Implemented", "NotImplemented")


class Line:
    """Passes requests on to a store, each on a connection of its own, and spoils some answers."""

    def __init__(self, endpoint: str) -> None:
        self._port = urlsplit(endpoint).port
        self._faults: list[tuple[bytes, Fault]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut_off()

    async def cut_off(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    def spoil(self, method: bytes, fault: Fault, times: int = 1) -> None:
        self._faults += [(method, fault)] * times

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        method = head.partition(b" ")[0]
        fault = self._next_fault(method)
        answer = b""
        if fault in {None, lost, cut}:
            answer = await self._ask(head[:-2] + b"Connection: close\r\n\r\n" + body)
        if fault is not None:
            answer = fault(answer)
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    def _next_fault(self, method: bytes) -> Fault | None:
        """Take the next fault of a method: of two requests at once, each its own."""
        for one in self._faults:
            if one[0] == method:
                self._faults.remove(one)
                return one[1]
        return None

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


@pytest.fixture
async def line(seaweedfs):
    async with Line(seaweedfs.endpoint) as made:
        yield made


@pytest.fixture
async def far(line, place, tmp_path):
    """The store behind the line."""
    async with open_s3(replace(place, endpoint=line.endpoint), tmp_path / "far") as store:
        yield store


@pytest.mark.parametrize("size", [50_000, 9 * MIB])
async def test_a_download_that_breaks_off_is_made_good(far, line, size):
    body = os.urandom(size)
    await far.put(KEY, body, digest(body))
    line.spoil(b"GET", cut)
    assert await far.read(KEY) == body
    line.spoil(b"GET", cut, times=2)
    with await far.open(KEY) as file:
        assert file.read() == body


async def test_a_download_that_always_breaks_off_is_given_up(far, line):
    await far.put(KEY, b"x" * 50_000, digest(b"x" * 50_000))
    line.spoil(b"GET", cut, times=1000)
    async with asyncio.timeout(3 * BOUND_SECONDS):
        outcomes = await asyncio.gather(far.read(KEY), far.open(KEY), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 2


async def test_a_busy_store_is_asked_again(far, line, tmp_path):
    path = tmp_path / "large"
    sha256 = file_of(path, 17 * MIB)
    for method in (b"PUT", b"POST", b"GET", b"HEAD"):
        line.spoil(method, busy, times=3)
    await far.put("o/ab/small", b"body", digest(b"body"))
    await far.put(KEY, path, sha256)
    assert digest(await far.read(KEY)) == sha256
    await far.delete(["o/ab/small"], older_than=time.time() + 60)
    assert [info.key async for info in far.list("")] == [KEY]


async def test_a_put_whose_answer_is_lost_is_harmless(far, line, tmp_path):
    path = tmp_path / "large"
    sha256 = file_of(path, 17 * MIB)
    line.spoil(b"PUT", lost)
    await far.put("o/ab/small", b"body", digest(b"body"))
    for method in (b"PUT", b"POST", b"POST"):  # of a part, of the beginning, of the completion
        line.spoil(method, lost)
    await far.put(KEY, path, sha256)
    assert await far.read("o/ab/small") == b"body"
    assert digest(await far.read(KEY)) == sha256


async def test_a_full_store_is_told_from_one_that_is_away(far, line, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"body")
    line.spoil(b"PUT", full, times=100)
    with pytest.raises(StorageFull):
        await far.put(KEY, path, digest(b"body"))
    assert not path.exists()
    assert await far.read(KEY) is None


async def test_a_store_without_lifecycle_rules_is_told(line, place):
    behind = replace(place, endpoint=line.endpoint)
    async with client(behind) as requests:
        line.spoil(b"GET", not_offered, times=10)
        assert not await prepare_bucket(requests, behind)


async def collect(listing):
    return [info async for info in listing]


async def test_a_store_that_is_away_is_said_to_be_so_in_bounded_time(far, line, tmp_path):
    await far.put(KEY, b"body", digest(b"body"))
    path = tmp_path / "body"
    path.write_bytes(bytes(17 * MIB))
    await line.cut_off()
    async with asyncio.timeout(BOUND_SECONDS):
        outcomes = await asyncio.gather(
            far.put("o/ab/1", b"body", digest(b"body")),
            far.put("o/ab/2", path, digest(b"")),
            far.read(KEY),
            far.open(KEY),
            far.direct_object(KEY),
            far.delete([KEY]),
            far.delete([KEY], older_than=time.time()),
            far.check(),
            collect(far.list("")),
            return_exceptions=True,
        )
    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    assert not path.exists()
