"""The catalog's part about presets, keys and repeated requests."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from filmroll.model import AccessKey, IdempotentRequest, Preset, SigningKey, WebhookDelivery


class AccessCatalog(Protocol):
    """Presets, keys, and requests that may come twice."""

    async def put_preset(self, preset: Preset, deliveries: Sequence[WebhookDelivery] = ()) -> None:
        """Add or replace a preset; an older one's ``created_at`` stays.

        Once it is written so are the ``deliveries`` that tell of it.
        """

    async def get_presets(self, names: Sequence[str]) -> Mapping[str, Preset]:
        """Return those of the named presets that exist."""

    async def list_presets(self) -> Sequence[Preset]:
        """Return all presets by name."""

    async def delete_preset(self, name: str, deliveries: Sequence[WebhookDelivery] = ()) -> bool:
        """Remove a preset; False if there was none. ``deliveries`` as above."""

    async def add_access_key(self, key: AccessKey) -> None:
        """Add a key."""

    async def find_access_key(self, hash_: str) -> AccessKey | None:
        """Return the key with this hash, revoked ones included."""

    async def list_access_keys(self) -> Sequence[AccessKey]:
        """Return all keys, oldest first."""

    async def add_signing_key(self, key: SigningKey) -> None:
        """Add a key for delivery URLs."""

    async def list_signing_keys(self) -> Sequence[SigningKey]:
        """Return all signing keys, oldest first, revoked ones included."""

    async def revoke_key(self, key: str, now: float) -> bool:
        """Revoke an access or a signing key by id; False if unknown. Twice is harmless."""

    async def begin_request(self, request: IdempotentRequest, now: float) -> IdempotentRequest:
        """Claim an Idempotency-Key; return the record that holds it now.

        That is ``request`` itself when the key was free, expired, or held without an answer by
        an equal request whose ``locked_until`` is over; else the one that is there.
        """

    async def finish_request(self, request: IdempotentRequest) -> None:
        """Keep the answer of a claimed request until ``expires_at``.

        No change if the key is answered already or, by ``locked_until``, in other hands.
        """

    async def drop_request(self, request: IdempotentRequest) -> None:
        """Free the key of a claimed request that came to nothing; no change as above."""

    async def expire_requests(self, now: float) -> None:
        """Forget answers that are too old."""
