"""Endpoints of webhooks, and what is on its way to them, in memory."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Sequence
from dataclasses import replace

from filmroll.catalog import batch_rules, rules
from filmroll.catalog import cursor as cursors
from filmroll.model import Batch, DeliveryState, Endpoint, EndpointState, WebhookDelivery
from filmroll.ports import DeliveryFilter, DeliveryPage


class Webhooks:
    """The part of the catalog that knows webhooks."""

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._deliveries: dict[str, WebhookDelivery] = {}

    async def untold_batches(self, limit: int) -> Sequence[Batch]:
        ended = [batch for batch in self._batches.values() if batch.state.final and not batch.told]
        return ended[:limit]

    async def tell_batch(self, batch: Batch, deliveries: Sequence[WebhookDelivery]) -> bool:
        told = batch_rules.told(self._batches.get(batch.id), batch)
        if told is None:
            return False
        self._batches[batch.id] = told
        self._write_deliveries(deliveries)
        return True

    async def add_endpoint(self, endpoint: Endpoint) -> Endpoint:
        return self._endpoints.setdefault(endpoint.id, endpoint)

    async def get_endpoint(self, endpoint: str) -> Endpoint | None:
        return self._endpoints.get(endpoint)

    async def list_endpoints(self) -> Sequence[Endpoint]:
        return sorted(self._endpoints.values(), key=lambda one: (one.created_at, one.id))

    async def disable_endpoint(self, endpoint: str, detail: str, now: float) -> None:
        if endpoint not in self._endpoints:
            return
        self._endpoints[endpoint] = replace(
            self._endpoints[endpoint], state=EndpointState.DISABLED, detail=detail
        )
        for delivery in self._sent_to(endpoint):
            if delivery.state is DeliveryState.PENDING:
                failed = replace(
                    delivery, state=DeliveryState.FAILED, detail=detail, finished_at=now
                )
                self._deliveries[delivery.id] = failed

    async def delete_endpoint(self, endpoint: str) -> bool:
        for delivery in self._sent_to(endpoint):
            del self._deliveries[delivery.id]
        return self._endpoints.pop(endpoint, None) is not None

    async def get_delivery(self, delivery: str) -> WebhookDelivery | None:
        return self._deliveries.get(delivery)

    async def list_deliveries(
        self, where: DeliveryFilter, limit: int, cursor: str | None
    ) -> DeliveryPage:
        matching = [
            delivery
            for delivery in self._sent_to(where.endpoint)
            if where.state in {None, delivery.state}
        ]
        found = cursors.newest(matching, cursors.position(cursor, where))
        items, following = cursors.page(found, limit, where)
        return DeliveryPage(items=items, next_cursor=following)

    async def claim_deliveries(
        self, endpoint: str, limit: int, now: float, lease: float
    ) -> Sequence[WebhookDelivery]:
        due = [
            delivery
            for delivery in self._sent_to(endpoint)
            if delivery.state is DeliveryState.PENDING and delivery.due_at <= now
        ]
        due.sort(key=lambda delivery: delivery.due_at)
        claimed = [rules.posted(delivery, now, lease) for delivery in due[:limit]]
        self._deliveries |= {delivery.id: delivery for delivery in claimed}
        return claimed

    async def finish_delivery(self, delivery: WebhookDelivery) -> bool:
        if not rules.same_post(self._deliveries.get(delivery.id), delivery):
            return False
        self._deliveries[delivery.id] = delivery
        return True

    async def replay_delivery(self, delivery: str, now: float) -> WebhookDelivery | None:
        if delivery not in self._deliveries:
            return None
        self._deliveries[delivery] = rules.replayed(self._deliveries[delivery], now)
        return self._deliveries[delivery]

    async def expire_deliveries(self, before: float) -> None:
        for delivery in list(self._deliveries.values()):
            if delivery.finished_at is not None and delivery.finished_at < before:
                del self._deliveries[delivery.id]

    def _sent_to(self, endpoint: str) -> list[WebhookDelivery]:
        return [one for one in self._deliveries.values() if one.endpoint == endpoint]

    def _write_deliveries(self, deliveries: Sequence[WebhookDelivery]) -> None:
        """Keep deliveries in the step that they tell of."""
        for delivery in deliveries:
            endpoint = self._endpoints.get(delivery.endpoint)
            if endpoint is not None and endpoint.state is EndpointState.ACTIVE:
                self._deliveries.setdefault(delivery.id, delivery)
