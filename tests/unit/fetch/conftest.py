"""Clients that are closed, and sinks that are the spools of the service."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from filmroll.fetch import GuardedClient
from filmroll.usecases.spool import Memory, Spool, too_large

MakeClient = Callable[..., GuardedClient]


@pytest.fixture
async def make_client() -> AsyncIterator[MakeClient]:
    async with AsyncExitStack() as stack:

        def make(*allow: str, **options: Any) -> GuardedClient:
            client = GuardedClient(allow=allow, **options)
            stack.push_async_callback(client.close)
            return client

        yield make


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path, 1_000_000, Memory(), too_large)) as spool:
        yield spool
