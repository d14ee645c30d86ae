"""Signed delivery URLs: HMAC-SHA256 over path and expiry, with several keys alive at once.

``/i/<id>/<instructions>?exp=<epoch seconds>&kid=<key id>&sig=<base64url without padding>``

The signed text has three lines: the path exactly as it stands in the URL, ``exp`` and ``kid``.
To the path of a whole batch belongs ``?variant=…``, if there is one: it says what is handed out.
Five lines of any language make one; ``docs/http-api.md`` shows how.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from filmroll.errors import ExpiredSignature, InvalidSignature
from filmroll.model import SigningKey

_SECONDS = re.compile(r"[0-9]{1,15}")


def signature(secret: str, path: str, exp: int, kid: str) -> str:
    """Return the value of ``sig``."""
    text = f"{path}\n{exp}\n{kid}".encode()
    mac = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def signed(path: str, exp: int, key: SigningKey) -> str:
    """Return the path with its signature; ``exp`` in seconds since the epoch."""
    query = {"exp": exp, "kid": key.id, "sig": signature(key.secret, path, exp, key.id)}
    return f"{path}{'&' if '?' in path else '?'}{urlencode(query)}"


def verify(path: str, query: Mapping[str, str], keys: Iterable[SigningKey], at: float) -> int:
    """Return the expiry of a rightly signed URL; raise InvalidSignature or ExpiredSignature."""
    kid, sig, exp = query.get("kid", ""), query.get("sig", ""), query.get("exp", "")
    if not (kid and sig and exp):
        raise InvalidSignature("This URL needs a signature: exp, kid and sig in its query.")
    key = next((key for key in keys if key.id == kid and key.revoked_at is None), None)
    if key is None or not _SECONDS.fullmatch(exp):
        raise InvalidSignature("The signing key is unknown or revoked, or exp is not a number.")
    expected = signature(key.secret, path, int(exp), kid)
    if not hmac.compare_digest(expected.encode(), sig.encode()):
        raise InvalidSignature("The signature does not fit this path and expiry.")
    if int(exp) < at:
        raise ExpiredSignature("The signature was good until exp, which is over.", limit=int(exp))
    return int(exp)
