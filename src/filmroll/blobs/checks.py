"""What every blob store asks of keys and bytes before it takes them."""

import hashlib
import re

from filmroll.errors import DigestMismatch, StoreUnavailable
from filmroll.model import new_id
from filmroll.ports import CHECKS, BlobStore

# No segment begins with a dot: no ``..``, and room for a store's own hidden names.
_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_KEY = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*")
_PREFIX = re.compile(rf"({_SEGMENT}/)*({_SEGMENT})?")
_LONGEST = 255


def check_key(key: str) -> str:
    """Return a key that is in form; ValueError for one that could leave the store's folder."""
    if len(key) > _LONGEST or _KEY.fullmatch(key) is None:
        raise ValueError(f"not a key of a blob: {key[:_LONGEST]!r}")
    return key


def check_prefix(prefix: str) -> str:
    """Return the prefix of a listing if it is in form; ValueError otherwise."""
    if _PREFIX.fullmatch(prefix) is None:
        raise ValueError(f"not a prefix of blobs: {prefix[:_LONGEST]!r}")
    return prefix


def check_digest(body: bytes, sha256: str) -> None:
    """Raise DigestMismatch unless the bytes hash to ``sha256`` (hex)."""
    actual = hashlib.sha256(body).hexdigest()
    if actual != sha256:
        raise DigestMismatch(
            "The bytes that arrived do not hash to the SHA-256 that was stated. Nothing was kept.",
            expected=sha256,
            actual=actual,
        )


async def round_trip(store: BlobStore, where: str) -> None:
    """Write, read and remove a small object under CHECKS; raise what is wrong with the store."""
    key, body = f"{CHECKS}{new_id()}", b"filmroll"
    await store.put(key, body, hashlib.sha256(body).hexdigest())
    if await store.read(key) != body:
        raise StoreUnavailable(f"The {where} does not return what was written to it.")
    await store.delete([key])
