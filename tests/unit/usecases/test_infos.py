"""Information is made once however many ask, kept, and told without what nobody asked for."""

import asyncio
from dataclasses import replace

import pytest

from filmroll.errors import (
    CorruptImage,
    Deleted,
    EngineCrashed,
    InvalidRequest,
    NotFound,
    Overloaded,
    StoreUnavailable,
)
from filmroll.model import ImageState, Job, JobKind, JobState, Lane, new_id, now
from filmroll.ports import Similar
from filmroll.usecases.infos import Infos, exif_told
from filmroll.usecases.process import MAX_CRASHES
from tests.contract.records import info
from tests.unit.usecases.house import House

EXIF = {"Make": "A", "FNumber": "35/10", "GPSLatitude": "51/1", "BodySerialNumber": "1"}


@pytest.fixture
def house():
    return House()


@pytest.fixture
def infos(house):
    return Infos(house.catalog, house.processing)


async def test_many_that_ask_at_once_get_one_look(house, infos):
    image, _ = await house.upload()
    house.engine.open.clear()
    asking = [asyncio.create_task(infos.get(image.id)) for _ in range(32)]
    await asyncio.sleep(0.01)
    house.engine.open.set()
    assert await asyncio.gather(*asking) == [info()] * 32
    assert await infos.get(image.id) == info()
    assert house.engine.calls == 1


async def test_the_work_goes_on_when_who_asked_leaves(house, infos):
    image, _ = await house.upload()
    house.engine.open.clear()
    asking = asyncio.create_task(infos.get(image.id))
    await asyncio.sleep(0.01)
    asking.cancel()
    house.engine.open.set()
    await asyncio.sleep(0.01)
    assert await house.catalog.get_info(image.id) == info()
    assert house.engine.calls == 1


async def test_a_fault_that_nobody_waits_for_is_no_noise(house, infos, caplog):
    image, _ = await house.upload()
    house.engine.open.clear()
    house.engine.script = [CorruptImage("broken")]
    asking = asyncio.create_task(infos.get(image.id))
    await asyncio.sleep(0.01)
    asking.cancel()
    house.engine.open.set()
    await asyncio.sleep(0.01)
    assert not caplog.records


async def test_what_an_older_version_has_told_is_told_anew(house, infos):
    image, _ = await house.upload()
    await house.catalog.put_info(image.id, replace(info(phash="0" * 16), version=0))
    assert await infos.get(image.id) == info()
    assert await house.catalog.get_info(image.id) == info()


async def test_a_crash_gets_a_second_attempt(house, infos):
    image, _ = await house.upload()
    house.engine.script = [EngineCrashed("once")]
    assert await infos.get(image.id) == info()
    house.engine.script = [EngineCrashed("once"), EngineCrashed("twice")]
    other, _ = await house.upload()
    with pytest.raises(EngineCrashed):
        await infos.get(other.id)


@pytest.mark.parametrize("fault", [CorruptImage("broken"), StoreUnavailable("away")])
async def test_a_fault_is_raised_and_not_kept(house, infos, fault):
    image, _ = await house.upload()
    house.engine.script = [fault]
    with pytest.raises(type(fault)):
        await infos.get(image.id)
    assert await infos.get(image.id) == info()


async def test_of_what_is_not_there_nothing_is_told(house, infos):
    with pytest.raises(NotFound):
        await infos.get(new_id())
    image, _ = await house.upload()
    await house.catalog.bury_image(image.id, 0.0)
    with pytest.raises(Deleted):
        await infos.get(image.id)
    assert house.engine.calls == 0


async def test_a_deletion_in_between_leaves_nothing(house, infos):
    image, _ = await house.upload()
    house.engine.open.clear()
    asking = asyncio.create_task(infos.get(image.id))
    await asyncio.sleep(0.01)
    await house.catalog.bury_image(image.id, 0.0)
    await house.catalog.drop_variants(image.id)
    house.engine.open.set()
    with pytest.raises(Deleted):
        await asking
    assert await house.catalog.get_info(image.id) is None


async def test_over_the_line_it_is_refused(house, infos):
    """Two have a slot each and four may wait: see the house."""
    house.engine.open.clear()
    images = [(await house.upload())[0].id for _ in range(7)]
    asking = [asyncio.create_task(infos.get(image)) for image in images[:6]]
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded):
        await infos.get(images[6])
    again = asyncio.create_task(infos.get(images[0]))  # which is under way
    await asyncio.sleep(0.01)
    house.engine.open.set()
    assert len(await asyncio.gather(*asking, again)) == 7


async def test_likeness_by_an_image_or_by_a_hash(house, infos):
    image, _ = await house.upload()
    wanted = Similar(phash=info().phash, distance=2)
    assert await infos.similar(image.id, 2) == wanted
    assert await infos.similar(info().phash, 2) == wanted
    flat, _ = await house.upload()
    await house.catalog.put_info(flat.id, info(phash=None))
    await house.catalog.bury_image(image.id, 0.0)
    for like in (flat.id, image.id, new_id()):
        with pytest.raises(InvalidRequest) as refused:
            await infos.similar(like, 2)
        assert refused.value.figures["pointer"] == "/similar"


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ((), {}),
        (("Make", "Model"), {"Make": "A", "Model": None}),
        (("all",), {"Make": "A", "FNumber": "35/10"}),
        (("gps",), {"GPSLatitude": "51/1"}),
        (("all", "gps"), {"Make": "A", "FNumber": "35/10", "GPSLatitude": "51/1"}),
        (("BodySerialNumber",), {"BodySerialNumber": "1"}),
    ],
)
def test_exif_that_was_asked_for(wanted, told):
    assert exif_told(EXIF, wanted) == told


async def look(house, image) -> Job:
    """Write down a job that is to look at an image."""
    job = Job(
        id=new_id(),
        image=image.id,
        instructions=(),
        created_at=now(),
        due_at=now(),
        kind=JobKind.INFO,
        lane=Lane.BULK,
    )
    await house.catalog.add_job(job)
    return job


async def test_a_job_looks_once_however_often_it_is_sent(house):
    image, _ = await house.upload()
    for _ in range(2):
        job = await look(house, image)
        assert (await house.processing.run_job(job.id)).state is JobState.SUCCEEDED
    assert await house.catalog.get_info(image.id) == info()
    assert house.engine.calls == 1


async def test_a_job_whose_picture_takes_the_decoder_down_is_given_up(house):
    image, _ = await house.upload()
    job = await look(house, image)
    house.engine.script = [EngineCrashed("dead")] * MAX_CRASHES
    ended = await house.processing.run_job(job.id)
    assert (ended.state, ended.problem.code) == (JobState.FAILED, "engine-crashed")
    assert house.engine.calls == MAX_CRASHES
    assert (await house.catalog.get_image(image.id)).state is ImageState.STORED
