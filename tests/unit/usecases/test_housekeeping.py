"""The sweeper: what it ends, what it leaves alone."""

import hashlib

import pytest

from filmroll.catalog.tombstones import Tombstones
from filmroll.model import new_id, now, original_key, variant_key
from filmroll.ports import CHECKS
from filmroll.queues.memory import MemoryQueue
from filmroll.usecases import housekeeping
from filmroll.usecases.hot import HotAnswers
from filmroll.usecases.housekeeping import Housekeeping
from tests.unit.usecases.house import House


@pytest.fixture
def house():
    return House()


@pytest.fixture
def epochs(tmp_path):
    opened = Tombstones(tmp_path / "epochs")
    yield opened
    opened.close()


@pytest.fixture
def sweeper(house, epochs, tmp_path):
    return Housekeeping(
        blobs=house.blobs,
        catalog=house.catalog,
        queue=MemoryQueue(),
        epochs=epochs,
        spool=tmp_path / "spool",
    )


async def kept(house):
    return [blob.key async for blob in house.blobs.list("")]


async def put(house, key, body=b"x"):
    await house.blobs.put(key, body, hashlib.sha256(body).hexdigest())


async def test_a_deletion_that_broke_off_behind_its_tombstone_is_ended(house, sweeper, epochs):
    image, job = await house.upload()
    await house.processing.run_job(job.id)
    answers: HotAnswers[str] = HotAnswers(epochs)
    answers.put(b"/i/x", image.id, answers.stamp(image.id), "a picture", 9)
    await house.catalog.bury_image(image.id, 0.0)
    assert answers.get(b"/i/x")
    assert await sweeper.purge_deleted() == 1
    assert answers.get(b"/i/x") is None
    assert await kept(house) == []
    assert await house.catalog.list_variants(image.id) == []


async def test_what_comes_late_is_purged_by_a_second_look(house, sweeper, monkeypatch):
    image, _ = await house.upload()
    await house.catalog.bury_image(image.id, 0.0)
    monkeypatch.setattr(housekeeping, "PURGE_AGAIN_SECONDS", 0.0)
    assert await sweeper.purge_deleted() == 1
    await put(house, variant_key(image.id, "late"))
    assert await sweeper.purge_deleted() == 1
    assert await kept(house) == []
    assert await sweeper.purge_deleted() == 0


async def test_a_second_look_is_not_at_once(house, sweeper):
    image, _ = await house.upload()
    await house.catalog.bury_image(image.id, 0.0)
    assert await sweeper.purge_deleted() == 1
    assert await sweeper.purge_deleted() == 0
    assert original_key(image.id) not in await kept(house)


async def test_what_no_record_speaks_of_is_collected_once_it_is_old(house, sweeper, monkeypatch):
    image, job = await house.upload()
    await house.processing.run_job(job.id)
    known = await kept(house)
    for key in (original_key(new_id()), variant_key(image.id, "r"), f"{CHECKS}{new_id()}"):
        await put(house, key)
    assert await sweeper.collect_orphans() == 0
    monkeypatch.setattr(housekeeping, "ORPHAN_SECONDS", -60.0)
    assert await sweeper.collect_orphans() == 3
    assert await kept(house) == known


async def test_a_body_that_vanishes_while_the_spool_is_cleared_hinders_nothing(
    house, sweeper, tmp_path, monkeypatch
):
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "spool-gone").symlink_to(tmp_path / "nowhere")  # listed, but nothing is found there
    (spool / "spool-left").write_bytes(b"x")
    await put(house, original_key(new_id()))
    monkeypatch.setattr(housekeeping, "ORPHAN_SECONDS", -60.0)
    assert await sweeper.collect_orphans() == 2
    assert not (spool / "spool-left").exists()
    assert await kept(house) == []


async def test_an_orphan_that_is_replaced_while_it_is_looked_at_stays(house, sweeper, monkeypatch):
    key = original_key(new_id())
    await put(house, key, b"old")
    monkeypatch.setattr(housekeeping, "ORPHAN_SECONDS", -60.0)

    async def upload_again(image):
        house.blobs._objects[original_key(image)] = b"new", now() + 120

    monkeypatch.setattr(house.catalog, "get_image", upload_again)
    await sweeper.collect_orphans()
    assert await house.blobs.read(key) == b"new"


async def test_a_job_can_be_seen_for_a_week(house, sweeper, monkeypatch):
    _, job = await house.upload()
    await house.processing.run_job(job.id)
    await sweeper.forget_jobs()
    assert await house.catalog.get_job(job.id)
    monkeypatch.setattr(housekeeping, "JOB_SECONDS", -1.0)
    await sweeper.forget_jobs()
    assert await house.catalog.get_job(job.id) is None
