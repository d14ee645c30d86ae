"""Every kind of archive, from every tool that is there, yields the same files."""

import gzip
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from filmroll.archives import ArchiveLimits
from tests.unit.archives.making import FILES, entry, noise, read, read_well, tar, tar_of, zip_

try:
    from compression import zstd
except ImportError:
    from backports import zstd

SKIPPABLE = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"note"

KINDS: dict[str, Callable[[], bytes]] = {
    "pax": tar,
    "gnu": lambda: tar(form=tarfile.GNU_FORMAT),
    "gzip": lambda: gzip.compress(tar()),
    "gzip in members": lambda: b"".join(gzip.compress(half) for half in halves(tar())),
    "gzip, padded": lambda: gzip.compress(tar()) + bytes(100_000),
    "gzip, padded between": lambda: bytes(70_000).join(map(gzip.compress, halves(tar()))),
    "gzip with garbage": lambda: gzip.compress(tar()) + b"garbage",
    "zstd": lambda: zstd.compress(tar()),
    "zstd in frames": lambda: b"".join(zstd.compress(half) for half in halves(tar())),
    "zstd with a note": lambda: SKIPPABLE + SKIPPABLE.join(map(zstd.compress, halves(tar()))),
    "zstd 19": lambda: zstd.compress(tar(), 19),
    "tar with garbage": lambda: tar() + noise(1000),
    "zip": zip_,
    "zip, stored": lambda: zip_(method=zipfile.ZIP_STORED),
    "zip into a pipe": lambda: zip_(one_way=True),
    "zip, stored, into a pipe": lambda: zip_(method=zipfile.ZIP_STORED, one_way=True),
    "zip with garbage": lambda: zip_() + noise(1000),
}


def halves(data: bytes) -> tuple[bytes, bytes]:
    return data[: len(data) // 2], data[len(data) // 2 :]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 511, 65_536, 10_000_000])
def test_same_files(kind: str, size: int) -> None:
    found = read_well(KINDS[kind](), size=size)
    assert dict(found.files) == FILES
    assert not [*found.skipped, *found.refused, *found.damaged]


@pytest.mark.parametrize(
    "empty", [tar({}), gzip.compress(tar({})), zip_({})], ids=["tar", "gzip", "zip"]
)
def test_empty_archives(empty: bytes) -> None:
    assert read_well(empty).files == []


def tools() -> dict[str, list[str]]:
    return {
        "tar": ["tar", "-cf", "-", "."],
        "tar, old": ["tar", "--format=v7", "-cf", "-", "."],
        "tar, ustar": ["tar", "--format=ustar", "-cf", "-", "."],
        "tar, gnu": ["tar", "--format=gnu", "-cf", "-", "."],
        "tar, pax": ["tar", "--format=posix", "-cf", "-", "."],
        "tar, gzip": ["tar", "-czf", "-", "."],
        "tar, zstd": ["tar", "--zstd", "-cf", "-", "."],
        "zip": ["zip", "-qr", "-", "."],
        "zip, stored": ["zip", "-q0r", "-", "."],
    }


@pytest.mark.parametrize("tool", tools())
def test_tools(tool: str, tmp_path: Path) -> None:
    command = tools()[tool]
    if not shutil.which(command[0]) or ("zstd" in tool and not shutil.which("zstd")):
        pytest.skip(f"{command[0]} is not installed")
    files = dict(FILES)
    if "v7" not in str(command):
        files["long/" + "x" * 95 + "/" + "y" * 50 + ".jpg"] = noise(700_000)
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(data)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    found = read_well(done.stdout)
    assert dict(found.files) == files
    assert {reason for _, reason in found.skipped} <= {"directory"}
    assert not found.refused


@pytest.mark.parametrize(
    "other",
    [b"", b"PK", b"\xff\xd8\xff\xe0" + noise(2000), noise(511), b"{}" * 400, b"\xfd7zXZ\0" * 100,
     gzip.compress(b"a text"), gzip.compress(zip_()), zstd.compress(noise(2000))],
    ids=range(9),
)  # fmt: skip
def test_anything_else(other: bytes) -> None:
    found = read(other)
    assert found.fault is not None
    assert found.fault.code == "unsupported-media"


def test_too_many_members() -> None:
    files = {f"{at}.jpg": b"" for at in range(5)}
    assert len(read_well(tar(files), ArchiveLimits(members=5)).files) == 5
    found = read(tar(files), ArchiveLimits(members=4))
    assert len(found.files) == 4
    assert found.fault is not None
    assert found.fault.code == "broken-archive"
    assert found.fault.figures == {"members": 4}
    assert "'3.jpg'" in found.fault.detail


def test_members_over_the_limit_cost_only_themselves() -> None:
    files = {"a.jpg": noise(10), "b.jpg": noise(3_000_000), "c.jpg": noise(11)}
    limits = ArchiveLimits(member_bytes=2_999_999)
    for data in tar(files), zip_(files), zip_(files, one_way=True):
        found = read_well(data, limits)
        assert dict(found.files) == {"a.jpg": files["a.jpg"], "c.jpg": files["c.jpg"]}
        assert found.codes == {"b.jpg": "too-large"}


def test_large_members_come_in_chunks_small_ones_in_hand() -> None:
    sizes = [1024 * 1024, 1024 * 1024 + 1]
    files = {str(size): noise(size) for size in sizes}
    for data in tar(files), zip_(files):
        assert dict(read_well(data).files) == files


def test_duplicate_names_come_twice() -> None:
    data = tar_of([entry("a.jpg", b"1"), entry("./a.jpg", b"2")])
    assert read_well(data).files == [("a.jpg", b"1"), ("a.jpg", b"2")]
