"""How a catalog looks whether its store keeps what is written to it."""

from dataclasses import replace

from filmroll.errors import StoreUnavailable
from filmroll.model import IdempotentRequest, new_id, now
from filmroll.ports import AccessCatalog


async def round_trip(catalog: AccessCatalog) -> None:
    """Write and read back something small; raise what is wrong with the store."""
    at = now()
    probe = IdempotentRequest(
        key=f"check/{new_id()}", fingerprint="", expires_at=at + 60, locked_until=at + 60
    )
    await catalog.begin_request(probe, at)
    rival = replace(probe, locked_until=at + 61)  # which would be taken if the first were not there
    if await catalog.begin_request(rival, at) != probe:
        raise StoreUnavailable("The catalog does not return what was written to it.")
    await catalog.drop_request(probe)
