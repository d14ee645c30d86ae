"""Fetching and posting to servers of someone else's choosing: one attempt, every step guarded."""

from collections.abc import Callable, Mapping, Sequence

import httpx

from filmroll.errors import FetchFailed, TooLarge
from filmroll.fetch import answers
from filmroll.fetch.exchange import Answer, Budget, Call, Exchanges
from filmroll.fetch.guard import Guard
from filmroll.fetch.network import GuardedNetwork, Resolve, SystemResolver
from filmroll.fetch.urls import host_of, redirected, target
from filmroll.ports import Fetched, Reply, Sink

MOST_REDIRECTS = 5
MOST_DETAIL_BYTES = 4096
DETAIL_SECONDS = 2.0  # the status alone says what became of a post; its text is for the log


class GuardedClient:
    """``ports.Fetcher`` and ``ports.Poster``; what is not public is reached only if allowed.

    Times are in seconds: to connect, without a byte, for the whole. The wait for other requests
    to the same host does not count.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        resolve: Resolve | None = None,
        connect_seconds: float = 5.0,
        idle_seconds: float = 15.0,
        fetch_seconds: float = 60.0,
        post_seconds: float = 20.0,
    ) -> None:
        """``allow``: see Guard, ValueError included."""
        self._system = SystemResolver()
        network = GuardedNetwork(Guard(allow), resolve or self._system)
        self._exchanges = Exchanges(network, connect_seconds, idle_seconds)
        self._fetch_seconds = fetch_seconds
        self._post_seconds = post_seconds

    async def fetch(
        self,
        url: str,
        sink: Sink,
        limit: int | None = None,
        allowed: Callable[[str], bool] | None = None,
    ) -> Fetched:
        """Write what lies under the URL to ``sink``; see ``ports.Fetcher``."""
        at = target(url)
        budget = Budget(self._fetch_seconds)
        for _ in range(MOST_REDIRECTS + 1):
            async with self._exchanges.send(Call(method="GET", url=at), budget) as answer:
                location = answers.location(answer.status, answer.headers)
                if location is None:
                    return await _take(at, answer, sink, limit)
            at = redirected(at, location)
            if allowed is not None and not allowed(str(at)):
                raise FetchFailed(f"The URL redirects to {host_of(at)}, to what is no source here.")
        raise FetchFailed(f"The URL leads through more than {MOST_REDIRECTS} redirects.")

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Post once and return the answer; see ``ports.Poster``."""
        call = Call(method="POST", url=target(url), headers=headers, body=body)
        async with self._exchanges.send(call, Budget(self._post_seconds)) as answer:
            text = await answer.beginning(MOST_DETAIL_BYTES, DETAIL_SECONDS)
            return Reply(
                status=answer.status,
                detail=answers.printable(text),
                retry_after=answers.retry_after(answer.headers),
            )

    async def close(self) -> None:
        """Close all connections."""
        await self._exchanges.close()
        self._system.close()


async def _take(at: httpx.URL, answer: Answer, sink: Sink, limit: int | None) -> Fetched:
    answers.require_body(host_of(at), answer.status, answer.headers)
    announced = answers.announced_bytes(answer.headers)
    if limit is not None and announced is not None and announced > limit:
        raise TooLarge(
            f"{host_of(at)} announces {announced} bytes; an image may have at most {limit}.",
            limit=limit,
            actual=announced,
        )
    async for chunk in answer.body:
        await sink.write(chunk)
    return Fetched(
        url=str(at),
        content_type=answers.content_type(answer.headers),
        name=answers.file_name(at, answer.headers),
    )
