"""Streams cut into chunks anywhere, cut off anywhere, and altered anywhere."""

import asyncio
import gzip
import tarfile
import zipfile
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.archives.making import Found, consume, entry, noise, pieces, read, tar, tar_of, zip_

try:
    from compression import zstd
except ImportError:
    from backports import zstd

FILES = {"a/1.jpg": noise(700), "b.jpg": b"packs well " * 60, "../c": b"", "d/日本.jpg": noise(20)}
BASE = tar(FILES, tarfile.GNU_FORMAT)
ARCHIVES = {
    "tar": BASE,
    "pax": tar_of([entry("x" * 150, b"1"), entry("y", b"2")], tarfile.PAX_FORMAT),
    "gzip": gzip.compress(BASE),
    "zstd": zstd.compress(BASE),
    "zip": zip_(FILES),
    "zip, stored": zip_(FILES, zipfile.ZIP_STORED),
    "zip into a pipe": zip_(FILES, one_way=True),
    "zip, stored, into a pipe": zip_(FILES, zipfile.ZIP_STORED, one_way=True),
}
WHOLE = {kind: read(data) for kind, data in ARCHIVES.items()}


async def cut_at(data: bytes, cuts: list[int]) -> AsyncIterator[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        yield data[start:end]


def events(found: Found) -> list[tuple[str, object]]:
    return [*found.files, *found.skipped, *found.codes.items()]


@pytest.mark.parametrize("kind", ARCHIVES)
@given(cuts=st.lists(st.integers(min_value=0), max_size=12))
@settings(max_examples=60, deadline=None)
def test_chunks_of_any_size(kind: str, cuts: list[int]) -> None:
    found = asyncio.run(consume(cut_at(ARCHIVES[kind], cuts)))
    assert found.fault is None
    assert events(found) == events(WHOLE[kind])


@pytest.mark.parametrize("kind", ARCHIVES)
def test_cut_off_anywhere(kind: str) -> None:
    """What came before the cut is there, and no cut archive passes for a whole one."""
    whole = WHOLE[kind].files
    data = ARCHIVES[kind]
    # A tar is filled up with zeros behind its end.
    end = len(data.rstrip(b"\0")) + 1024 if kind in {"tar", "pax"} else len(data)

    async def cut_everywhere() -> None:
        for length in range(end):
            found = await consume(pieces(data[:length], 300))
            assert found.files == whole[: len(found.files)]
            assert found.fault is not None, length
            recognised = "unsupported-media" if length < 512 else "broken-archive"
            assert found.fault.code in {recognised, "broken-archive"}, length

    asyncio.run(cut_everywhere())


@pytest.mark.parametrize("kind", ARCHIVES)
@given(at=st.integers(min_value=0), new=st.binary(min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_altered_anywhere(kind: str, at: int, new: bytes) -> None:
    """Nothing but a FilmrollError comes of it."""
    data = ARCHIVES[kind]
    place = at % len(data)
    read(data[:place] + new + data[place + len(new) :], size=100)


@given(st.binary(max_size=600), st.sampled_from([b"PK\3\4", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"]))
@settings(max_examples=150, deadline=None)
def test_any_bytes_behind_a_magic(data: bytes, magic: bytes) -> None:
    assert read(magic + data).fault is not None
