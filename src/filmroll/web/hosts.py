"""Which ``Host`` an open service answers to.

A page in a browser can make its own host name lead to 127.0.0.1 and then talk to whatever listens
there. A service that needs no key therefore only answers to names that mean this machine.
"""

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import Scope

from filmroll.errors import Forbidden
from filmroll.settings import Settings


def allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """Return the names besides loopback's own; None where any will do: keys decide there."""
    if not (settings.open_access and settings.loopback):
        return None
    own = urlsplit(settings.public_url).hostname if settings.public_url else None
    return frozenset(name for name in ("localhost", settings.host, own) if name)


def meant_for(scope: Scope, allowed: frozenset[str] | None) -> bool:
    """Whether a request was meant for this host."""
    if allowed is None:
        return True
    for name, value in scope["headers"]:
        if name == b"host":
            return _is_own(value, allowed)
    return True


def require_host(scope: Scope, allowed: frozenset[str] | None) -> None:
    """Raise Forbidden if the request was meant for another host."""
    if not meant_for(scope, allowed):
        raise Forbidden(
            "This open service answers to this machine's own names only. If it stands behind a "
            "proxy, set FILMROLL_PUBLIC_URL to what people type."
        )


@lru_cache(maxsize=64)
def _is_own(host: bytes, allowed: frozenset[str]) -> bool:
    name = _name(host.decode("latin-1"))
    return not name or name in allowed or name.endswith(".localhost") or _loopback(name)


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return host


def _loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
