"""Servers of other people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


class Sink(Protocol):
    """Where a body goes that comes in chunks."""

    async def write(self, chunk: bytes) -> None:
        """Take a chunk; raise TooLarge as soon as it is too much."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What was said of a body that was fetched: nothing of it is to be trusted."""

    url: str  # where it lay in the end, after redirects
    content_type: str | None
    name: str | None  # a bare file name, without control characters


class Fetcher(Protocol):
    """Gets what lies under a URL of someone else's choosing, from public servers only."""

    async def fetch(
        self,
        url: str,
        sink: Sink,
        limit: int | None = None,
        allowed: Callable[[str], bool] | None = None,
    ) -> Fetched:
        """Write the body to ``sink`` and return when it is whole: one attempt, bounded in time.

        With a ``limit`` in bytes TooLarge is raised before the first one, if more are announced.
        A redirect is followed only to what is ``allowed``, if that is given; else FetchFailed.
        Raises ForbiddenAddress and FetchFailed, which are final; FetchUnavailable, after which
        another attempt may do better; and what the sink raises.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """How a server answered a post; ``retry_after`` in seconds, if it named a time."""

    status: int
    detail: str  # how the answer's text begins
    retry_after: int | None


class Poster(Protocol):
    """Sends a body to a URL of someone else's choosing, to public servers only."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Post once and return the answer, whatever its status; a redirect is not followed.

        Raises what Fetcher does if there is no answer.
        """
