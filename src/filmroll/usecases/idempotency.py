"""Requests under an Idempotency-Key: the first answer again, instead of the work twice."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from filmroll.errors import IdempotencyInProgress, IdempotencyKeyReused, StoreUnavailable
from filmroll.model import IdempotentRequest, now
from filmroll.ports import Catalog

KEPT_SECONDS = 86_400.0
# How long a request may run before an equal one may take its place: its process has died.
LOCK_SECONDS = 90.0
_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer, as it was first given."""

    status: int
    headers: Mapping[str, str]
    body: str


class Idempotency:
    """Remembers answers by key for 24 hours."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._dropping: set[asyncio.Task[None]] = set()

    async def begin(self, key: str, fingerprint: str) -> Answer | IdempotentRequest:
        """Claim a key, or return the answer that it led to before.

        Raises IdempotencyKeyReused for another payload, IdempotencyInProgress for the same one.
        """
        at = now()
        request = IdempotentRequest(
            key=key,
            fingerprint=fingerprint,
            expires_at=at + KEPT_SECONDS,
            locked_until=at + LOCK_SECONDS,
        )
        held = await self._catalog.begin_request(request, at)
        if held.fingerprint != fingerprint:
            raise IdempotencyKeyReused(
                "This Idempotency-Key was used with another payload. Take a new key."
            )
        if held.status is not None:
            return Answer(status=held.status, headers=held.headers, body=held.body)
        if held != request:
            raise IdempotencyInProgress(
                "The first request with this Idempotency-Key is still running.", retry_after=1
            )
        return request

    async def finish(self, request: IdempotentRequest, answer: Answer) -> None:
        """Keep the answer of a claimed key."""
        await self._catalog.finish_request(
            replace(request, status=answer.status, headers=answer.headers, body=answer.body)
        )

    async def drop(self, request: IdempotentRequest) -> None:
        """Free a key whose request was refused: nothing was created under it.

        If the catalog is away, perhaps for that reason, it is tried until the lock is over.
        """
        try:
            await self._catalog.drop_request(request)
        except StoreUnavailable:
            task = asyncio.create_task(self._drop_later(request))
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)

    async def _drop_later(self, request: IdempotentRequest) -> None:
        while now() < request.locked_until:
            await asyncio.sleep(_AGAIN_SECONDS)
            with suppress(StoreUnavailable):
                await self._catalog.drop_request(request)
                return
