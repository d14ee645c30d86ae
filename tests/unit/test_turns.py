"""Whoever comes later has the turn."""

import asyncio

import pytest

from filmroll.errors import Overloaded
from filmroll.web import turns
from filmroll.web.turns import Turns


class Writer:
    """Writes until it is asked to stop."""

    def __init__(self, turns: Turns) -> None:
        self.asked = asyncio.Event()
        self.writing = asyncio.Event()
        self.task = asyncio.create_task(self._write(turns))

    async def _write(self, turns: Turns) -> None:
        async with turns.take("a", self.asked.set):
            self.writing.set()
            await self.asked.wait()


async def test_each_lets_the_next_one_write() -> None:
    turns = Turns()
    writers = [Writer(turns) for _ in range(5)]
    async with asyncio.timeout(5):
        await asyncio.gather(*(one.writing.wait() for one in writers))
        assert [one.asked.is_set() for one in writers].count(False) == 1, "one is writing"
        await turns.free("a")
    assert all(one.task.done() for one in writers)


async def test_others_are_left_alone() -> None:
    turns = Turns()
    writer = Writer(turns)
    await writer.writing.wait()
    await turns.free("b")
    assert not writer.asked.is_set()
    await turns.free("a")


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", 0.01)
    waiting = Turns()
    async with waiting.take("a", lambda: None):
        with pytest.raises(Overloaded):
            await waiting.free("a")
    await waiting.free("a")


async def test_a_turn_ends_with_a_fault() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError):
        async with turns.take("a", lambda: None):
            raise ZeroDivisionError
    await turns.free("a")
