"""The stamps that tell all processes of an image's deletion."""

import pytest

from filmroll.catalog.tombstones import Tombstones
from tests.contract.children import run_children


@pytest.fixture
def tombstones(tmp_path):
    opened = Tombstones(tmp_path / "tombstones")
    yield opened
    opened.close()


def test_a_stamp_changes_only_by_a_bump(tombstones):
    before = {image: tombstones.stamp(image) for image in ("a", "b", "c")}
    tombstones.bump("b")
    after = {image: tombstones.stamp(image) for image in before}
    assert {image for image in before if before[image] != after[image]} == {"b"}


def test_another_store_on_the_file_sees_a_bump(tombstones, tmp_path):
    other = Tombstones(tmp_path / "tombstones")
    before = other.stamp("a")
    tombstones.bump("a")
    assert other.stamp("a") != before
    other.close()


async def test_no_bump_of_two_processes_is_lost(tombstones, tmp_path):
    before = tombstones.stamp("image")
    await run_children("bump_tombstones", tmp_path / "tombstones", count=3)
    assert tombstones.stamp("image") == before + 15_000
