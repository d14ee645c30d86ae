"""Patience with a service that fails for a while, shown on a server that does as it is told."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from filmroll.client import ApiError, Unreachable
from filmroll.client.transport import Transport, ndjson


def answer(status: int, body: bytes = b"{}", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def serving(*answers: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve what was given, in turn, one connection each; yield the address and what was asked."""
    asked: list[bytes] = []
    rest: Iterator[bytes] = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
        size = int(length[0].split(b":")[1]) if length else 0
        asked.append(head + await reader.readexactly(size))
        writer.write(next(rest))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", asked


@asynccontextmanager
async def transport(url: str, patience: float = 30) -> AsyncIterator[Transport]:
    made = Transport(url, "secret", patience)
    yield made
    await made.close()


async def test_what_passes_is_tried_again_with_the_same_body() -> None:
    answers = answer(200), b"", answer(503), answer(502), answer(200, b'{"fine":true}')
    async with serving(*answers) as (url, asked), transport(url) as client:
        await client.call("GET", "/")
        value = await client.json("POST", "/v1/x", value={"a": 1})
    assert value == {"fine": True}
    assert len(asked) == 5
    for request in asked[1:]:
        assert request.endswith(b'\r\n\r\n{"a": 1}')
        assert b"\r\nAuthorization: Bearer secret\r\n" in request


async def test_the_service_says_when_to_come_back() -> None:
    answers = answer(503, Retry_After="1"), answer(200)
    async with serving(*answers) as (url, _), transport(url) as client:
        began = time.monotonic()
        await client.call("GET", "/")
        assert time.monotonic() - began >= 1


async def test_patience_ends() -> None:
    busy = answer(503, b'{"code":"overloaded","detail":"Later."}')
    async with serving(*[busy] * 50) as (url, _), transport(url, patience=0.5) as client:
        with pytest.raises(ApiError) as caught:
            await client.call("GET", "/")
    assert (caught.value.status, caught.value.code) == (503, "overloaded")


async def test_a_refusal_is_told_at_once() -> None:
    problem = b'{"status":422,"code":"x","title":"T","detail":"D.","pointer":"/a","limit":3}'
    async with serving(answer(422, problem)) as (url, asked), transport(url) as client:
        with pytest.raises(ApiError) as caught:
            await client.call("GET", "/")
    assert len(asked) == 1
    error = caught.value
    assert (error.code, error.detail) == ("x", "D.")
    assert error.figures == {"title": "T", "pointer": "/a", "limit": 3}
    assert str(error) == "T: D. (at /a)"
    assert error.problem["limit"] == 3


async def test_a_service_that_never_answered_is_not_waited_for() -> None:
    async with serving() as (url, _):
        pass
    async with transport(url) as client:
        began = time.monotonic()
        with pytest.raises(Unreachable):
            await client.call("GET", "/")
        assert time.monotonic() - began < 5


async def test_what_is_not_filmroll_is_told_so() -> None:
    pages = answer(200, b"<html>"), answer(404, b"<html>nginx")
    async with serving(*pages) as (url, _), transport(url) as client:
        with pytest.raises(ApiError, match="Is the address right"):
            await client.json("GET", "/v1/x")
        with pytest.raises(ApiError) as caught:
            await client.json("GET", "/v1/x")
    assert caught.value.code == "http-404"


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://host:port"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Transport(url, None, 1)


async def test_lines_are_cut_at_newlines_only() -> None:
    body = '{"ref":"a\u2028b\x85c"}\n\n{"ref":"d"}\n{"ref":"cut'.encode()
    async with (
        serving(answer(200, body)) as (url, _),
        transport(url) as client,
        client.stream("GET", "/") as streamed,
    ):
        assert [line["ref"] async for line in ndjson(streamed)] == ["a\u2028b\x85c", "d"]
