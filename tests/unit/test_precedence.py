"""Uploads step back while pictures are handed out, and only then."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from filmroll.blobs.disk import DiskBlobs
from filmroll.settings import Role, Settings
from filmroll.usecases.spool import IN_MEMORY_BYTES
from filmroll.web.app import App
from filmroll.web.precedence import AT_ONCE, LOOKING_SECONDS, Precedence
from filmroll.wiring import open_services
from tests.samples import tiny_jpeg

SMALL = 1000


class Uploads:
    """Many uploads that come at once; ``kept`` at a time until they are let go."""

    def __init__(self, precedence: Precedence, size: int = SMALL) -> None:
        self.kept = 0
        self.done = 0
        self.go = asyncio.Event()
        self.all = [asyncio.create_task(self._keep(precedence, size)) for _ in range(4 * AT_ONCE)]

    async def _keep(self, precedence: Precedence, size: int) -> None:
        async with precedence.turn(size):
            self.kept += 1
            try:
                await self.go.wait()
            finally:
                self.kept -= 1
            self.done += 1

    async def begin(self) -> int:
        """Return how many are being kept once all have come."""
        await asyncio.sleep(0)
        return self.kept

    async def end(self) -> int:
        """Return how many were kept in the end."""
        self.go.set()
        await asyncio.gather(*self.all)
        return self.done


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happens():  # noqa: ASYNC110 -- they are numbers
            await asyncio.sleep(0)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def precedence(clock: Clock) -> Precedence:
    """Somebody has looked just now."""
    looked_at = Precedence(shared=True, clock=clock)
    looked_at.looked()
    return looked_at


@pytest.fixture
async def uploads(precedence: Precedence) -> Uploads:
    """As many as may are being kept, and the others stand in line."""
    begun = Uploads(precedence)
    await begun.begin()
    return begun


async def test_while_somebody_looks_few_are_kept_at_a_time(precedence):
    uploads = Uploads(precedence)
    assert await uploads.begin() == AT_ONCE
    assert await uploads.end() == 4 * AT_ONCE


async def test_one_that_is_cancelled_in_line_holds_nobody_up(uploads):
    waiting = uploads.all.pop()
    waiting.cancel()
    assert await uploads.end() == 4 * AT_ONCE - 1
    assert waiting.cancelled()


async def test_one_that_is_cancelled_just_as_it_is_called_leaves_its_place(precedence, uploads):
    uploads.go.set()
    await until(lambda: uploads.done > 0)
    called = uploads.all.pop(AT_ONCE)  # the first of those who had to wait
    called.cancel()
    assert await uploads.end() == 4 * AT_ONCE - 1
    assert called.cancelled()
    others = Uploads(precedence)
    assert await others.begin() == AT_ONCE
    await others.end()


async def test_who_waits_is_called_once_nobody_looks(clock, uploads):
    clock.now += LOOKING_SECONDS + 0.01
    uploads.all.pop(0).cancel()
    await until(lambda: uploads.kept > AT_ONCE)
    assert uploads.kept == 4 * AT_ONCE - 1
    await uploads.end()


@pytest.mark.parametrize("passed", [None, LOOKING_SECONDS + 0.01])
async def test_while_nobody_looks_all_are_kept_at_once(clock, passed):
    precedence = Precedence(shared=True, clock=clock)
    if passed is not None:
        precedence.looked()
        clock.now += passed
    uploads = Uploads(precedence)
    assert await uploads.begin() == 4 * AT_ONCE
    await uploads.end()


async def test_what_waits_for_stores_elsewhere_crowds_nobody_out(clock):
    precedence = Precedence(shared=False, clock=clock)
    precedence.looked()
    uploads = Uploads(precedence)
    assert await uploads.begin() == 4 * AT_ONCE
    await uploads.end()


async def test_large_ones_take_no_place(precedence):
    large = Uploads(precedence, IN_MEMORY_BYTES + 1)
    small = Uploads(precedence)
    assert await large.begin() == 4 * AT_ONCE
    assert await small.begin() == AT_ONCE
    await large.end()
    await small.end()


class Stalled:
    """A disk that keeps nothing until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        monkeypatch.setattr(DiskBlobs, "put", self._put)

    async def _put(self, *_: object, **__: object) -> None:
        self.asked += 1
        await self.go.wait()

    async def asked_for(self, so_many: int) -> int:
        """Return how many have asked once at least so many have, and others had the time to."""
        await until(lambda: self.asked >= so_many)
        await asyncio.sleep(0.1)
        return self.asked


@pytest.fixture
async def http(tmp_path: Path, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(data=tmp_path / "data", engines=1)
    async with open_services(settings, Role.ALL) as opened:
        services = replace(opened, precedence=Precedence(shared=True, clock=clock))
        transport = httpx.ASGITransport(app=App(services, Role.ALL))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client


@pytest.mark.parametrize("reads", [1, 2], ids=["from the store", "out of memory"])
async def test_a_service_lets_who_looks_go_first(http, clock, monkeypatch, reads):
    image = (await http.post("/v1/images", content=tiny_jpeg(0))).json()
    picture = f"/i/{image['id']}/resize:width=10"
    for _ in range(reads):
        clock.now += 2 * LOOKING_SECONDS
        assert (await http.get(picture)).status_code == 200
    disk = Stalled(monkeypatch)

    def upload(number: int) -> "asyncio.Task[httpx.Response]":
        return asyncio.create_task(http.post("/v1/images", content=tiny_jpeg(number)))

    uploads = [upload(number) for number in range(1, 2 * AT_ONCE)]
    assert await disk.asked_for(AT_ONCE) == AT_ONCE
    clock.now += 2 * LOOKING_SECONDS
    uploads.append(upload(2 * AT_ONCE))
    assert await disk.asked_for(2 * AT_ONCE) == 2 * AT_ONCE
    disk.go.set()
    assert {answer.status_code for answer in await asyncio.gather(*uploads)} == {201}
