"""What the adapters of AWS's services, and of those that speak like them, share.

A store is named by a URL: ``s3://bucket/prefix``, ``dynamodb://table``, ``sqs://prefix``, each with
``?region=…&endpoint=…`` where the surroundings do not say it. Credentials are found where AWS's own
tools look for them: environment, profile, the role of the machine or of the container.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from filmroll.errors import StoreUnavailable

_CONNECT_SECONDS = 2
_READ_SECONDS = 10
_ATTEMPTS = 4  # with pauses between them that grow and vary: about five seconds at the most
_CONNECTIONS = 64


_session = cache(get_session)  # what it reads of services and credentials, it reads once


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a store is; ``path`` is what follows the name, without the slash between them."""

    service: str
    name: str
    path: str = ""
    region: str | None = None
    endpoint: str | None = None

    @classmethod
    def of(cls, url: str) -> "Place":
        """Read a store's URL; ValueError says what is wrong with it."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        region, endpoint = options.pop("region", None), options.pop("endpoint", None)
        if not parts.netloc:
            raise ValueError(f"{parts.scheme}:// must be followed by a name")
        if options:
            raise ValueError(f"knows region and endpoint behind the ?, not {min(options)}")
        if endpoint is not None and not endpoint.startswith(("http://", "https://")):
            raise ValueError("endpoint must begin with http:// or https://")
        return cls(
            service=parts.scheme,
            name=parts.netloc,
            path=parts.path.strip("/"),
            region=region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
            endpoint=endpoint,
        )


def client(place: Place, read_seconds: float = _READ_SECONDS) -> AbstractAsyncContextManager[Any]:
    """Return a client of a store's service, to be entered; it never waits without a bound."""
    config = AioConfig(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=_CONNECTIONS,
    )
    opened: AbstractAsyncContextManager[Any] = _session().create_client(
        place.service, region_name=place.region, endpoint_url=place.endpoint, config=config
    )
    return opened


def code_of(error: ClientError) -> str:
    """Return what a service calls its refusal, such as ``ConditionalCheckFailedException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn every error of a service into StoreUnavailable; ``what`` names it to the client.

    A refusal that means something to the caller is to be caught inside.
    """
    try:
        yield
    except (BotoCoreError, ClientError, OSError, TimeoutError) as exc:
        raise StoreUnavailable(f"The {what} cannot be reached. Nothing was kept.") from exc
