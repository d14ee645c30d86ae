"""The tar that is sent is one that others read."""

import hashlib
import io
import os
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from filmroll.client.files import File
from filmroll.client.tar import CHUNK_BYTES, pack, read

LONGEST = "/".join(["d" * 200] * 5)[:1020] + ".jpg"
REFS = ["a.jpg", "a b/ü – 写真.jpg", "n" * 100, "n" * 101, "é" * 50, "é" * 51, LONGEST]


def written(folder: Path, ref: str, data: bytes) -> File:
    path = folder / hashlib.sha256(ref.encode()).hexdigest()
    path.write_bytes(data)
    return File(ref, str(path), len(data))


@pytest.mark.parametrize("ref", REFS)
@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 4096])
def test_is_read_by_others(tmp_path: Path, ref: str, size: int) -> None:
    data = b"x" * size
    hashes: dict[str, str] = {}
    files = [written(tmp_path, ref, data), written(tmp_path, "last", b"end")]
    body = b"".join(pack(files, hashes, {}))
    assert len(body) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(body), mode="r|") as archive:
        found = {member.name: archive.extractfile(member).read() for member in archive}
    assert found == {ref: data, "last": b"end"}
    assert hashes[ref] == hashlib.sha256(data).hexdigest()


def test_the_length_of_a_long_name_counts_itself(tmp_path: Path) -> None:
    """Around 100 and 1,000 bytes the number of digits changes."""
    for length in (*range(101, 120), *range(980, 1010)):
        ref = "r" * length
        body = b"".join(pack([written(tmp_path, ref, b"data")], {}, {}))
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            assert archive.getnames() == [ref]


def test_comes_in_pieces(tmp_path: Path) -> None:
    files = [written(tmp_path, f"{number}.jpg", b"x" * 4096) for number in range(300)]
    pieces = list(pack(files, {}, {}))
    assert len(pieces) > 2
    assert all(len(piece) < 2 * CHUNK_BYTES for piece in pieces)
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        assert archive.getnames() == [file.ref for file in files]


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    gone = File("gone.jpg", str(tmp_path / "gone.jpg"), 10)
    folder = File("folder.jpg", str(tmp_path), 10)
    there = written(tmp_path, "there.jpg", b"data")
    faults: dict[str, OSError] = {}
    body = b"".join(pack([gone, folder, there], {}, faults))
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert archive.getnames() == ["there.jpg"]
    assert faults.keys() == {"gone.jpg", "folder.jpg"}


@pytest.mark.parametrize("announced", [0, 3, 3999, 4000])
def test_a_file_that_has_grown_is_read_as_it_is(tmp_path: Path, announced: int) -> None:
    file = written(tmp_path, "a.jpg", b"0123456789" * 400)
    assert read(file._replace(size=announced)) == b"0123456789" * 400


def test_a_file_that_has_shrunk_is_a_fault(tmp_path: Path) -> None:
    file = written(tmp_path, "a.jpg", b"half of it")._replace(size=20)
    with pytest.raises(OSError, match="20 bytes were there, now only 10 are"):
        read(file)


def test_is_read_to_its_end_where_one_read_returns_less(tmp_path: Path) -> None:
    """A pipe gives what is there, as some file systems do."""
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)

    def fill() -> None:
        with pipe.open("wb", buffering=0) as end:
            for part in (b"first ", b"second ", b"third"):
                end.write(part)
                time.sleep(0.05)

    with ThreadPoolExecutor(1) as threads:
        filling = threads.submit(fill)
        assert read(File("a.jpg", str(pipe), 18)) == b"first second third"
        filling.result()
