"""Which ``Host`` an open service answers to.

A page in a browser can make its own host name lead to 127.0.0.1 and then talk to whatever listens
there. A service that needs no key therefore only answers to names that mean this machine.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from filmroll.errors import Forbidden
from filmroll.settings import Settings


def allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """Return the names besides loopback's own; None where any will do: keys decide there."""
    if not (settings.open_access and settings.loopback):
        return None
    own = urlsplit(settings.public_url).hostname if settings.public_url else None
    return frozenset(name for name in ("localhost", settings.host, own) if name)


def require_host(scope: Scope, allowed: frozenset[str] | None) -> None:
    """Raise Forbidden if the request was meant for another host."""
    if allowed is None:
        return
    name = _name(Headers(scope=scope).get("host", ""))
    if name and name not in allowed and not name.endswith(".localhost") and not _loopback(name):
        raise Forbidden(
            "This open service answers to this machine's own names only. If it stands behind a "
            "proxy, set FILMROLL_PUBLIC_URL to what people type."
        )


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
