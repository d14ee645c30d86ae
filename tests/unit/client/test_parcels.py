"""What travels together."""

import pytest

from filmroll.archives import ArchiveLimits
from filmroll.archives.names import screen
from filmroll.client.files import Fault, File
from filmroll.client.parcels import (
    SHARD_BYTES,
    SHARD_FILES,
    SMALL_BYTES,
    Packing,
    packable,
    portions,
)


def files(count: int, size: int) -> list[File]:
    return [File(f"{size}-{number}", "/x", size) for number in range(count)]


def test_small_files_fill_shards_by_number() -> None:
    packing = Packing()
    small = files(SHARD_FILES + 5, 10)
    assert packing.add(small[:7]) == []
    assert packing.add(small[7:]) == [small[:SHARD_FILES]]
    assert packing.rest() == [small[SHARD_FILES:]]
    assert packing.rest() == []


def test_small_files_fill_shards_by_size() -> None:
    packing = Packing()
    wide = files(40, SMALL_BYTES)
    parcels = packing.add(wide) + packing.rest()
    assert [file for parcel in parcels for file in parcel] == wide
    assert all(sum(file.size for file in parcel) <= SHARD_BYTES for parcel in parcels)


def test_a_large_file_goes_alone() -> None:
    packing = Packing()
    small, large = files(1, 10), files(1, SMALL_BYTES + 1)
    assert packing.add(small + large) == [large]
    assert packing.rest() == [small]


RENAMED = ["./a.jpg", "a//b.jpg", "a/./b.jpg", "a/", "."]
REFUSED = ["/a.jpg", "a\\b.jpg", "C:x.jpg", "c:/x.jpg", "../a.jpg", "a/../b.jpg", ""]
LEFT_OUT = [".a.jpg", "a/.b/c.jpg", "._a.jpg", "__MACOSX/a.jpg", "a/Thumbs.db", "desktop.ini"]
AS_IT_IS = ["a.jpg", "a/b 1.jpg", "größe/日本.png", "12:30.jpg", "a..b/c..", "x__MACOSX/a.jpg", "a"]


@pytest.mark.parametrize("ref", [*RENAMED, *REFUSED, *LEFT_OUT, *AS_IT_IS])
def test_only_what_keeps_its_name_goes_into_an_archive(ref: str) -> None:
    assert packable(ref) == (screen(ref, 1, ArchiveLimits()) == ref) == (ref in AS_IT_IS)
    odd, plain = File(ref, "/x", 1), files(2, 1)
    packing = Packing()
    assert packing.add([plain[0], odd, plain[1]]) == ([] if packable(ref) else [[odd]])


@pytest.mark.parametrize("ref", ["a.json", "b/A.JSON"])
def test_what_could_be_taken_for_a_sidecar_goes_alone(ref: str) -> None:
    assert not packable(ref)


def test_portions_hold_all_and_not_too_much() -> None:
    items = [*files(3, 30 << 20), Fault("x", "/x", "gone"), *files(2, 1 << 30)]
    cut = [list(portion) for portion in portions(items)]
    assert [item for portion in cut for item in portion] == items
    assert [len(portion) for portion in cut] == [3, 2, 1]
    assert list(portions(files(3, 1))) == [files(3, 1)]
