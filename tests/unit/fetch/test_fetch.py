"""Fetching from real servers on this machine, which the guard is told to allow."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from filmroll import __version__
from filmroll.errors import FetchFailed, FetchUnavailable, ForbiddenAddress, TooLarge
from filmroll.usecases.spool import Memory, Spool, too_large
from tests.unit.fetch.conftest import MakeClient
from tests.unit.fetch.servers import Call, answer, drip, paths, raw, serving

BODY = bytes(range(256)) * 1024
# Less than a client waits unless it is told to, more than a busy machine adds to what it is told.
LONGEST_SECONDS = 4


async def test_brings_the_bytes_and_what_is_said_of_them(
    make_client: MakeClient, spool: Spool
) -> None:
    headers = {"content_type": "Image/JPEG; charset=x", "content_disposition": "attachment"}
    async with serving(answer(body=BODY, **headers)) as server:
        url = server.url("/a%20b/c%C3%BC.jpg?d=e#f")
        fetched = await make_client(server.allow).fetch(url, spool)
    await spool.seal()
    assert spool.body == BODY
    assert fetched.url == url.removesuffix("#f")
    assert (fetched.content_type, fetched.name) == ("image/jpeg", "cü.jpg")
    [call] = server.calls
    assert (call.method, call.path) == ("GET", "/a%20b/c%C3%BC.jpg?d=e")
    assert call.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": f"Filmroll/{__version__}",
        "accept": "*/*",
        "accept-encoding": "identity",
    }


async def test_a_chunked_body_and_one_that_ends_with_the_connection(
    make_client: MakeClient, tmp_path: Path
) -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    ended = b"HTTP/1.1 200 OK\r\n\r\nabcde"
    handler = paths({"/chunked": raw(chunked), "/ended": raw(ended, close=True)})
    async with serving(handler) as server:
        client = make_client(server.allow)
        for path in ("/chunked", "/ended"):
            spool = Spool(tmp_path, 10, Memory(), too_large)
            await client.fetch(server.url(path), spool)
            await spool.seal()
            assert spool.body == b"abcde"


async def test_environment_proxies_are_not_used(
    make_client: MakeClient, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(answer(body=b"proxy")) as proxy, serving(answer(body=b"origin")) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        await make_client(server.allow, proxy.allow).fetch(server.url(), spool)
    assert not proxy.calls
    assert server.calls


async def test_a_connection_is_used_again(make_client: MakeClient, spool: Spool) -> None:
    """For a batch of one host's images that is most of the speed."""
    peers = set()

    async def handle(_: Call, writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx")

    async with serving(handle) as server:
        client = make_client(server.allow)
        for _ in range(3):
            await client.fetch(server.url(), spool)
    assert len(peers) == 1


# ------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"],
)
async def test_this_machine_is_not_public(make_client: MakeClient, spool: Spool, host: str) -> None:
    async with serving(answer(body=b"secret")) as server:
        with pytest.raises(ForbiddenAddress) as refused:
            await make_client().fetch(f"http://{host}:{server.port}/", spool)
    assert not server.calls
    assert spool.bytes == 0
    assert "127.0.0.1" not in refused.value.detail.replace(host, "")


