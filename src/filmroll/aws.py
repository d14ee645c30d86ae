"""What the adapters of AWS's services, and of those that speak like them, share.

Credentials are found where AWS's own tools look for them: in the environment, in the role of the
machine or of the container.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from filmroll.errors import StoreUnavailable
from filmroll.place import Place

_CONNECT_SECONDS = 2
_READ_SECONDS = 10
_ATTEMPTS = 4  # with pauses between them that grow and vary: about five seconds at the most
_CONNECTIONS = 64
_PATIENCE_SECONDS = 15.0  # of those who wait until they may ask


_session = cache(get_session)  # what it reads of services and credentials, it reads once


def client(place: Place, read_seconds: float = _READ_SECONDS) -> AbstractAsyncContextManager[Any]:
    """Return a client of a store's service, to be entered; it never waits without a bound."""
    config = AioConfig(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=_CONNECTIONS,
        signature_version="s3v4" if place.service == "s3" else None,  # older ones pin nothing
    )
    opened: AbstractAsyncContextManager[Any] = _session().create_client(
        place.service, region_name=place.region, endpoint_url=place.endpoint, config=config
    )
    return opened


def code_of(error: ClientError) -> str:
    """Return what a service calls its refusal, such as ``ConditionalCheckFailedException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def time_of(answer: Mapping[str, Any]) -> float:
    """Return when a service answered, by its own clock: whole seconds since the epoch."""
    date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
    return parsedate_to_datetime(date).timestamp()


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn every error of a service into StoreUnavailable; ``what`` names it to the client.

    A refusal that means something to the caller is to be caught inside.
    """
    try:
        yield
    except (BotoCoreError, ClientError, OSError, TimeoutError) as exc:
        raise StoreUnavailable(f"The {what} cannot be reached. Nothing was kept.") from exc


@asynccontextmanager
async def permit(permits: asyncio.Semaphore, patience: float | None = None) -> AsyncIterator[None]:
    """Hold one of the permits to ask a store; raise StoreUnavailable if none gets free in time.

    Each request is bounded, but while a store stays away those before this one take all their time.
    ``patience`` is in seconds; by default it is what small requests need.
    """
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS if patience is None else patience):
            await permits.acquire()
    except TimeoutError as exc:
        raise StoreUnavailable("Too many wait for a store. Nothing was kept.") from exc
    try:
        yield
    finally:
        permits.release()
