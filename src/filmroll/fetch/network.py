"""Connections that only go where the guard lets them.

A host is resolved, its addresses are checked, and the connection is made to one of those very
addresses: a name server that answers differently the second time is not asked a second time.
TLS and the request keep the host's name. All of it happens anew for every connection.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import ip_address

import httpcore

from filmroll.errors import FetchUnavailable
from filmroll.fetch.guard import Guard
from filmroll.fetch.places import Places

Resolve = Callable[[str], Awaitable[Sequence[str]]]

_MOST_ADDRESSES = 3  # to be tried of one host
_THREADS = 16
_PER_DOMAIN = 2


class SystemResolver:
    """Asks the system, in threads of its own, of which the names of one domain get a few.

    Name servers that do not answer keep a thread for long, whether anybody still waits or not. So
    those of one domain hold up the names of no other; it takes several that are silent at once. A
    domain is taken to be the last two labels, which is too wide for some (``co.uk``): their names
    are looked up a few at a time, too.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolve")
        self._domains = Places(_PER_DOMAIN)

    async def __call__(self, host: str) -> Sequence[str]:
        """Return a host's addresses, best first; raise OSError if there is none."""
        places = self._domains.of(".".join(host.split(".")[-2:]))
        await places.acquire()

        def free(found: "asyncio.Future[Sequence[str]]") -> None:
            places.release()
            if not found.cancelled():
                found.exception()  # nobody may be left to hear of it

        found = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host)
        found.add_done_callback(free)  # the thread is not free before, whoever has given up
        return await asyncio.shield(found)

    def close(self) -> None:
        """Start no more; what is being looked up ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves, checks and connects; ``httpcore`` does the rest."""

    def __init__(self, guard: Guard, resolve: Resolve) -> None:
        self._guard = guard
        self._resolve = resolve
        self._tcp = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect within ``timeout`` seconds, the time to resolve included.

        Raises ForbiddenAddress, FetchUnavailable if the name cannot be resolved, TimeoutError.
        """
        async with asyncio.timeout(timeout):
            addresses = await self._addresses(host)
            self._guard.check(host, port, addresses)
            tried = addresses[:_MOST_ADDRESSES]
            share = timeout and timeout / len(tried)
            for address in tried[:-1]:
                with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                    return await self._tcp.connect_tcp(
                        address, port, share, local_address, socket_options
                    )
            return await self._tcp.connect_tcp(
                tried[-1], port, share, local_address, socket_options
            )

    async def _addresses(self, host: str) -> Sequence[str]:
        with suppress(ValueError):
            return [str(ip_address(host))]
        try:
            return await self._resolve(host)
        except OSError as fault:
            raise FetchUnavailable(f"The name {host} cannot be resolved now.") from fault


def _look_up(host: str) -> Sequence[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))
