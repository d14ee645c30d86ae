"""Tar and zip as they are written, read back by the programs that everybody has."""

import io
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from filmroll.archives import Member, read_archive
from filmroll.archives.writers import File, TarWriter, Writer, ZipWriter
from tests.unit.archives.making import FILES, LIMITS, Files

AT = 1_700_000_001.5
LONG = "/".join(["long" * 20] * 5) + "/größe.jpg"
ALL: Files = {**FILES, LONG: b"far down"}


def file(name: str, data: bytes) -> File:
    return File(name=name, bytes=len(data), crc=zlib.crc32(data), modified_at=AT)


def written(writer: Writer, files: Files) -> bytes:
    parts = []
    for name, data in files.items():
        parts += [writer.before(file(name, data)), data, writer.after(file(name, data))]
    return b"".join([*parts, writer.end()])


def test_a_tar_is_what_tarfile_reads() -> None:
    with tarfile.open(fileobj=io.BytesIO(written(TarWriter(), ALL))) as tar:
        members = tar.getmembers()
        assert {one.name: tar.extractfile(one).read() for one in members} == ALL
        assert {(one.mtime, one.mode, one.isreg()) for one in members} == {(int(AT), 0o644, True)}


def test_a_zip_is_what_zipfile_reads() -> None:
    with zipfile.ZipFile(io.BytesIO(written(ZipWriter(), ALL))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == ALL
        infos = archive.infolist()
    assert {one.date_time for one in infos} == {(2023, 11, 14, 22, 13, 20)}
    assert {one.external_attr >> 16 for one in infos} == {0o100644}
    assert not any(one.flag_bits & 8 for one in infos), "no data descriptors"


def test_an_empty_archive_is_one() -> None:
    with tarfile.open(fileobj=io.BytesIO(TarWriter().end())) as tar:
        assert tar.getnames() == []
    with zipfile.ZipFile(io.BytesIO(ZipWriter().end())) as archive:
        assert archive.namelist() == []


@pytest.mark.parametrize("kind", [TarWriter, ZipWriter])
async def test_what_is_written_can_be_taken_in_again(kind: Callable[[], Writer]) -> None:
    data = written(kind(), ALL)

    async def stream():
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]

    found = {}
    async for item in read_archive(stream(), LIMITS):
        assert isinstance(item, Member), item
        found[item.name] = b"".join([chunk async for chunk in item.chunks()])
    assert found == ALL


@pytest.mark.parametrize(
    ("kind", "command"), [(TarWriter, ["tar", "tf"]), (ZipWriter, ["unzip", "-tqq"])]
)
def test_other_programs_agree(kind: Callable[[], Writer], command: list[str], tmp_path) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not here")
    (tmp_path / "a").write_bytes(written(kind(), ALL))
    done = subprocess.run([*command, tmp_path / "a"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def sparse(path: Path, writer: Writer, sizes: dict[str, int]) -> None:
    """Write an archive of files that are nothing but holes."""
    with path.open("wb") as out:
        for name, size in sizes.items():
            hole = File(name=name, bytes=size, crc=0, modified_at=AT)
            out.write(writer.before(hole))
            out.seek(size, io.SEEK_CUR)
            out.write(writer.after(hole))
        out.write(writer.end())


SIZES = {"small": 5, "over 8 GiB": (8 << 30) + 7, "exactly 4 GiB - 1": (1 << 32) - 1, "behind": 3}


def test_files_and_offsets_of_any_size(tmp_path: Path) -> None:
    sparse(tmp_path / "zip", ZipWriter(), SIZES)
    with zipfile.ZipFile(tmp_path / "zip") as archive:
        assert {one.filename: one.file_size for one in archive.infolist()} == SIZES
        with archive.open("over 8 GiB") as first:
            assert first.read(3) == bytes(3)
    sparse(tmp_path / "tar", TarWriter(), SIZES)
    with tarfile.open(tmp_path / "tar") as tar:
        assert {one.name: one.size for one in tar} == SIZES


def test_more_files_than_a_plain_zip_has_room_for() -> None:
    files = {f"{number}": b"" for number in range(70_000)}
    with zipfile.ZipFile(io.BytesIO(written(ZipWriter(), files))) as archive:
        assert archive.namelist() == list(files)
        assert archive.read("69999") == b""
