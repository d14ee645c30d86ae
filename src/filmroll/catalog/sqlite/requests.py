"""Requests under an Idempotency-Key, and their answers."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

import apsw

from filmroll.catalog import rules
from filmroll.catalog.sqlite.tables import AT_ONCE, REQUESTS, Part
from filmroll.model import IdempotentRequest
from filmroll.sqlite import rows


class Requests(Part):
    """The part of the catalog that knows requests."""

    async def begin_request(self, request: IdempotentRequest, now: float) -> IdempotentRequest:
        return await self._db.write(_begin, request, now)

    async def finish_request(self, request: IdempotentRequest) -> None:
        await self._db.write(_finish, request)

    async def drop_request(self, request: IdempotentRequest) -> None:
        await self._db.write(_drop, request)

    async def expire_requests(self, now: float) -> None:
        while await self._db.write(_expire, now) == AT_ONCE:
            pass


def _begin(
    connection: apsw.Connection, request: IdempotentRequest, now: float
) -> IdempotentRequest:
    holder = rules.holder(REQUESTS.get(connection, request.key), request, now)
    if holder is request:
        REQUESTS.put(connection, request)
    return holder


def _finish(connection: apsw.Connection, request: IdempotentRequest) -> None:
    if rules.holds(REQUESTS.get(connection, request.key), request):
        REQUESTS.put(connection, request)


def _drop(connection: apsw.Connection, request: IdempotentRequest) -> None:
    if rules.holds(REQUESTS.get(connection, request.key), request):
        rows(connection, "DELETE FROM requests WHERE key = ?", request.key)


def _expire(connection: apsw.Connection, now: float) -> int:
    statement = """
        DELETE FROM requests WHERE key IN
            (SELECT key FROM requests WHERE expires_at <= ? LIMIT ?) RETURNING 1
    """
    return len(rows(connection, statement, now, AT_ONCE))
