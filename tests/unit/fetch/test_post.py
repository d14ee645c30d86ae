"""Posting to real servers on this machine."""

import time

import pytest

from filmroll.errors import FetchFailed, FetchUnavailable, ForbiddenAddress
from tests.unit.fetch.conftest import MakeClient
from tests.unit.fetch.servers import answer, drip, raw, serving

BODY = b'{"type": "batch.completed"}'
HEADERS = {"Content-Type": "application/json", "webhook-id": "msg_1"}


async def test_sends_body_and_headers(make_client: MakeClient) -> None:
    async with serving(answer(202, b"taken\x1b[31m\n")) as server:
        reply = await make_client(server.allow).post(server.url("/hook?a=b"), HEADERS, BODY)
    assert (reply.status, reply.detail, reply.retry_after) == (202, "taken[31m\n", None)
    [call] = server.calls
    assert (call.method, call.path, call.body) == ("POST", "/hook?a=b", BODY)
    assert call.headers["webhook-id"] == "msg_1"
    assert call.headers["content-length"] == str(len(BODY))


async def test_a_header_of_the_callers_takes_the_place_of_ours(make_client: MakeClient) -> None:
    headers = {"user-agent": "Shop/1", "accept": "application/json"}
    async with serving(answer(200)) as server:
        await make_client(server.allow).post(server.url(), headers, b"")
    [call] = server.calls
    assert (call.headers["user-agent"], call.headers["accept"]) == ("Shop/1", "application/json")
    assert call.headers["content-length"] == "0"


@pytest.mark.parametrize("status", [200, 301, 307, 404, 410, 429, 500])
async def test_any_status_is_a_reply(make_client: MakeClient, status: int) -> None:
    headers = {"location": "/other", "retry_after": "30"}
    async with serving(answer(status, **headers)) as server:
        reply = await make_client(server.allow).post(server.url(), HEADERS, BODY)
    assert (reply.status, reply.retry_after) == (status, 30)
    assert len(server.calls) == 1


async def test_local_addresses_are_refused(make_client: MakeClient) -> None:
    async with serving(answer()) as server:
        with pytest.raises(ForbiddenAddress):
            await make_client().post(server.url(), HEADERS, BODY)
    assert not server.calls


async def test_a_url_out_of_form(make_client: MakeClient) -> None:
    with pytest.raises(FetchFailed):
        await make_client().post("ftp://example.com/", HEADERS, BODY)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 9999]
)
async def test_an_answer_without_end(
    make_client: MakeClient, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is known: a text that drips, or has no end, does not change it."""
    monkeypatch.setattr("filmroll.fetch.client.DETAIL_SECONDS", 0.2)
    async with serving(drip(head, 0.05)) as server:
        begun = time.monotonic()
        reply = await make_client(server.allow).post(server.url(), HEADERS, BODY)
    assert reply.status == 200
    assert 0 < len(reply.detail) <= 4096
    assert time.monotonic() - begun < 1.9  # the setting says 2, if it is not heeded


async def test_an_answer_cut_short(make_client: MakeClient) -> None:
    cut = b"HTTP/1.1 500 Oh\r\ncontent-length: 9\r\n\r\nabc"
    async with serving(raw(cut, close=True)) as server:
        reply = await make_client(server.allow).post(server.url(), HEADERS, BODY)
    assert (reply.status, reply.detail) == (500, "abc")


async def test_a_receiver_that_hangs(make_client: MakeClient) -> None:
    async with serving(raw(b"")) as server:
        with pytest.raises(FetchUnavailable):
            await make_client(server.allow, post_seconds=0.3).post(server.url(), HEADERS, BODY)
