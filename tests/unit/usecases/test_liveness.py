"""What counts as a proof of life, and what ends it."""

import asyncio
import time

import pytest

from filmroll.errors import InternalError
from filmroll.usecases import liveness
from tests.unit.usecases.house import WANTED, House


@pytest.fixture
def house(monkeypatch):
    monkeypatch.setattr(liveness, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(liveness, "PERIOD_SECONDS", 0.02)
    return House()


async def watched(house, seconds):
    watch = asyncio.create_task(house.liveness.watch())
    await asyncio.sleep(seconds)
    watch.cancel()


async def test_each_picture_that_is_made_is_a_proof(house):
    image, _ = await house.upload()
    await asyncio.sleep(0.25)
    assert not house.liveness.alive()
    await house.processing.make_variant(image.id, WANTED)
    assert house.liveness.alive()


async def test_an_idle_engine_is_tried(house):
    await watched(house, 0.3)
    assert house.liveness.alive()
    assert house.engine.calls > 2


async def test_a_busy_engine_is_not_tried_as_well(house, monkeypatch):
    monkeypatch.setattr(liveness, "PERIOD_SECONDS", 0.1)
    house.liveness.note()
    watch = asyncio.create_task(house.liveness.watch())
    for _ in range(15):
        house.liveness.note()
        await asyncio.sleep(0.02)
    watch.cancel()
    assert house.engine.calls == 0


@pytest.mark.parametrize("hangs", [True, False])
async def test_an_engine_that_gives_no_picture_is_dead(house, monkeypatch, hangs):
    async def fail():
        raise InternalError("it does not start")

    if hangs:
        house.engine.open.clear()
    else:
        monkeypatch.setattr(house.engine, "check", fail)
    await watched(house, 0.3)
    assert not house.liveness.alive()


async def test_a_clock_that_is_set_back_or_forth_changes_nothing(house, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert house.liveness.alive()