class Resolver:
    """A name server that answers each question as told, and counts them."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0)


async def test_connects_to_what_was_checked(make_client: MakeClient, spool: Spool) -> None:
    """One question per connection: a second answer could not be the checked one."""
    resolver = Resolver(["127.0.0.1"], ["192.0.2.1"])
    async with serving(answer(body=b"x")) as server:
        client = make_client(server.allow, resolve=resolver)
        await client.fetch(server.url(host="Images.example."), spool)
    assert resolver.asked == ["images.example"]
    assert server.calls[0].headers["host"] == f"images.example:{server.port}"


async def test_a_name_that_moves_to_this_machine(make_client: MakeClient, spool: Spool) -> None:
    """First a foreign address (where nothing answers here), then our own: checked both times."""
    resolver = Resolver(["240.0.0.1"], ["127.0.0.1"])
    async with serving(answer(body=b"secret")) as server:
        client = make_client("240.0.0.1", resolve=resolver, connect_seconds=0.3)
        with pytest.raises(FetchUnavailable):
            await client.fetch(server.url(host="images.example"), spool)
        with pytest.raises(ForbiddenAddress):
            await client.fetch(server.url(host="images.example"), spool)
    assert not server.calls


async def test_one_local_address_is_enough_to_refuse(make_client: MakeClient, spool: Spool) -> None:
    async with serving(answer(body=b"secret")) as server:
        client = make_client(resolve=Resolver(["8.8.8.8", "127.0.0.1"]))
        with pytest.raises(ForbiddenAddress):
            await client.fetch(server.url(host="images.example"), spool)
    assert not server.calls


async def test_the_next_address_is_tried(make_client: MakeClient, spool: Spool) -> None:
    async with serving(answer(body=b"x")) as server:
        resolver = Resolver(["127.0.0.2", "127.0.0.1"])
        client = make_client("127.0.0.0/8", resolve=resolver)
        await client.fetch(server.url(host="images.example"), spool)
    assert spool.bytes == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{port}/",
        "//[::1]:{port}/",
        "http://2130706433:{port}/",
        "http://images.example:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0:{port}/",
        "file:///etc/passwd",
        "http://user@127.0.0.1:{port}/",
    ],
)
async def test_a_redirect_is_checked_like_the_first_url(
    make_client: MakeClient, spool: Spool, location: str
) -> None:
    async with serving(answer(body=b"secret")) as inner:
        handler = answer(302, location=location.format(port=inner.port))
        async with serving(handler) as server:
            resolver = Resolver(["127.0.0.1"])
            with pytest.raises((ForbiddenAddress, FetchFailed)):
                await make_client(server.allow, resolve=resolver).fetch(server.url(), spool)
    assert not inner.calls
    assert spool.bytes == 0


async def test_redirects_are_followed_five_times(make_client: MakeClient, spool: Spool) -> None:
    steps = {f"/{step}": answer(302, location=str(step - 1)) for step in range(1, 9)}
    async with serving(paths({**steps, "/0": answer(body=b"x")})) as server:
        client = make_client(server.allow)
        fetched = await client.fetch(server.url("/5"), spool)
        assert fetched.url == server.url("/0")
        with pytest.raises(FetchFailed):
            await client.fetch(server.url("/6"), spool)
    assert spool.bytes == 1


async def test_a_loop_ends(make_client: MakeClient, spool: Spool) -> None:
    async with serving(answer(307, location="/")) as server:
        with pytest.raises(FetchFailed):
            await make_client(server.allow).fetch(server.url(), spool)
    assert len(server.calls) == 6


# --------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 403, 404, 410])
async def test_refused_for_good(make_client: MakeClient, spool: Spool, status: int) -> None:
    async with serving(answer(status)) as server:
        with pytest.raises(FetchFailed, match=str(status)):
            await make_client(server.allow).fetch(server.url(), spool)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_refused_for_now(make_client: MakeClient, spool: Spool, status: int) -> None:
    async with serving(answer(status, retry_after="7")) as server:
        with pytest.raises(FetchUnavailable, match=str(status)) as refused:
            await make_client(server.allow).fetch(server.url(), spool)
    assert refused.value.figures == {"retry_after": 7}


async def test_a_name_that_only_looks_encoded(make_client: MakeClient, spool: Spool) -> None:
    async with serving(answer(404)) as server:
        client = make_client(server.allow, resolve=Resolver(["127.0.0.1"]))
        with pytest.raises(FetchFailed, match="xn--a answered with status 404"):
            await client.fetch(server.url(host="xn--a"), spool)


async def test_a_compressed_body(make_client: MakeClient, spool: Spool) -> None:
    async with serving(answer(body=b"\x1f\x8b", content_encoding="gzip")) as server:
        with pytest.raises(FetchFailed, match="compressed"):
            await make_client(server.allow).fetch(server.url(), spool)
    assert spool.bytes == 0


async def test_too_large_by_its_own_word(make_client: MakeClient, spool: Spool) -> None:
    """Refused before the first byte: the sink sees none."""
    async with serving(answer(body=b"x" * 1001)) as server:
        with pytest.raises(TooLarge) as refused:
            await make_client(server.allow).fetch(server.url(), spool, 1000)
    assert refused.value.figures == {"limit": 1000, "actual": 1001}
    assert spool.bytes == 0


async def test_too_large_without_a_word(make_client: MakeClient, tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    async with serving(drip(head + b"x" * 100_000, 0.01)) as server:
        spool = Spool(tmp_path, 1000, Memory(), too_large)
        with pytest.raises(TooLarge):
            await make_client(server.allow).fetch(server.url(), spool, 1000)


async def test_more_bytes_than_announced_are_not_read(
    make_client: MakeClient, spool: Spool
) -> None:
    lie = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdefgh"
    async with serving(raw(lie)) as server:
        await make_client(server.allow).fetch(server.url(), spool)
    await spool.seal()
    assert spool.body == b"abc"


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
)
async def test_cut_short_or_garbled(make_client: MakeClient, spool: Spool, cut: bytes) -> None:
    async with serving(raw(cut, close=True)) as server:
        with pytest.raises(FetchUnavailable):
            await make_client(server.allow).fetch(server.url(), spool)


async def test_nobody_listens(make_client: MakeClient, spool: Spool) -> None:
    async with serving(answer()) as server:
        pass
    with pytest.raises(FetchUnavailable):
        await make_client(server.allow).fetch(server.url(), spool)


async def test_a_name_without_address(make_client: MakeClient, spool: Spool) -> None:
    with pytest.raises(FetchUnavailable, match=r"nowhere\.invalid"):
        await make_client().fetch("http://nowhere.invalid/", spool)


# ------------------------------------------------------------------------------------------ time


async def test_a_silent_server(make_client: MakeClient, spool: Spool) -> None:
    async with serving(raw(b"")) as server:
        begun = time.monotonic()
        with pytest.raises(FetchUnavailable, match="in time"):
            await make_client(server.allow, idle_seconds=0.2).fetch(server.url(), spool)
    assert time.monotonic() - begun < LONGEST_SECONDS


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: "])
async def test_a_server_that_drips(make_client: MakeClient, spool: Spool, head: bytes) -> None:
    async with serving(drip(head, 0.05)) as server:
        client = make_client(server.allow, idle_seconds=0.2, fetch_seconds=0.5)
        begun = time.monotonic()
        with pytest.raises(FetchUnavailable, match="in time"):
            await client.fetch(server.url(), spool)
    assert 0.4 < time.monotonic() - begun < LONGEST_SECONDS


async def test_a_slow_name_server(make_client: MakeClient, spool: Spool) -> None:
    async def resolve(_: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    client = make_client(resolve=resolve, connect_seconds=0.2)
    begun = time.monotonic()
    with pytest.raises(FetchUnavailable, match="in time"):
        await client.fetch("http://images.example/", spool)
    assert time.monotonic() - begun < LONGEST_SECONDS


async def test_the_time_is_for_all_redirects_together(
    make_client: MakeClient, spool: Spool
) -> None:
    async def handle(_: Call, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n")

    async with serving(handle) as server:
        with pytest.raises(FetchUnavailable, match="in time"):
            await make_client(server.allow, fetch_seconds=0.5).fetch(server.url(), spool)


async def test_four_at_a_time_and_the_wait_is_free(make_client: MakeClient, tmp_path: Path) -> None:
    now = most = 0

    async def handle(_: Call, writer: asyncio.StreamWriter) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.2)
        now -= 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with serving(handle) as server:
        client = make_client(server.allow, fetch_seconds=0.5)
        spools = [Spool(tmp_path, 10, Memory(), too_large) for _ in range(16)]
        await asyncio.gather(*(client.fetch(server.url(), spool) for spool in spools))
    assert most == 4
