"""One request and its answer: bounded in time, faults of the network told in our own words."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import httpcore
import httpx

from filmroll import __version__
from filmroll.errors import FetchFailed, FetchUnavailable
from filmroll.fetch.places import Places
from filmroll.fetch.urls import host_of

PER_HOST = 4  # requests to one host at a time
_IDLE_CONNECTIONS = 32
_IDLE_SECONDS = 5.0
_HEADERS = {
    "User-Agent": f"Filmroll/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}
_FAULTS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.RemoteProtocolError,
    ssl.SSLError,
)


class Budget:
    """Seconds that may be spent on a task, in one go or in several."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    @asynccontextmanager
    async def spending(self) -> AsyncIterator[None]:
        """Count the time until the end of the block; raise TimeoutError when none is left."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._left):
                yield
        finally:
            self._left -= time.monotonic() - begun


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A request: what ``httpcore`` does not add by itself."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer whose body is still on its way."""

    status: int
    headers: httpx.Headers
    body: AsyncIterable[bytes]

    async def beginning(self, limit: int, seconds: float) -> bytes:
        """Return up to ``limit`` bytes of the body: what comes in time, broken off or not."""
        text = b""
        with suppress(TimeoutError, *_FAULTS):
            async with asyncio.timeout(seconds):
                async for chunk in self.body:
                    text += chunk
                    if len(text) >= limit:
                        break
        return text[:limit]


class Exchanges:
    """Sends requests over connections of one network, a few at a time to each host.

    There is no proxy, no cookie and no credential in it, whatever the environment says.
    """

    def __init__(
        self, network: httpcore.AsyncNetworkBackend, connect_seconds: float, idle_seconds: float
    ) -> None:
        self._places = Places(PER_HOST)
        self._timeouts = {"connect": connect_seconds, "read": idle_seconds, "write": idle_seconds}
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=network,
        )

    @asynccontextmanager
    async def send(self, call: Call, budget: Budget) -> AsyncIterator[Answer]:
        """Send once and hold the answer; no redirect is followed.

        Raises ForbiddenAddress, FetchUnavailable, and FetchFailed for a certificate that is not
        trusted; also while the body is read. The wait for a place costs nothing of the budget.
        """
        host = host_of(call.url)
        async with self._places.at(host):
            with _told(host):
                async with budget.spending(), self._stream(call) as response:
                    yield Answer(
                        status=response.status,
                        headers=httpx.Headers(response.headers),
                        body=response.aiter_stream(),
                    )

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    def _stream(self, call: Call) -> AbstractAsyncContextManager[httpcore.Response]:
        url = call.url
        said = {name.lower() for name in call.headers}
        ours = {name: value for name, value in _HEADERS.items() if name.lower() not in said}
        headers = {"Host": url.netloc.decode("ascii"), **ours, **call.headers}
        return self._pool.stream(
            call.method,
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=list(headers.items()),
            content=call.body,
            extensions={"timeout": self._timeouts},
        )


@contextmanager
def _told(host: str) -> Iterator[None]:
    """Translate what the network raises."""
    try:
        yield
    except (TimeoutError, httpcore.TimeoutException) as fault:
        raise FetchUnavailable(f"{host} did not answer in time.") from fault
    except httpcore.ConnectError as fault:
        cause = fault.args[0]
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise FetchFailed(
                f"The certificate of {host} is not trusted: {cause.verify_message}."
            ) from fault
        raise FetchUnavailable(f"{host} takes no connections now.") from fault
    except _FAULTS as fault:
        raise FetchUnavailable(f"{host} broke the exchange off, or garbled it.") from fault
