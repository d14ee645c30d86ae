"""What only a tar can hold: links, devices, sparse files, long names, and headers that lie."""

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from filmroll.archives import ArchiveLimits
from tests.unit.archives.making import Found, entry, noise, read, read_well, tar, tar_of

NEIGHBOURS = [entry("before.jpg", b"before"), entry("after.jpg", noise(2_000_000))]


def between(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    return tar_of([NEIGHBOURS[0], *entries, NEIGHBOURS[1]], form)


def names(found: Found) -> list[str]:
    return [name for name, _ in found.files]


def header(name: bytes = b"a.jpg", size: bytes = b"00000000000\0", kind: bytes = b"0") -> bytes:
    """A v7 header, field by field."""
    block = bytearray(name.ljust(100, b"\0") + b"0000644\0" + bytes(16) + size + bytes(376))
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def content(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


END = bytes(1024)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(tarfile.DIRTYPE, "directory"), (tarfile.SYMTYPE, "symlink"), (tarfile.LNKTYPE, "hardlink"),
     (tarfile.CHRTYPE, "device"), (tarfile.BLKTYPE, "device"), (tarfile.FIFOTYPE, "fifo")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["thing", "../thing", "/thing"])
def test_what_is_no_file_is_left_out(kind: bytes, reason: str, name: str) -> None:
    found = read_well(between(entry(name, type=kind, linkname="/etc/passwd")))
    assert [(skipped.rstrip("/"), why) for skipped, why in found.skipped] == [(name, reason)]
    assert names(found) == ["before.jpg", "after.jpg"]


def test_links_have_no_content_whatever_they_say() -> None:
    data = header(kind=b"1", size=b"00000001000\0") + header(b"b.jpg") + END
    found = read_well(data)
    assert found.skipped == [("a.jpg", "hardlink")]
    assert names(found) == ["b.jpg"]


def test_unknown_kinds_are_passed_over_with_their_content() -> None:
    found = read_well(between(entry("thing", noise(1300), type=b"Q")))
    assert found.skipped == [("thing", "special")]
    assert names(found) == ["before.jpg", "after.jpg"]


def test_directories_of_old() -> None:
    data = header(b"a/", kind=b"\0") + header(b"a/b.jpg", kind=b"\0") + END
    found = read_well(data)
    assert found.skipped == [("a/", "directory")]
    assert names(found) == ["a/b.jpg"]


@pytest.mark.parametrize("form", ["gnu", "posix"])
@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
@pytest.mark.parametrize("holes", [1, 60])
def test_sparse_files(tmp_path: Path, form: str, version: str, holes: int) -> None:
    if not shutil.which("tar"):
        pytest.skip("tar is not installed")
    with (tmp_path / "holes.jpg").open("wb") as file:
        for at in range(holes):
            file.seek((at + 1) * 300_000)
            file.write(b"x")
    (tmp_path / "last.jpg").write_bytes(b"last")
    options = ["--format", form, "-Scf", "-"]
    if form == "posix":
        options.insert(0, f"--sparse-version={version}")
    done = subprocess.run(
        ["tar", *options, "holes.jpg", "last.jpg"], cwd=tmp_path, capture_output=True, check=True
    )
    found = read_well(done.stdout)
    assert found.skipped == [("holes.jpg", "sparse")]
    assert found.files == [("last.jpg", b"last")]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(form: int) -> None:
    deep = "/".join(["d" * 90] * 8) + "/ü.jpg"
    link = entry("link", type=tarfile.SYMTYPE, linkname="x" * 300)
    found = read_well(between(entry(deep, b"deep"), link, form=form))
    assert names(found) == ["before.jpg", deep, "after.jpg"]
    assert found.skipped == [("link", "symlink")]


def test_global_pax_headers_apply_to_all() -> None:
    data = tar_of(NEIGHBOURS, comment="of no concern", path="same.jpg")
    assert names(read_well(data)) == ["same.jpg", "same.jpg"]


def test_pax_tells_the_size() -> None:
    data = noise(700)
    record = b"12 size=700\n"
    pax = header(b"pax", b"%011o\0" % len(record), b"x") + content(record)
    found = read_well(pax + header() + content(data) + header(b"b.jpg") + END)
    assert found.files == [("a.jpg", data), ("b.jpg", b"")]


def test_binary_sizes() -> None:
    data = noise(700)
    size = b"\x80" + (700).to_bytes(11, "big")
    assert read_well(header(size=size) + content(data) + END).files == [("a.jpg", data)]


def test_signed_checksums_of_old() -> None:
    block = bytearray(header("ü.jpg".encode()))
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(byte - 256 * (byte > 127) for byte in block)
    assert names(read_well(bytes(block) + END)) == ["ü.jpg"]


def test_huge_sizes_are_refused_and_the_archive_is_short_then() -> None:
    found = read(header(size=b"\x80" + b"\xff" * 11) + END)
    assert found.codes == {"a.jpg": "too-large"}
    assert found.fault is not None
    assert found.fault.code == "broken-archive"


PAX_RECORDS = [
    b"13 size=-700\n", b"11 size=7_0\n", b"9 size=7\0", b"99 path=a\n", b"0 path=a\n", b"path=a\n",
    b"-9 path=a\n", b"8 novalue\n", b"12 size=1\xb2\n", b"10 path=ab",
]  # fmt: skip
BROKEN = {
    "a negative size": header(size=b"-0000000001\0"),
    "a negative binary size": header(size=b"\xff" * 12),
    "a size with a sign": header(size=b"+0000000001\0"),
    "a size with an underscore": header(size=b"000000_0001\0"),
    "a size that is not octal": header(size=b"00000000009\0"),
    "a wrong checksum": header()[:-1] + b"x",
    "a lone empty block": bytes(512) + header(b"b.jpg"),
    "an extension without end": header(b"long", b"77777777777\0", b"L"),
    "a pax header without end": header(b"pax", b"00010000000\0", b"x"),
    "noise": noise(2048),
    **{
        f"the record {record!r}": header(b"pax", b"%011o\0" % len(record), b"x") + content(record)
        for record in PAX_RECORDS
    },
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_headers_end_the_reading(what: str) -> None:
    found = read(header(b"first.jpg") + BROKEN[what] + header(b"last.jpg") + END)
    assert names(found) == ["first.jpg"]
    assert found.fault is not None
    assert found.fault.code == "broken-archive"
    assert found.fault.figures == {"members": 1}
    assert "'first.jpg'" in found.fault.detail


@pytest.mark.parametrize("keep", [0, 512])
def test_without_its_end_a_tar_is_cut(keep: int) -> None:
    whole = header() + header(b"b.jpg")
    found = read(whole + bytes(keep))
    assert names(found) == ["a.jpg", "b.jpg"]
    assert found.fault is not None
    assert "cut short" in found.fault.detail


def test_too_many_bytes_in_all() -> None:
    data = tar({"a.jpg": noise(100_000), "b.jpg": noise(200_000)})
    found = read(data, ArchiveLimits(total_bytes=250_000))
    assert names(found) == ["a.jpg"]
    assert found.fault is not None
    assert found.fault.code == "broken-archive"
