"""Presets, keys, and requests under an Idempotency-Key."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Mapping, Sequence
from typing import Any

from filmroll.catalog import rules
from filmroll.catalog.dynamodb.deliveries import keep_deliveries
from filmroll.catalog.dynamodb.part import Part
from filmroll.catalog.dynamodb.record import item_of, pack, unpack
from filmroll.catalog.dynamodb.schema import RECORD
from filmroll.catalog.dynamodb.table import ABSENT, Key, number, text
from filmroll.model import AccessKey, IdempotentRequest, Preset, SigningKey, WebhookDelivery

# What there are few of lies under one ``pk``.
_PRESETS, _ACCESS_KEYS, _SIGNING_KEYS = "presets", "access-keys", "signing-keys"

_KINDS: Mapping[str, Any] = {
    _PRESETS: Preset,
    _ACCESS_KEYS: AccessKey,
    _SIGNING_KEYS: SigningKey,
}


class Access(Part):
    """The part of the catalog that knows presets, keys and requests."""

    # Answers before this time are forgotten, though DynamoDB takes its time to remove them.
    _forgotten_before = 0.0

    async def put_preset(self, preset: Preset, deliveries: Sequence[WebhookDelivery] = ()) -> None:
        # First, for a crash between the two would lose them: one too many does no harm.
        await keep_deliveries(self._table, deliveries)
        await self._change_item(
            (_PRESETS, preset.name),
            Preset,
            _content,
            lambda stored: rules.kept_preset(stored, preset),
        )

    async def get_presets(self, names: Sequence[str]) -> Mapping[str, Preset]:
        found = await self._table.get_all([(_PRESETS, name) for name in names])
        return {name: unpack(Preset, it["whole"]) for (_, name), it in found.items()}

    async def list_presets(self) -> Sequence[Preset]:
        return sorted(await self._all(_PRESETS), key=lambda preset: preset.name)

    async def delete_preset(self, name: str, deliveries: Sequence[WebhookDelivery] = ()) -> bool:
        if await self._table.get(_PRESETS, name) is None:
            return False
        await keep_deliveries(self._table, deliveries)  # first, as above
        return await self._table.delete((_PRESETS, name), "attribute_exists(pk)")

    async def add_access_key(self, key: AccessKey) -> None:
        await self._table.put(item_of((_ACCESS_KEYS, key.id), 1, _content(key)), ABSENT)
        pk, sk = _by_hash(key.hash)
        await self._table.put({"pk": text(pk), "sk": text(sk), "id": text(key.id)}, ABSENT)

    async def find_access_key(self, hash_: str) -> AccessKey | None:
        found = await self._table.get(*_by_hash(hash_))
        item = await self._table.get(_ACCESS_KEYS, found["id"]["S"]) if found else None
        return None if item is None else unpack(AccessKey, item["whole"])

    async def list_access_keys(self) -> Sequence[AccessKey]:
        return sorted(await self._all(_ACCESS_KEYS), key=lambda key: (key.created_at, key.id))

    async def add_signing_key(self, key: SigningKey) -> None:
        await self._table.put(item_of((_SIGNING_KEYS, key.id), 1, _content(key)), ABSENT)

    async def list_signing_keys(self) -> Sequence[SigningKey]:
        return sorted(await self._all(_SIGNING_KEYS), key=lambda key: (key.created_at, key.id))

    async def revoke_key(self, key: str, now: float) -> bool:
        def revoked(stored: Any) -> Any:
            return None if stored is None else rules.revoked(stored, now)

        kinds = (_ACCESS_KEYS, _SIGNING_KEYS)
        done = [await self._change_item((of, key), _KINDS[of], _content, revoked) for of in kinds]
        return any(one is not None for one in done)

    async def begin_request(self, request: IdempotentRequest, now: float) -> IdempotentRequest:
        at = max(now, self._forgotten_before)

        def held(stored: IdempotentRequest | None) -> IdempotentRequest:
            forgotten = stored is not None and stored.expires_at <= at
            return rules.holder(None if forgotten else stored, request, now)

        key = _by_key(request.key)
        holder = await self._change_item(key, IdempotentRequest, _content, held)
        return holder or request

    async def finish_request(self, request: IdempotentRequest) -> None:
        def answered(stored: IdempotentRequest | None) -> IdempotentRequest | None:
            return request if rules.holds(stored, request) else None

        await self._change_item(_by_key(request.key), IdempotentRequest, _content, answered)

    async def drop_request(self, request: IdempotentRequest) -> None:
        key = _by_key(request.key)
        item = await self._table.get(*key)
        if item is None:
            return
        stored = unpack(IdempotentRequest, item["whole"])
        if rules.holds(stored, request):
            await self._table.delete(key, "rev = :rev", rev=item["rev"])

    async def expire_requests(self, now: float) -> None:
        self._forgotten_before = now

    async def _all(self, pk: str) -> list[Any]:
        kind = _KINDS[pk]
        return [unpack(kind, item["whole"]) async for item in self._table.query(pk)]


def _by_key(key: str) -> Key:
    return f"request#{key}", RECORD


def _by_hash(hash_: str) -> Key:
    return f"access-hash#{hash_}", RECORD


def _content(whole: Any) -> dict[str, Any]:
    if isinstance(whole, IdempotentRequest):
        return {"whole": pack(whole), "ttl": number(int(whole.expires_at))}
    return {"whole": pack(whole)}
