"""Keys: made, listed, revoked, and held against what a request brings."""

import hashlib
import secrets
from collections.abc import Sequence

from filmroll.errors import Forbidden, NotFound, Unauthenticated
from filmroll.model import AccessKey, Scope, SigningKey, new_id, now
from filmroll.ports import Catalog

_SECRET_BYTES = 32


class Keys:
    """Access keys for the API, signing keys for delivery URLs."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def create(self, name: str, scopes: Sequence[Scope]) -> tuple[AccessKey, str]:
        """Make an access key; return its record and, this once, the key itself."""
        secret = f"fr_{secrets.token_urlsafe(_SECRET_BYTES)}"
        key = AccessKey(
            id=new_id(), name=name, hash=_hash(secret), scopes=tuple(scopes), created_at=now()
        )
        await self._catalog.add_access_key(key)
        return key, secret

    async def create_signing(self) -> SigningKey:
        """Make a signing key; new URLs are signed with it from now on."""
        key = SigningKey(
            id=new_id()[:8], secret=secrets.token_urlsafe(_SECRET_BYTES), created_at=now()
        )
        await self._catalog.add_signing_key(key)
        return key

    async def ensure_signing(self) -> None:
        """Make a signing key if there is none: without one no URL in an answer would work."""
        if not await self.signing():
            await self.create_signing()

    async def list(self) -> tuple[Sequence[AccessKey], Sequence[SigningKey]]:
        """Return all keys, oldest first."""
        return await self._catalog.list_access_keys(), await self._catalog.list_signing_keys()

    async def revoke(self, key: str) -> None:
        """Revoke a key of either kind by its id; raise NotFound."""
        if not await self._catalog.revoke_key(key, now()):
            raise NotFound(f"There is no key with the id {key!r}.")

    async def any(self) -> bool:
        """Whether an access key that is not revoked exists."""
        return any(key.revoked_at is None for key in await self._catalog.list_access_keys())

    async def identify(self, secret: str | None) -> AccessKey:
        """Return the key that a request brought; raise Unauthenticated."""
        key = await self._catalog.find_access_key(_hash(secret)) if secret else None
        if key is None or key.revoked_at is not None:
            raise Unauthenticated(
                "Send a valid key: Authorization: Bearer <key> (made by `filmroll keys create`)."
            )
        return key

    async def authorize(self, secret: str | None, scope: Scope) -> AccessKey:
        """Return the key that a request brought; raise Unauthenticated or Forbidden."""
        key = await self.identify(secret)
        if scope not in key.scopes and Scope.ADMIN not in key.scopes:
            raise Forbidden(f"This key has no {scope} scope.")
        return key

    async def signing(self) -> Sequence[SigningKey]:
        """Return the signing keys that are not revoked, oldest first."""
        keys = await self._catalog.list_signing_keys()
        return [key for key in keys if key.revoked_at is None]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
