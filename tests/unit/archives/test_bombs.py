"""Archives made to cost: memory stays flat, and what unpacks without end is given up."""

import asyncio
import gzip
import tarfile
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from filmroll.archives import ArchiveLimits, Member, read_archive
from filmroll.errors import BrokenArchive
from tests.unit.archives.making import consume, entry, noise, pieces, tar, tar_of, zip_

try:
    from compression import zstd
except ImportError:
    from backports import zstd

MIB = 1024 * 1024
HUGE = ArchiveLimits(member_bytes=1 << 40)


def header(size: int) -> bytes:
    info = tarfile.TarInfo("huge.jpg")
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


async def zeros(count: int, *before: bytes) -> AsyncIterator[bytes]:
    """So many MiB of zeros behind what comes before, never in memory at a time."""
    for piece in before:
        yield piece
    for _ in range(count):
        yield bytes(MIB)


async def gzipped(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    async for piece in stream:
        yield packer.compress(piece)
    yield packer.flush()


async def zstandard(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zstd.ZstdCompressor()
    async for piece in stream:
        yield packer.compress(piece)
    yield packer.flush()


def peak(work: Callable[[], object]) -> int:
    """Bytes of memory that work took at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packing", [gzipped, zstandard])
@pytest.mark.parametrize("before", [(), (header(1 << 39),)], ids=["after the end", "in a member"])
def test_bombs(
    packing: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]], before: tuple[bytes, ...]
) -> None:
    async def work() -> None:
        async for item in read_archive(packing(zeros(300, *before)), HUGE):
            assert isinstance(item, Member)
            with suppress(BrokenArchive):
                async for chunk in item.chunks():
                    assert len(chunk) <= MIB

    def give_up() -> None:
        with pytest.raises(BrokenArchive, match="200 times"):
            asyncio.run(work())

    assert peak(give_up) < 8 * MIB


def extension(*records: bytes) -> bytes:
    """A pax header of these records."""
    info = tarfile.TarInfo("pax")
    info.type, data = b"x", b"".join(records)
    info.size = len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


@pytest.mark.parametrize(
    ("before", "fault"),
    [
        (extension(b"6 a=1\n" * 1001), "1000 records"),
        (extension(b"70000 path=" + b"x" * 69_988 + b"\n"), "extension of 70000 bytes"),
        (extension(b"6 a=1\n") * 9, "More than 8 headers"),
    ],
)
def test_what_extends_a_member_is_bounded(before: bytes, fault: str) -> None:
    found = asyncio.run(consume(pieces(before + tar({"a.jpg": b"1"}), 65_536)))
    assert isinstance(found.fault, BrokenArchive)
    assert fault in found.fault.detail


def test_what_extends_a_member_within_bounds_is_read() -> None:
    long = extension(b"60000 comment=" + b"x" * 59_985 + b"\n")
    data = extension(b"6 a=1\n" * 1000) * 7 + long + tar({"a.jpg": b"1"})
    found = asyncio.run(consume(pieces(data, 65_536)))
    assert (found.files, found.fault) == ([("a.jpg", b"1")], None)


async def longest_standstill(work: Awaitable[object]) -> float:
    """Seconds for which work kept everybody else from their turn, at most."""
    longest = 0.0
    task = asyncio.ensure_future(work)
    while not task.done():
        before = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - before)
    await task
    return longest


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_few_bytes_do_not_keep_others_waiting(pack: Callable[[bytes], bytes]) -> None:
    dense = extension(b"6 a=1\n" * 1000) + header(0)
    data = pack(dense * 2000 + bytes(1024))
    assert len(data) < 120_000
    assert asyncio.run(longest_standstill(consume(pieces(data, 65_536)))) < 0.2


def test_zip_of_bombs() -> None:
    limits = ArchiveLimits(member_bytes=8 * MIB)
    for one_way in False, True:
        data = zip_({f"{at}.jpg": bytes(8 * MIB) for at in range(5)}, one_way=one_way)
        found = asyncio.run(consume(pieces(data, 65_536), limits))
        assert len(found.files) == 2
        assert isinstance(found.fault, BrokenArchive)


def test_honest_things_that_pack_well_are_no_bombs() -> None:
    files = {f"{at}.jpg": bytes(500_000) for at in range(30)}
    for data in gzip.compress(tar(files)), zstd.compress(tar(files)), zip_(files):
        found = asyncio.run(consume(pieces(data, 65_536)))
        assert found.fault is None
        assert len(found.files) == 30


@pytest.mark.parametrize("level", [3, 22])
def test_zstd_may_look_back_eight_mib(level: int) -> None:
    data = zstd.compress(tar({"a.jpg": noise(9 * MIB)}), level)
    if level == 22:  # made like a stream, its size unknown, so that its window is the full one
        packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 24})
        data = packer.compress(tar({"a.jpg": noise(9 * MIB)})) + packer.flush()
    found = asyncio.run(consume(pieces(data, 65_536)))
    assert bool(found.fault) == (level == 22)
    assert found.fault is None or "--long" in found.fault.detail


def test_memory_is_flat_for_a_large_member() -> None:
    async def stream() -> AsyncIterator[bytes]:
        async for piece in zeros(64, header(64 * MIB)):
            yield piece
        yield bytes(1024)

    async def work() -> None:
        async for item in read_archive(stream(), HUGE):
            assert isinstance(item, Member)
            assert item.body is None
            assert sum([len(chunk) async for chunk in item.chunks()]) == 64 * MIB

    assert peak(lambda: asyncio.run(work())) < 8 * MIB


def test_memory_is_flat_for_many_members() -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield header(0) * 200
        yield bytes(1024)

    async def work() -> None:
        count = 0
        async for _ in read_archive(stream(), HUGE):
            count += 1
        assert count == 40_000

    assert peak(lambda: asyncio.run(work())) < 2 * MIB


@pytest.mark.parametrize("read_bytes", [0, 1, 300_000])
def test_what_is_not_read_is_passed_over(read_bytes: int) -> None:
    files = {"a.jpg": noise(3 * MIB), "b.jpg": noise(2 * MIB, 2)}

    async def names(data: bytes) -> list[str]:
        seen = []
        async for item in read_archive(pieces(data, 65_536), HUGE):
            assert isinstance(item, Member)
            seen.append(item.name)
            got = 0
            if read_bytes:
                async for chunk in item.chunks():
                    got += len(chunk)
                    if got >= read_bytes:
                        break
        return seen

    for data in tar(files), zip_(files), zip_(files, one_way=True), zip_(files, 0, one_way=True):
        assert asyncio.run(names(data)) == ["a.jpg", "b.jpg"]


def test_a_consumer_may_leave_at_any_time() -> None:
    async def first(data: bytes) -> str:
        async for item in read_archive(pieces(data, 100), HUGE):
            return item.name
        return ""

    for data in tar({"a": noise(5000), "b": b""}), gzip.compress(tar({"a": noise(5000)})):
        assert asyncio.run(first(data)) == "a"


def test_what_the_stream_raises_passes_through() -> None:
    async def broken_line() -> AsyncIterator[bytes]:
        yield tar({"a": noise(5000)})[:3000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(consume(broken_line()))


def test_a_cut_in_a_large_member_is_told_with_it_and_by_the_archive() -> None:
    data = tar_of([entry("a.jpg", noise(2 * MIB))])[: MIB + 5000]
    found = asyncio.run(consume(pieces(data, 65_536)))
    assert [name for name, _ in found.damaged] == ["a.jpg"]
    assert isinstance(found.damaged[0][1], BrokenArchive)
    assert found.fault is found.damaged[0][1]
