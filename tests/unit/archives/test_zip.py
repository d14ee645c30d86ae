"""What only a zip can hold: encryption, descriptors, zip64, odd names, and headers that lie."""

import io
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest

from filmroll.archives import ArchiveLimits
from tests.unit.archives.making import OneWay, noise, read, read_well, zip_

FILES = {"a.jpg": noise(3000), "b.jpg": b"packs well " * 50, "c.jpg": noise(2_000_000, 2)}
REST = {"a.jpg": FILES["a.jpg"], "c.jpg": FILES["c.jpg"]}


def header_of(data: bytes, name: str) -> int:
    """Where the local header of a member is."""
    return data.index(b"PK\3\4", data.index(name.encode()) - 30)


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("one_way", [False, True])
def test_zip64(method: int, one_way: bool) -> None:  # noqa: FBT001 - a parameter of the test
    file = OneWay() if one_way else io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in FILES.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    written = bytes(file.data) if isinstance(file, OneWay) else file.getvalue()
    assert dict(read_well(written).files) == FILES


def test_more_members_than_two_bytes_count() -> None:
    files = {f"{at}.jpg": b"" for at in range(66_000)}
    assert len(read_well(zip_(files)).files) == 66_000


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_cost_only_the_member(method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data, method if name == "b.jpg" else None)
    found = read_well(file.getvalue())
    assert dict(found.files) == REST
    assert found.codes == {"b.jpg": "refused-member"}


def test_encrypted_members_cost_only_themselves(tmp_path: Path) -> None:
    if not shutil.which("zip"):
        pytest.skip("zip is not installed")
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    for options in ["-q", "a.jpg"], ["-qe", "-Psecret", "b.jpg"], ["-q", "c.jpg"]:
        command = ["zip", *options[:-1], "x.zip", options[-1]]
        subprocess.run(command, cwd=tmp_path, check=True)
    found = read_well((tmp_path / "x.zip").read_bytes())
    assert dict(found.files) == REST
    assert found.codes == {"b.jpg": "refused-member"}


def test_an_encrypted_member_without_a_size_ends_the_reading() -> None:
    data = zip_(FILES, one_way=True)
    at = header_of(data, "b.jpg") + 6
    found = read(patched(data, at, bytes([data[at] | 1])))
    assert list(dict(found.files)) == ["a.jpg"]
    assert found.codes == {"b.jpg": "refused-member"}
    assert found.fault is not None
    assert found.fault.code == "broken-archive"


def test_directories() -> None:
    for file in io.BytesIO(), OneWay():
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.mkdir("a")
            archive.writestr("b/", b"", zipfile.ZIP_DEFLATED)
            archive.writestr("b/c.jpg", b"1")
        data = bytes(file.data) if isinstance(file, OneWay) else file.getvalue()
        found = read_well(data)
        assert found.skipped == [("a/", "directory"), ("b/", "directory")]
        assert found.files == [("b/c.jpg", b"1")]


def test_a_zip_in_a_zip_stored_without_sizes() -> None:
    inner = zip_({"a.jpg": noise(3000), "b.jpg": b""}, zipfile.ZIP_STORED, one_way=True)
    files = {"inner.zip": inner, "traps": b"PK\7\x08" * 5000 + b"PK", "empty": b"", "last": b"PK\7"}
    for size in (1, 7, 16_384, 65_536):
        data = zip_(files, zipfile.ZIP_STORED, one_way=True)
        assert dict(read_well(data, size=size).files) == files


def test_names_that_are_utf8_without_saying_so() -> None:
    data = zip_({"ü.jpg": b"1"})
    for at in data.index(b"PK\3\4") + 6, data.index(b"PK\1\2") + 8:
        data = patched(data, at, bytes(2))
    assert read_well(data).files == [("ü.jpg", b"1")]


def test_names_of_code_page_437() -> None:
    data = zip_({"??.jpg": b"1"}).replace(b"??.jpg", b"\x81\x94.jpg")
    assert read_well(data).files == [("üö.jpg", b"1")]


