"""Times and ids."""

import hashlib
import os
import re
import time
from datetime import UTC, datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32, lower case

_ID = re.compile(r"[0-9a-z]{26}")

_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def timestamp(seconds: float | None) -> str | None:
    """Return a time in RFC 3339, UTC, with milliseconds."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _base32(number: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


class _RandomNumbers:
    """128 random bits at a time, fetched from the system by the page.

    Asking the system costs more than the bits: each call gives the interpreter's lock away.
    """

    def __init__(self) -> None:
        self._page = b""

    def next(self) -> int:
        if not self._page:
            self._page = os.urandom(4096)
        number, self._page = self._page[:16], self._page[16:]
        return int.from_bytes(number)


_random_numbers = _RandomNumbers()


def new_id() -> str:
    """Return a fresh id: 26 characters that carry 128 random bits."""
    return _base32(_random_numbers.next())


def derived_id(*parts: str) -> str:
    """Return the id that belongs to ``parts``, the same at every call.

    A request that is repeated under one Idempotency-Key therefore lands on one image.
    """
    text = "\0".join(parts).encode()
    return _base32(int.from_bytes(hashlib.sha256(text).digest()[:16]))


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of an id."""
    return _ID.fullmatch(text) is not None
