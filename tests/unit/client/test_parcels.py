"""What travels together."""

from filmroll.client.files import Fault, File
from filmroll.client.parcels import SHARD_BYTES, SHARD_FILES, SMALL_BYTES, Packing, portions


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


def test_portions_hold_all_and_not_too_much() -> None:
    items = [*files(3, 30 << 20), Fault("x", "/x", "gone"), *files(2, 1 << 30)]
    cut = [list(portion) for portion in portions(items)]
    assert [item for portion in cut for item in portion] == items
    assert [len(portion) for portion in cut] == [3, 2, 1]
    assert list(portions(files(3, 1))) == [files(3, 1)]
