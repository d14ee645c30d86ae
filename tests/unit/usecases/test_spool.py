"""Spools that share memory, and are given up at any moment."""

import asyncio
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from filmroll.usecases.spool import IN_MEMORY_BYTES, Memory, Spool, too_large

LARGE = bytes(IN_MEMORY_BYTES + 1)


class Gate:
    """A hasher that holds up the thread in which a spool writes."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def update(self, _: bytes, /) -> None:
        self.reached.set()
        assert self.open.wait(10)


def new(folder: Path, memory: Memory) -> Spool:
    return Spool(folder, 1 << 30, memory, too_large)


async def given_up(spool: Spool) -> Gate:
    """Give a spool up while its thread is at work; nobody waits for that."""
    gate = Gate()
    spool.feed(gate)
    writing = asyncio.create_task(spool.write(LARGE))
    await asyncio.to_thread(gate.reached.wait, 10)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    spool.close()
    return gate


async def threads_are_done() -> None:
    await asyncio.get_running_loop().shutdown_default_executor()
    await asyncio.sleep(0.05)  # what follows in the loop


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("before", [0, 2], ids=["before its file is there", "with a file"])
async def test_a_spool_that_is_given_up_leaves_no_file(tmp_path: Path, before: int) -> None:
    memory = Memory()
    spool = new(tmp_path, memory)
    for _ in range(before):
        await spool.write(LARGE)
    gate = await given_up(spool)
    assert memory.held == 0
    gate.open.set()
    await threads_are_done()
    assert files(tmp_path) == []


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
async def test_what_is_held_is_counted_exactly(tmp_path: Path) -> None:
    memory, dice = Memory(), random.Random(1)

    async def upload(pieces: int) -> None:
        spool = new(tmp_path, memory)
        try:
            for _ in range(pieces):
                await spool.write(bytes(300_000))
            await spool.seal()
        finally:
            spool.close()

    uploads = [asyncio.create_task(upload(dice.randrange(30))) for _ in range(60)]
    for task in uploads[::4]:
        await asyncio.sleep(0.005)
        task.cancel()
    await asyncio.gather(*uploads, return_exceptions=True)
    assert memory.held == 0
    await threads_are_done()
    assert files(tmp_path) == []
