"""Looking names up while the name servers of some of them are silent."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from filmroll.fetch.network import SystemResolver


class NameServers:
    """Names under ``silent.example`` are answered once the servers speak, all others at once."""

    def __init__(self) -> None:
        self.speak = threading.Event()
        self.asked: list[str] = []

    def getaddrinfo(self, host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        if host.endswith("silent.example"):
            self.speak.wait(10)
            raise socket.gaierror
        return [(0, 0, 0, "", ("192.0.2.1", 0))]


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServers]:
    servers = NameServers()
    monkeypatch.setattr(socket, "getaddrinfo", servers.getaddrinfo)
    yield servers
    servers.speak.set()


async def test_silent_name_servers_hold_up_the_names_of_no_other_domain(
    servers: NameServers,
) -> None:
    resolve = SystemResolver()
    lost = [
        asyncio.create_task(asyncio.wait_for(resolve(f"{number}.silent.example"), 0.1))
        for number in range(40)
    ]
    done = await asyncio.gather(*lost, return_exceptions=True)
    assert {type(one) for one in done} == {TimeoutError}
    async with asyncio.timeout(2):
        assert await resolve("images.example") == ["192.0.2.1"]
    assert len(servers.asked) == 3, "whoever gave up is not asked for later"
    servers.speak.set()
    with pytest.raises(socket.gaierror):
        await resolve("later.silent.example")
    resolve.close()
