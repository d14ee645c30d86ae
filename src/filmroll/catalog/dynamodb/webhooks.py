"""Endpoints of webhooks, and what is on its way to them."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

from filmroll.catalog import cursor as cursors
from filmroll.catalog import rules
from filmroll.catalog.dynamodb.deliveries import (
    ENDPOINTS,
    delivery_content,
    delivery_key,
    due_partition,
    log_partition,
    read_endpoint,
)
from filmroll.catalog.dynamodb.merging import found, pages
from filmroll.catalog.dynamodb.part import Part
from filmroll.catalog.dynamodb.record import item_of, pack, unpack
from filmroll.catalog.dynamodb.schema import DUE, NEWEST, moment
from filmroll.catalog.dynamodb.table import ABSENT, Item, number, text, together
from filmroll.model import DeliveryState, Endpoint, EndpointState, WebhookDelivery
from filmroll.ports import DeliveryFilter, DeliveryPage

_AT_ONCE = 200


class Webhooks(Part):
    """The part of the catalog that knows webhooks."""

    async def add_endpoint(self, endpoint: Endpoint) -> Endpoint:
        await self._table.put(_endpoint_item(endpoint), ABSENT)
        stored = await self.get_endpoint(endpoint.id)
        return stored or endpoint

    async def get_endpoint(self, endpoint: str) -> Endpoint | None:
        return await read_endpoint(self._table, endpoint)

    async def list_endpoints(self) -> Sequence[Endpoint]:
        items = self._table.query(ENDPOINTS)
        endpoints = [unpack(Endpoint, item["whole"]) async for item in items]
        return sorted(endpoints, key=lambda one: (one.created_at, one.id))

    async def disable_endpoint(self, endpoint: str, detail: str, now: float) -> None:
        stored = await self.get_endpoint(endpoint)
        if stored is None:
            return
        disabled = replace(stored, state=EndpointState.DISABLED, detail=detail)
        await self._table.put(_endpoint_item(disabled), "attribute_exists(pk)")

        def failed(delivery: WebhookDelivery) -> WebhookDelivery | None:
            if delivery.state is not DeliveryState.PENDING:
                return None
            return replace(delivery, state=DeliveryState.FAILED, detail=detail, finished_at=now)

        pending = self._table.find(DUE, due_partition(endpoint), limit=_AT_ONCE)
        async for some in pages(pending, _AT_ONCE):
            await together([self._change_delivery(_id(it), failed) for it in some])

    async def delete_endpoint(self, endpoint: str) -> bool:
        existed = await self._table.delete((ENDPOINTS, endpoint), "attribute_exists(pk)")
        log = self._table.find(NEWEST, log_partition(endpoint), limit=_AT_ONCE)
        async for some in pages(log, _AT_ONCE):
            await self._table.delete_all([delivery_key(_id(item)) for item in some])
        return existed

    async def get_delivery(self, delivery: str) -> WebhookDelivery | None:
        item = await self._table.get(*delivery_key(delivery))
        return None if item is None else unpack(WebhookDelivery, item["whole"])

    async def list_deliveries(
        self, where: DeliveryFilter, limit: int, cursor: str | None
    ) -> DeliveryPage:
        before = cursors.position(cursor, where)
        log = self._table.find(
            NEWEST,
            log_partition(where.endpoint),
            under=None if before is None else text(moment(*before)),
            backwards=True,
            limit=limit + 2,
        )

        async def chosen(items: list[Item]) -> list[WebhookDelivery]:
            return [
                delivery
                for delivery in await self._deliveries(items)
                if where.state in {None, delivery.state}
                and (delivery.created_at, delivery.id) != before
            ]

        shown = await found(log, chosen, limit + 1)
        items, following = cursors.page(shown, limit, where)
        return DeliveryPage(items=items, next_cursor=following)

    async def claim_deliveries(
        self, endpoint: str, limit: int, now: float, lease: float
    ) -> Sequence[WebhookDelivery]:
        claimed: list[WebhookDelivery] = []
        async for item in self._due(endpoint, now, limit):
            delivery = await self._claim(_id(item), now, lease)
            if delivery is not None:
                claimed.append(delivery)
            if len(claimed) == limit:
                break
        return claimed

    async def finish_delivery(self, delivery: WebhookDelivery) -> bool:
        done = await self._change_delivery(
            delivery.id, lambda stored: delivery if rules.same_post(stored, delivery) else None
        )
        return done is not None

    async def replay_delivery(self, delivery: str, now: float) -> WebhookDelivery | None:
        return await self._change_delivery(delivery, lambda stored: rules.replayed(stored, now))

    async def expire_deliveries(self, before: float) -> None:
        await self._forget("delivered", before)

    def _due(self, endpoint: str, now: float, limit: int) -> AsyncIterator[Item]:
        return self._table.find(DUE, due_partition(endpoint), under=number(now), limit=limit)

    async def _claim(self, delivery: str, now: float, lease: float) -> WebhookDelivery | None:
        def claimed(stored: WebhookDelivery) -> WebhookDelivery | None:
            if stored.state is not DeliveryState.PENDING or stored.due_at > now:
                return None
            return rules.posted(stored, now, lease)

        return await self._change_delivery(delivery, claimed)

    async def _deliveries(self, items: Sequence[Item]) -> list[WebhookDelivery]:
        """Return the deliveries that an index names, in its order."""
        keys = [delivery_key(_id(item)) for item in items]
        there = await self._table.get_all(keys)
        return [unpack(WebhookDelivery, there[key]["whole"]) for key in keys if key in there]

    async def _change_delivery(
        self, id_: str, decide: Callable[[WebhookDelivery], WebhookDelivery | None]
    ) -> WebhookDelivery | None:
        """Replace a delivery by what is decided of it; return that, or None if nothing was."""

        def decided(stored: WebhookDelivery | None) -> WebhookDelivery | None:
            return None if stored is None else decide(stored)

        key = delivery_key(id_)
        return await self._change_item(key, WebhookDelivery, delivery_content, decided)


def _id(item: Item) -> str:
    return str(item["pk"]["S"]).partition("#")[2]


def _endpoint_item(endpoint: Endpoint) -> dict[str, Any]:
    return item_of((ENDPOINTS, endpoint.id), 1, {"whole": pack(endpoint)})
