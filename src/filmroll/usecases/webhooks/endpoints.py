"""Endpoints of webhooks: made, looked at, removed; the log of what was sent; sending it again."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from filmroll.errors import Conflict, InvalidRequest, NotFound
from filmroll.instructions import writable
from filmroll.model import (
    DeliveryState,
    Endpoint,
    EndpointState,
    Event,
    WebhookDelivery,
    new_id,
    now,
)
from filmroll.ports import Catalog, DeliveryFilter, DeliveryPage
from filmroll.usecases.images import MAX_PAGE, Annotations
from filmroll.usecases.webhooks import shaping
from filmroll.usecases.webhooks.announcing import Announcer

MAX_ENDPOINTS = 100  # whatever happens is written down once for each
MAX_URL = 2048  # characters
SECRET_BYTES = range(24, 65)
_PREFIX = "whsec_"
_NEW_SECRET_BYTES = 32


class Endpoints:
    """Those who are told."""

    def __init__(self, catalog: Catalog, announcer: Announcer) -> None:
        self._catalog = catalog
        self._announcer = announcer

    async def create(
        self,
        *,
        url: str,
        events: Sequence[Event] | None,
        secret: str | None,
        name: str | None,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        endpoint_id: str | None = None,
    ) -> Endpoint:
        """Begin to tell a URL; return the same endpoint again under an id used before.

        Whether the URL leads anywhere, and whether it may be followed there, each delivery finds
        out. Raises InvalidRequest with a pointer, and Conflict when there are too many.
        """
        Annotations(name=name).check()
        shaping.check(headers or {}, body, events)
        endpoint = Endpoint(
            id=endpoint_id or new_id(),
            url=_checked_url(url),
            secret=_new_secret() if secret is None else _checked_secret(secret),
            created_at=now(),
            events=None if events is None else tuple(dict.fromkeys(events)),
            name=name,
            headers={key.lower(): value for key, value in (headers or {}).items()},
            body=body,
        )
        if len(await self._catalog.list_endpoints()) >= MAX_ENDPOINTS:
            raise Conflict(
                f"There are {MAX_ENDPOINTS} endpoints. Remove one that is not needed any more.",
                limit=MAX_ENDPOINTS,
            )
        added = await self._catalog.add_endpoint(endpoint)
        self._announcer.forget()
        return added

    async def get(self, endpoint: str) -> Endpoint:
        """Return an endpoint; raise NotFound."""
        found = await self._catalog.get_endpoint(endpoint)
        if found is None:
            raise NotFound("There is no webhook with this id.")
        return found

    async def list(self) -> Sequence[Endpoint]:
        """Return all endpoints, oldest first."""
        return await self._catalog.list_endpoints()

    async def delete(self, endpoint: str) -> None:
        """Remove an endpoint, its log, and what was still to be sent; raise NotFound."""
        await self.get(endpoint)
        await self._catalog.delete_endpoint(endpoint)
        self._announcer.forget()

    async def deliveries(
        self, endpoint: str, state: DeliveryState | None, limit: int, cursor: str | None
    ) -> DeliveryPage:
        """Return a page of the log, newest first; raise NotFound."""
        await self.get(endpoint)
        where = DeliveryFilter(endpoint=endpoint, state=state)
        return await self._catalog.list_deliveries(where, min(limit, MAX_PAGE), cursor)

    async def replay(self, endpoint: str, delivery: str) -> WebhookDelivery:
        """Send a delivery again, now, under its old id; raise NotFound, or Conflict if disabled."""
        to = await self.get(endpoint)
        found = await self._catalog.get_delivery(delivery)
        if found is None or found.endpoint != endpoint:
            raise NotFound("This webhook has no delivery with this id.")
        if to.state is EndpointState.DISABLED:
            raise Conflict("The webhook is disabled; nothing is sent to it.", state=to.state)
        replayed = await self._catalog.replay_delivery(delivery, now())
        if replayed is None:  # forgotten since it was looked up
            raise NotFound("This webhook has no delivery with this id.")
        return replayed


def _new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_NEW_SECRET_BYTES)).decode()


def _checked_secret(secret: str) -> str:
    try:
        size = len(base64.b64decode(secret.removeprefix(_PREFIX), validate=True))
    except ValueError:
        size = 0
    if size not in SECRET_BYTES or not secret.startswith(_PREFIX):
        raise InvalidRequest(
            f"A secret is {_PREFIX} and {SECRET_BYTES[0]} to {SECRET_BYTES[-1]} bytes in base64.",
            pointer="/secret",
        )
    return secret


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        web = parts.scheme in {"http", "https"} and bool(parts.hostname)
        fits = web and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        fits = False
    if not fits or len(url) > MAX_URL or not writable(url):
        raise InvalidRequest(
            f"A webhook goes to a URL of http or https, without a user name, of at most {MAX_URL} "
            "characters.",
            pointer="/url",
            limit=MAX_URL,
        )
    return url
