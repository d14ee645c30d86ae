"""Deliveries of webhooks: items of their own, in the log of their endpoint."""

from collections.abc import Sequence
from typing import Any

from filmroll.catalog.dynamodb.record import item_of, pack, unpack
from filmroll.catalog.dynamodb.schema import RECORD, moment
from filmroll.catalog.dynamodb.table import ABSENT, Key, Table, number, text
from filmroll.model import DeliveryState, Endpoint, EndpointState, WebhookDelivery

ENDPOINTS = "endpoints"  # the ``pk`` of all endpoints: there are few


def delivery_key(id_: str) -> Key:
    """Return the key of a delivery's item."""
    return f"delivery#{id_}", RECORD


def log_partition(endpoint: str) -> str:
    """Return where in the index of what is new the deliveries of an endpoint stand."""
    return f"deliveries#{endpoint}"


def due_partition(endpoint: str) -> str:
    """Return where in the index of what is due those stand that are still to be delivered."""
    return f"deliver#{endpoint}"


def delivery_content(delivery: WebhookDelivery) -> dict[str, Any]:
    """Return what is in the item of a delivery, with its places in the indexes."""
    content: dict[str, Any] = {
        "whole": pack(delivery),
        "lk": text(log_partition(delivery.endpoint)),
        "ls": text(moment(delivery.created_at, delivery.id)),
    }
    if delivery.state is DeliveryState.PENDING:
        due = {"dk": text(due_partition(delivery.endpoint)), "ds": number(delivery.due_at)}
        return content | due
    if delivery.finished_at is not None:
        return content | {"dk": text("delivered"), "ds": number(delivery.finished_at)}
    return content


async def read_endpoint(table: Table, endpoint: str) -> Endpoint | None:
    """Return an endpoint."""
    item = await table.get(ENDPOINTS, endpoint)
    return None if item is None else unpack(Endpoint, item["whole"])


async def keep_deliveries(table: Table, deliveries: Sequence[WebhookDelivery]) -> None:
    """Give deliveries to active endpoints items of their own; twice is harmless."""
    for delivery in deliveries:
        endpoint = await read_endpoint(table, delivery.endpoint)
        if endpoint is not None and endpoint.state is EndpointState.ACTIVE:
            item = item_of(delivery_key(delivery.id), 1, delivery_content(delivery))
            await table.put(item, ABSENT)
