"""What every blob store asks of keys and bytes before it takes them."""

import hashlib
import re

from filmroll.errors import DigestMismatch

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
