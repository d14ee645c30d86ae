"""Endpoints of webhooks, and what is on its way to them."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Sequence
from dataclasses import replace

import apsw

from filmroll.catalog import batch_rules, rules
from filmroll.catalog import cursor as cursors
from filmroll.catalog.sqlite.tables import AT_ONCE, BATCHES, DELIVERIES, ENDPOINTS, Part
from filmroll.model import Batch, DeliveryState, Endpoint, EndpointState, WebhookDelivery
from filmroll.ports import DeliveryFilter, DeliveryPage
from filmroll.sqlite import rows

# Spelled as in the partial indexes.
_PENDING = "state = 'pending'"
_UNTOLD = "NOT told AND state NOT IN ('open', 'sealed')"


class Webhooks(Part):
    """The part of the catalog that knows webhooks."""

    async def untold_batches(self, limit: int) -> Sequence[Batch]:
        return self._db.read(BATCHES.select, f"WHERE {_UNTOLD} LIMIT ?", limit)

    async def tell_batch(self, batch: Batch, deliveries: Sequence[WebhookDelivery]) -> bool:
        return await self._db.write(_tell, batch, deliveries)

    async def add_endpoint(self, endpoint: Endpoint) -> Endpoint:
        return await self._db.write(_add, endpoint)

    async def get_endpoint(self, endpoint: str) -> Endpoint | None:
        return self._db.read(ENDPOINTS.get, endpoint)

    async def list_endpoints(self) -> Sequence[Endpoint]:
        return self._db.read(ENDPOINTS.select, "ORDER BY created_at, id")

    async def disable_endpoint(self, endpoint: str, detail: str, now: float) -> None:
        await self._db.write(_disable, endpoint, detail)
        while await self._db.write(_fail_pending, endpoint, detail, now) == AT_ONCE:
            pass

    async def delete_endpoint(self, endpoint: str) -> bool:
        while await self._db.write(_drop_deliveries, endpoint) == AT_ONCE:
            pass
        return await self._db.write(_delete, endpoint)

    async def get_delivery(self, delivery: str) -> WebhookDelivery | None:
        return self._db.read(DELIVERIES.get, delivery)

    async def list_deliveries(
        self, where: DeliveryFilter, limit: int, cursor: str | None
    ) -> DeliveryPage:
        found = self._db.read(_select, where, limit + 1, cursors.position(cursor, where))
        items, following = cursors.page(found, limit, where)
        return DeliveryPage(items=items, next_cursor=following)

    async def claim_deliveries(
        self, endpoint: str, limit: int, now: float, lease: float
    ) -> Sequence[WebhookDelivery]:
        if not self._db.read(_due, endpoint, now, 1):  # asked all the time, mostly in vain
            return ()
        return await self._db.write(_claim, endpoint, limit, now, lease)

    async def finish_delivery(self, delivery: WebhookDelivery) -> bool:
        return await self._db.write(_finish, delivery)

    async def replay_delivery(self, delivery: str, now: float) -> WebhookDelivery | None:
        return await self._db.write(_replay, delivery, now)

    async def expire_deliveries(self, before: float) -> None:
        while await self._db.write(_expire, before) == AT_ONCE:
            pass


def write_deliveries(connection: apsw.Connection, deliveries: Sequence[WebhookDelivery]) -> None:
    """Keep deliveries in the step that they tell of."""
    for delivery in deliveries:
        endpoint = ENDPOINTS.get(connection, delivery.endpoint)
        if endpoint is not None and endpoint.state is EndpointState.ACTIVE:
            DELIVERIES.add(connection, delivery)


def _tell(connection: apsw.Connection, batch: Batch, deliveries: Sequence[WebhookDelivery]) -> bool:
    told = batch_rules.told(BATCHES.get(connection, batch.id), batch)
    if told is None:
        return False
    BATCHES.put(connection, told)
    write_deliveries(connection, deliveries)
    return True


def _add(connection: apsw.Connection, endpoint: Endpoint) -> Endpoint:
    ENDPOINTS.add(connection, endpoint)
    stored = ENDPOINTS.get(connection, endpoint.id)
    assert stored is not None, "it was just written, or there before"
    return stored


def _disable(connection: apsw.Connection, endpoint: str, detail: str) -> None:
    stored = ENDPOINTS.get(connection, endpoint)
    if stored is not None:
        disabled = replace(stored, state=EndpointState.DISABLED, detail=detail)
        ENDPOINTS.put(connection, disabled)


def _fail_pending(connection: apsw.Connection, endpoint: str, detail: str, at: float) -> int:
    which = f"WHERE endpoint = ? AND {_PENDING} LIMIT ?"
    pending = DELIVERIES.select(connection, which, endpoint, AT_ONCE)
    for delivery in pending:
        failed = replace(delivery, state=DeliveryState.FAILED, detail=detail, finished_at=at)
        DELIVERIES.put(connection, failed)
    return len(pending)


def _drop_deliveries(connection: apsw.Connection, endpoint: str) -> int:
    statement = """
        DELETE FROM deliveries WHERE id IN
            (SELECT id FROM deliveries WHERE endpoint = ? LIMIT ?) RETURNING 1
    """
    return len(rows(connection, statement, endpoint, AT_ONCE))


def _delete(connection: apsw.Connection, endpoint: str) -> bool:
    rows(connection, "DELETE FROM deliveries WHERE endpoint = ?", endpoint)  # that came meanwhile
    return bool(rows(connection, "DELETE FROM endpoints WHERE id = ? RETURNING id", endpoint))


def _select(
    connection: apsw.Connection,
    where: DeliveryFilter,
    limit: int,
    before: tuple[float, str] | None,
) -> list[WebhookDelivery]:
    # The state stands in the text, so that the partial index serves.
    chosen = "" if where.state is None else f"AND state = '{where.state}' "
    older = "" if before is None else "AND (created_at, id) < (?, ?) "
    which = f"WHERE endpoint = ? {chosen}{older}ORDER BY created_at DESC, id DESC LIMIT ?"
    return DELIVERIES.select(connection, which, where.endpoint, *(before or ()), limit)


def _due(
    connection: apsw.Connection, endpoint: str, now: float, limit: int
) -> list[WebhookDelivery]:
    which = f"WHERE endpoint = ? AND {_PENDING} AND due_at <= ? ORDER BY due_at LIMIT ?"
    return DELIVERIES.select(connection, which, endpoint, now, limit)


def _claim(
    connection: apsw.Connection, endpoint: str, limit: int, now: float, lease: float
) -> list[WebhookDelivery]:
    due = _due(connection, endpoint, now, limit)
    claimed = [rules.posted(delivery, now, lease) for delivery in due]
    for delivery in claimed:
        DELIVERIES.put(connection, delivery)
    return claimed


def _finish(connection: apsw.Connection, delivery: WebhookDelivery) -> bool:
    if not rules.same_post(DELIVERIES.get(connection, delivery.id), delivery):
        return False
    DELIVERIES.put(connection, delivery)
    return True


def _replay(connection: apsw.Connection, delivery: str, now: float) -> WebhookDelivery | None:
    stored = DELIVERIES.get(connection, delivery)
    if stored is None:
        return None
    replayed = rules.replayed(stored, now)
    DELIVERIES.put(connection, replayed)
    return replayed


def _expire(connection: apsw.Connection, before: float) -> int:
    statement = """
        DELETE FROM deliveries WHERE id IN
            (SELECT id FROM deliveries WHERE finished_at < ? LIMIT ?) RETURNING 1
    """
    return len(rows(connection, statement, before, AT_ONCE))
