"""Places per host."""

import asyncio

import pytest

from filmroll.fetch.places import Places


async def test_hosts_do_not_wait_for_each_other_and_are_forgotten() -> None:
    places = Places(1)
    async with places.at("a"), places.at("b"):
        waiting = asyncio.create_task(_once(places, "a"))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        assert set(places._hosts) == {"a", "b"}
    await waiting
    assert not places._hosts


async def test_who_gives_up_waiting_takes_no_place() -> None:
    places = Places(1)
    async with places.at("a"):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_once(places, "a"), 0.01)
    await asyncio.wait_for(_once(places, "a"), 1)


async def _once(places: Places, host: str) -> None:
    async with places.at(host):
        pass
