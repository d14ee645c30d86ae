"""Who else may send a picture's bytes: the store itself, or the proxy in front of this process."""

from collections.abc import Mapping

from starlette.requests import Request

from filmroll.model import now
from filmroll.ports import DirectDownloads, LocalFiles
from filmroll.usecases.download import Asset
from filmroll.web.access import Permit
from filmroll.web.representation import Headers, attachment
from filmroll.web.services import Services
from filmroll.web.views import CONTENT_TYPES

# A store's URL is good for long enough to begin; a copy of the redirect for less than that.
URL_SECONDS = 300
REDIRECT_SECONDS = 120
_JUDGED_ANEW = frozenset({"if-match", "if-unmodified-since"})


class Elsewhere:
    """Passes on what it costs this process most to send."""

    def __init__(self, services: Services) -> None:
        settings, blobs = services.settings, services.blobs
        redirects = settings.redirect_originals and isinstance(blobs, DirectDownloads)
        self._store = blobs if redirects and isinstance(blobs, DirectDownloads) else None
        self._files = blobs if isinstance(blobs, LocalFiles) else None
        self._location = settings.accel_location
        self._header = settings.accel_header.lower().encode()

    def redirects(self, asset: Asset) -> bool:
        """Whether the store sends it: an original, in a store that can."""
        return self._store is not None and asset.instructions is None

    async def redirect(self, asset: Asset, permit: Permit, name: str | None) -> Headers:
        """Return what leads a client to the store, where its bytes are; ``name``: to be kept as."""
        assert self._store is not None, "it redirects"
        left = URL_SECONDS if permit.ends is None else max(1, permit.ends - int(now()))
        seconds = min(URL_SECONDS, left)
        disposition = None
        if name is not None:
            disposition = attachment(name, default_name(asset))[1].decode()
        url = await self._store.direct_get(
            asset.key, seconds, CONTENT_TYPES[asset.format], disposition
        )
        kept = min(REDIRECT_SECONDS, seconds // 2)
        return [
            (b"location", url.encode()),
            (b"cache-control", f"private, max-age={kept}".encode()),
        ]

    def accelerated(self, asset: Asset, asked: Mapping[str, str]) -> Headers:
        """Return what has the proxy send an object's file; nothing if it cannot.

        A proxy would judge some conditions anew, by tag and date of its own: it would refuse.
        """
        if self._location is None or self._files is None:
            return []
        if not _JUDGED_ANEW.isdisjoint(asked):
            return []
        where = self._files.file_below_root(asset.key)
        return [(self._header, f"{self._location}{where}".encode())]


def default_name(asset: Asset) -> str:
    """Return what a file is called whose name says nothing."""
    return f"{asset.image}.{asset.format}"


def wanted_name(request: Request) -> str | None:
    """Return the file name that a client wants the picture to be kept under."""
    if request.scope["query_string"] and "dl" in request.query_params:
        return request.query_params["dl"]
    return None
