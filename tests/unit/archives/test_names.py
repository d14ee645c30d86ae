"""Which names come in, and how; which are left out; which are refused."""

import pytest

from filmroll.archives import ArchiveLimits
from filmroll.archives.names import printable, screen
from tests.unit.archives.making import read_well, tar, zip_

COME_IN = {
    "a.jpg": "a.jpg",
    "./a.jpg": "a.jpg",
    "././a//b/./c.jpg": "a/b/c.jpg",
    "a b/ü 日本.jpg": "a b/ü 日本.jpg",
    "a..b/c...jpg": "a..b/c...jpg",
    "dune:2.jpg": "dune:2.jpg",
    "x" * 1024: "x" * 1024,
}
REFUSED = [
    "/etc/passwd", "//a", "..", "../a.jpg", "a/../../b.jpg", "a/..", "a\\b.jpg", "..\\a.jpg",
    "C:/a.jpg", "c:a.jpg", "a\0b.jpg", "a\nb.jpg", "a\x7f.jpg", "a\x9b.jpg", ".", "./", "",
    "x" * 1025, "日" * 342, b"\xff\xfe.jpg", b"\xed\xa0\x80.jpg", b"\xc0\xae\xc0\xae/a.jpg",
]  # fmt: skip
LEFT_OUT = {
    ".hidden.jpg": "dotfile",
    "a/.git/config": "dotfile",
    ".DS_Store": "dotfile",
    "__MACOSX/a/._b.jpg": "resource-fork",
    "a/._b.jpg": "resource-fork",
    "a/Thumbs.db": "system-file",
    "Desktop.ini": "system-file",
}


def verdict(name: str | bytes) -> object:
    return screen(name, 1, ArchiveLimits())


@pytest.mark.parametrize("name", COME_IN)
def test_come_in(name: str) -> None:
    assert verdict(name) == verdict(name.encode()) == COME_IN[name]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str | bytes) -> None:
    refused = verdict(name)
    assert getattr(refused, "problem").code == "refused-member"  # noqa: B009 - of three types
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in printable(name))


@pytest.mark.parametrize("name", LEFT_OUT)
def test_left_out(name: str) -> None:
    assert getattr(verdict(name), "reason") == LEFT_OUT[name]  # noqa: B009 - of three types


def test_names_are_shown_harmlessly() -> None:
    assert printable(b"a\xff\nb") == "a\\xff\\x0ab"
    assert len(printable("x" * 1_000_000)) == 1024


def test_a_bad_name_costs_only_itself() -> None:
    names = ["a.jpg", "../b.jpg", "/c.jpg", ".d.jpg", "e\\f.jpg", "g.jpg"]
    files = {name: name.encode() for name in names}
    for data in tar(files), zip_(files), zip_(files, one_way=True):
        found = read_well(data)
        assert [name for name, _ in found.files] == ["a.jpg", "g.jpg"]
        assert set(found.codes) == {"../b.jpg", "/c.jpg", "e\\f.jpg"}
        assert found.skipped == [(".d.jpg", "dotfile")]
