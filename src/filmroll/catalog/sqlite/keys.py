"""Keys: those of the API, and those that sign delivery URLs."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Sequence

import apsw

from filmroll.catalog import rules
from filmroll.catalog.sqlite.tables import ACCESS_KEYS, SIGNING_KEYS, Part
from filmroll.model import AccessKey, SigningKey

_OLDEST_FIRST = "ORDER BY created_at, id"


class Keys(Part):
    """The part of the catalog that knows keys."""

    async def add_access_key(self, key: AccessKey) -> None:
        await self._db.write(ACCESS_KEYS.add, key)

    async def find_access_key(self, hash_: str) -> AccessKey | None:
        found = self._db.read(ACCESS_KEYS.select, "WHERE hash = ?", hash_)
        return found[0] if found else None

    async def list_access_keys(self) -> Sequence[AccessKey]:
        return self._db.read(ACCESS_KEYS.select, _OLDEST_FIRST)

    async def add_signing_key(self, key: SigningKey) -> None:
        await self._db.write(SIGNING_KEYS.add, key)

    async def list_signing_keys(self) -> Sequence[SigningKey]:
        return self._db.read(SIGNING_KEYS.select, _OLDEST_FIRST)

    async def revoke_key(self, key: str, now: float) -> bool:
        return await self._db.write(_revoke, key, now)


def _revoke(connection: apsw.Connection, key: str, now: float) -> bool:
    access = ACCESS_KEYS.get(connection, key)
    if access is not None:
        ACCESS_KEYS.put(connection, rules.revoked(access, now))
    signing = SIGNING_KEYS.get(connection, key)
    if signing is not None:
        SIGNING_KEYS.put(connection, rules.revoked(signing, now))
    return access is not None or signing is not None
