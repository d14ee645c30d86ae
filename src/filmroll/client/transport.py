"""HTTP with patience: what fails for a while is tried again for a while."""

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import httpx

from filmroll.client.errors import ApiError, ClientError, Unreachable

Body = bytes | Callable[[], AsyncIterator[bytes]]  # a stream can be begun anew for each attempt
Params = list[tuple[str, str | int | float | bool | None]]
_T = TypeVar("_T")

# Reading: a synchronous answer may take 30 s, the last group of an archive its barrier on disk.
_TIMEOUT = httpx.Timeout(120, connect=5)
_CONNECTIONS = httpx.Limits(max_connections=100, max_keepalive_connections=32)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0  # seconds


class Patience:
    """How long to go on: so many seconds after the last success."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Start anew: something went well."""
        self._until = time.monotonic() + self._seconds
        self._pause = _FIRST_PAUSE

    async def pause(self, fault: ClientError) -> None:
        """Wait before the next attempt; raise ``fault`` if it will not pass, or time is over."""
        wait = max(self._pause * random.uniform(0.5, 1), fault.retry_after or 0)  # noqa: S311 -- jitter
        if not fault.passing or time.monotonic() + wait > self._until:
            raise fault
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        await asyncio.sleep(wait)


class Transport:
    """Connections to one service, and the key that opens it."""

    def __init__(self, url: str, key: str | None, patience: float) -> None:
        """``patience`` in seconds. Raises ValueError if ``url`` is none."""
        self.url = url.rstrip("/")
        self._patience = patience
        self._met = False
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"{url} is not an http:// or https:// address")
        try:
            self._http = httpx.AsyncClient(
                base_url=self.url,
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=_TIMEOUT,
                limits=_CONNECTIONS,
            )
        except httpx.InvalidURL as fault:
            raise ValueError(f"{url}: {fault}") from fault

    def patience(self) -> Patience:
        """Return a fresh measure of patience."""
        return Patience(self._patience)

    async def patiently(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do harmlessly repeatable work until it succeeds, or patience ends."""
        patience = self.patience()
        while True:
            try:
                return await work()
            except ClientError as fault:
                await patience.pause(fault)

    async def call(
        self,
        method: str,
        path: str,
        *,
        value: Any = None,
        body: Body | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the whole answer to a harmlessly repeatable request; ``value`` is sent as JSON.

        Raises ApiError and, when patience is over, Unreachable.
        """
        if value is not None:
            body = json.dumps(value).encode()
            headers = {"Content-Type": "application/json", **(headers or {})}

        async def once() -> httpx.Response:
            async with self.stream(
                method, path, body=body, params=params, headers=headers
            ) as answer:
                await answer.aread()
                return answer

        return await self.patiently(once)

    async def json(self, method: str, path: str, **options: Any) -> Any:
        """Return the JSON that ``call`` brings."""
        answer = await self.call(method, path, **options)
        try:
            return answer.json()
        except ValueError as fault:
            detail = f"{self.url} answers, but not as Filmroll does. Is the address right?"
            raise ApiError(answer.status_code, "not-json", detail, {}) from fault

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = False,
    ) -> AsyncIterator[httpx.Response]:
        """Make one attempt at a request; the body of the answer is the caller's to read.

        ``follow``: a redirect, too; the key stays behind where it leads to another host.

        Raises ApiError for a refusal, Unreachable for a connection that breaks at any time.
        """
        content = body() if callable(body) else body
        try:
            async with self._http.stream(
                method,
                path,
                content=content,
                params=params,
                headers=headers,
                follow_redirects=follow,
            ) as answer:
                self._met = True
                if answer.is_error:
                    await answer.aread()
                    raise refusal(answer)
                yield answer
        except httpx.TransportError as fault:
            # A service that never answered is more likely to be a wrong address than a restart.
            reason = str(fault) or type(fault).__name__
            raise Unreachable(f"{self.url}: {reason}", passing=self._met) from fault

    def cut_off(self, detail: str | None = None) -> Unreachable:
        """Return what to raise when a request or its answer ended before its end."""
        return Unreachable(f"{self.url}: {detail or 'the answer was cut off'}", passing=True)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()


def refusal(answer: httpx.Response) -> ApiError:
    """Return the error that an answer reports, be it Filmroll's or that of a proxy before it."""
    problem: dict[str, Any] = {
        "status": answer.status_code,
        "code": f"http-{answer.status_code}",
        "detail": answer.reason_phrase,
    }
    with suppress(ValueError, TypeError):
        problem |= dict(answer.json())
    wait = answer.headers.get("retry-after", "")
    return ApiError.of(problem, float(wait) if wait.isdecimal() else None)


def annotations(
    name: str | None,
    tags: Sequence[str],
    variants: Sequence[str],
    metadata: Mapping[str, Any] | None,
) -> Params:
    """Return what is said of an image beside its bytes, as an address carries it."""
    params: Params = [("tag", tag) for tag in tags]
    params += [("variant", text) for text in variants]
    if name is not None:
        params.append(("name", name))
    if metadata is not None:
        params.append(("metadata", json.dumps(metadata)))
    return params


async def ndjson(answer: httpx.Response) -> AsyncGenerator[Any, None]:
    """Yield the value of each whole line; one that the connection's end cut off is none."""
    rest = b""
    async for chunk in answer.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)
