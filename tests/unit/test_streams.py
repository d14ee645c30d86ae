"""Bodies in pieces, as they come."""

import asyncio
from contextlib import aclosing

import pytest

from filmroll.errors import IncompleteBody
from filmroll.web import incoming, streams
from filmroll.web.streams import gathered


class Body:
    """Chunks that are there when they are asked for; how many were."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self._chunks = chunks
        self.asked = 0

    async def __aiter__(self):
        for chunk in self._chunks:
            self.asked += 1
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk
            await asyncio.sleep(0)


class Patience:
    """What is not held against a client, in seconds."""

    def __init__(self) -> None:
        self.excused = 0.0

    def excuse(self, seconds: float) -> None:
        self.excused += seconds


def pieces_of(chunks, patience=None):
    return aclosing(gathered(chunks, patience or Patience()))


async def taken(body, pause=0.01, pieces=None):
    """Return the pieces that someone gets who takes a while over each."""
    pieces = [] if pieces is None else pieces
    async with pieces_of(aiter(body)) as come:
        async for piece in come:
            pieces.append(piece)
            await asyncio.sleep(pause)
    return pieces


async def test_what_comes_meanwhile_comes_in_one():
    lines = [b"%d\n" % number for number in range(1000)]
    pieces = await taken(Body(*lines))
    assert b"".join(pieces) == b"".join(lines)
    assert len(pieces) <= 3


async def test_nothing_is_held_back():
    more = asyncio.Event()

    async def slowly():
        yield b"first"
        await more.wait()
        yield b"second"

    async with pieces_of(slowly()) as come:
        assert await anext(come) == b"first"
        more.set()
        assert await anext(come) == b"second"
        with pytest.raises(StopAsyncIteration):
            await anext(come)


@pytest.mark.parametrize("chunks", [(), (b"",), (b"", b"")])
async def test_an_empty_body(chunks):
    assert await taken(Body(*chunks)) == []


async def test_an_empty_chunk_is_no_end():
    assert b"".join(await taken(Body(b"one", b"", b"", b"two"))) == b"onetwo"


async def test_the_time_that_the_work_takes_is_not_held_against_the_client():
    patience = Patience()
    async with pieces_of(aiter(Body(b"one", b"two")), patience) as come:
        async for _ in come:
            await asyncio.sleep(0.1)
    assert 0.1 <= patience.excused < 2


@pytest.mark.parametrize("excused", [True, False])
async def test_only_a_client_that_is_slow_itself_is_refused_as_trickling(monkeypatch, excused):
    monkeypatch.setattr(incoming, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(incoming, "SLOWEST_BYTES_PER_SECOND", 1000)

    async def receive():
        await asyncio.sleep(0.1)
        return {"type": "http.request", "body": b"x", "more_body": True}

    body = incoming.Incoming({"headers": []}, receive)

    async def all_of_it():
        for _ in range(5):
            await body()
            if excused:
                body.excuse(0.1)

    if excused:
        await all_of_it()
    else:
        with pytest.raises(IncompleteBody, match="bytes a second"):
            await all_of_it()


async def test_what_came_before_a_body_broke_off_comes_first():
    pieces = []
    with pytest.raises(IncompleteBody):
        await taken(Body(b"one", b"two", IncompleteBody("gone")), pieces=pieces)
    assert b"".join(pieces) == b"onetwo"


async def test_no_more_is_read_ahead_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(streams, "_AHEAD_BYTES", 10)
    body = Body(*[b"12345"] * 100)
    async with pieces_of(aiter(body)) as come:
        assert await anext(come)
        for _ in range(50):
            await asyncio.sleep(0)
        assert body.asked <= 4
    pieces = await taken(Body(*[b"12345"] * 100), pause=0)
    assert b"".join(pieces) == b"12345" * 100
    assert max(map(len, pieces)) <= 10


async def test_who_wants_no_more_lets_go_of_the_body():
    never = asyncio.Event()

    async def endless():
        try:
            yield b"x"
            await never.wait()
        finally:
            ended.append(True)

    ended: list[bool] = []
    async with pieces_of(endless()) as come:
        assert await anext(come) == b"x"
    assert ended == [True]
