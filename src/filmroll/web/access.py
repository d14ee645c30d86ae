"""Who may: bearer keys for the API, signatures or keys for delivery."""

from dataclasses import dataclass

from starlette.requests import Request

from filmroll.model import AccessKey, Scope, SigningKey, now
from filmroll.signing import verify
from filmroll.web.services import Services
from filmroll.web.views import Links, base_url


@dataclass(frozen=True, slots=True)
class Permit:
    """How a picture may be handed out; ``ends`` in seconds since the epoch, if it does."""

    ends: int | None = None
    shared: bool = True  # False: for this client alone, not for the caches on the way
    lasting: bool = True  # False: the URL may come to mean another picture


OPEN = Permit()
_BY_KEY = Permit(shared=False)


class Gate:
    """Holds requests against the keys; lets everything pass where access is open."""

    def __init__(self, services: Services) -> None:
        self._keys = services.keys
        self._settings = services.settings
        self.open = services.settings.open_access

    async def require(self, request: Request, scope: Scope) -> AccessKey | None:
        """Raise Unauthenticated or Forbidden unless the request may; return its key."""
        if self.open:
            return None
        return await self._keys.authorize(_bearer(request), scope)

    async def require_any(self, request: Request) -> None:
        """Raise Unauthenticated unless the request brings a valid key, whatever it allows."""
        if not self.open:
            await self._keys.identify(_bearer(request))

    async def require_delivery(self, request: Request, path: bytes, *, preset: bool) -> Permit:
        """Raise unless a picture may be handed out.

        A signature or a key with the ``read`` scope will do.
        """
        if self.open or (preset and self._settings.unsigned_presets):
            return OPEN
        query = request.query_params
        if "sig" not in query and (secret := _bearer(request)):
            await self._keys.authorize(secret, Scope.READ)
            return _BY_KEY
        ends = verify(path.decode("latin-1"), query, await self._keys.signing(), now())
        return Permit(ends=ends)

    async def links(self, request: Request) -> Links:
        """Return the writer of delivery URLs for an answer."""
        key: SigningKey | None = None
        if not self.open:
            keys = await self._keys.signing()
            key = keys[-1] if keys else None
        base = base_url(request, self._settings.public_url)
        return Links(base, key, self._settings.url_seconds)


def _bearer(request: Request) -> str | None:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None
