"""The signatures in thumbor's and imgproxy's URLs."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from filmroll.errors import InvalidSignature

_CHANGED = "The signature does not fit this URL: it was made with another key, or for another URL."


def verify_thumbor(key: str, signature: str, path: str) -> None:
    """Raise InvalidSignature unless it is the HMAC-SHA1 of what follows it, without the slash."""
    mac = hmac.new(key.encode(), path.encode(), hashlib.sha1).digest()
    _require(mac, signature)


@dataclass(frozen=True, slots=True)
class ImgproxyKeys:
    """Pairs of key and salt, any of which will do; ``size`` bytes of a signature are looked at."""

    pairs: Sequence[tuple[bytes, bytes]]
    size: int = 32

    def verify(self, signature: str, path: str) -> None:
        """Raise InvalidSignature unless it is the HMAC-SHA256 of salt, slash and what follows."""
        macs = [
            hmac.new(key, salt + b"/" + path.encode(), hashlib.sha256).digest()[: self.size]
            for key, salt in self.pairs
        ]
        if sum(_equal(mac, signature) for mac in macs) == 0:  # looks at all, whichever fits
            raise InvalidSignature(_CHANGED)


def imgproxy_keys(keys: str, salts: str, size: int) -> ImgproxyKeys:
    """Read hexadecimal keys and salts, several separated by commas; raise ValueError."""
    pairs = [
        (bytes.fromhex(key), bytes.fromhex(salt))
        for key, salt in zip(keys.split(","), salts.split(","), strict=True)
    ]
    if not all(key and salt for key, salt in pairs):
        raise ValueError("a key or a salt is empty")
    return ImgproxyKeys(pairs, size)


def _require(mac: bytes, signature: str) -> None:
    if not _equal(mac, signature):
        raise InvalidSignature(_CHANGED)


def _equal(mac: bytes, signature: str) -> bool:
    bare = signature.rstrip("=")
    try:
        sent = base64.b64decode(bare + "=" * (-len(bare) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(mac, sent)