def test_names_that_say_utf8_and_are_not() -> None:
    data = zip_({"ü.jpg": b"1"}).replace("ü".encode(), b"\xff\xfe")
    assert read_well(data).codes == {"\\xff\\xfe.jpg": "refused-member"}


@pytest.mark.parametrize("name", ["a.jpg", "b.jpg", "c.jpg"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_members_cost_only_themselves(name: str, method: int) -> None:
    data = zip_(FILES, method)
    at = header_of(data, name) + 30 + len(name) + 11
    found = read_well(patched(data, at, bytes([data[at] ^ 0x55])))
    assert dict(found.files) == {key: value for key, value in FILES.items() if key != name}
    assert found.codes == {name: "corrupt-member"}


def test_a_wrong_descriptor_costs_only_its_member() -> None:
    data = zip_(FILES, one_way=True)
    at = data.index(b"PK\7\x08", header_of(data, "b.jpg")) + 4
    found = read_well(patched(data, at, bytes(4)))
    assert dict(found.files) == REST
    assert found.codes == {"b.jpg": "corrupt-member"}


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_descriptors_of_all_forms(wide: bool, signed: bool) -> None:  # noqa: FBT001 - parameters
    data = zip_(FILES, one_way=True)
    for name in reversed(FILES):
        at = data.index(b"PK\7\x08", header_of(data, name))
        sums = struct.unpack("<3I", data[at + 4 : at + 16])
        form = (b"PK\7\x08" if signed else b"") + struct.pack("<I2Q" if wide else "<3I", *sums)
        data = data[:at] + form + data[at + 16 :]
    assert dict(read_well(data).files) == FILES


LIES = {
    "a checksum": (14, struct.pack("<I", 1)),
    "too small a size": (22, struct.pack("<I", 5)),
    "too large a size": (22, struct.pack("<I", 551)),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_lies_about_the_content_cost_only_the_member(lie: str, method: int) -> None:
    offset, new = LIES[lie]
    data = zip_(FILES, method)
    found = read_well(patched(data, header_of(data, "b.jpg") + offset, new))
    assert dict(found.files) == REST
    assert found.codes == {"b.jpg": "corrupt-member"}


def test_a_packed_size_that_swallows_the_next_member_is_found_out() -> None:
    data = zip_(FILES, zipfile.ZIP_STORED)
    first, third = header_of(data, "a.jpg"), header_of(data, "c.jpg")
    size = struct.pack("<I", third - first - 35)
    found = read(patched(patched(data, first + 18, size), first + 22, size))
    assert found.codes == {"a.jpg": "corrupt-member"}
    assert list(dict(found.files)) == ["c.jpg"]
    assert found.fault is not None
    assert "lists 3 members, but 2" in found.fault.detail


BROKEN = {
    "no header": (0, b"XX"),
    "no zip64 sizes": (18, b"\xff" * 8),
    "too small a packed size": (18, struct.pack("<I", 20)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_without_the_next_header_the_reading_ends(what: str) -> None:
    offset, new = BROKEN[what]
    data = zip_(FILES)
    found = read(patched(data, header_of(data, "b.jpg") + offset, new))
    assert list(dict(found.files)) == ["a.jpg"]
    assert found.fault is not None
    assert found.fault.code == "broken-archive"


def test_a_damaged_member_without_a_size_ends_the_reading() -> None:
    data = zip_(FILES, one_way=True)
    at = header_of(data, "b.jpg") + 35
    found = read(patched(data, at, b"\xff" * 8))
    assert list(dict(found.files)) == ["a.jpg"]
    assert found.fault is not None
    assert found.fault.code == "broken-archive"


@pytest.mark.parametrize("one_way", [False, True])
def test_members_that_say_nothing_of_their_size(one_way: bool) -> None:  # noqa: FBT001 - a parameter
    files = {"a.jpg": noise(10), "bomb.jpg": bytes(5_000_000), "c.jpg": noise(11)}
    found = read_well(zip_(files, one_way=one_way), ArchiveLimits(member_bytes=1_000_000))
    assert found.codes == {"bomb.jpg": "too-large"}
    assert list(dict(found.files)) == ["a.jpg", "c.jpg"]
