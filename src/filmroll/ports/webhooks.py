"""The catalog's part about webhooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from filmroll.model import DeliveryState, Endpoint, WebhookDelivery


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryFilter:
    """Which deliveries of an endpoint to list."""

    endpoint: str
    state: DeliveryState | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryPage:
    """A page of a listing, newest first; ``next_cursor`` is None on the last one."""

    items: tuple[WebhookDelivery, ...]
    next_cursor: str | None


class WebhooksCatalog(Protocol):
    """Who is told of what, and whether it arrived."""

    async def add_endpoint(self, endpoint: Endpoint) -> Endpoint:
        """Add an endpoint; if the id exists already, return the one that is there, unchanged."""

    async def get_endpoint(self, endpoint: str) -> Endpoint | None:
        """Return an endpoint."""

    async def list_endpoints(self) -> Sequence[Endpoint]:
        """Return all endpoints, oldest first."""

    async def disable_endpoint(self, endpoint: str, detail: str, now: float) -> None:
        """Send an endpoint nothing any more: what is pending fails, with this detail."""

    async def delete_endpoint(self, endpoint: str) -> bool:
        """Remove an endpoint and its deliveries; False if there was none."""

    async def get_delivery(self, delivery: str) -> WebhookDelivery | None:
        """Return a delivery."""

    async def list_deliveries(
        self, where: DeliveryFilter, limit: int, cursor: str | None
    ) -> DeliveryPage:
        """List deliveries, newest first; raises InvalidRequest for a foreign cursor."""

    async def claim_deliveries(
        self, endpoint: str, limit: int, now: float, lease: float
    ) -> Sequence[WebhookDelivery]:
        """Start an attempt at deliveries that are due: one attempt more, ``due_at = now + lease``.

        Most overdue first. None is started twice before its lease is over.
        """

    async def finish_delivery(self, delivery: WebhookDelivery) -> bool:
        """Write the end of an attempt.

        False, and no change, unless the delivery is still pending at this very attempt.
        """

    async def replay_delivery(self, delivery: str, now: float) -> WebhookDelivery | None:
        """Make a delivery due now, once more if it has ended; None if it is unknown."""

    async def expire_deliveries(self, before: float) -> None:
        """Forget deliveries that ended before that time, by ``finished_at``."""
