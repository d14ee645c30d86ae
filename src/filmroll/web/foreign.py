"""``GET|HEAD /i/thumbor/…`` and ``/i/imgproxy/…``: URLs of other servers, answered in their place.

What such a URL asks for is said in the words of an own URL, and delivered as that.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import unquote, urlencode

from starlette.requests import Request
from starlette.types import Send

from filmroll.errors import ExpiredSignature, Forbidden, InvalidSignature, NotFound, Untranslatable
from filmroll.instructions import Instructions
from filmroll.migration import (
    Foreign,
    Imgproxy,
    Source,
    imgproxy_keys,
    parse_presets,
    thumbor,
    verify_thumbor,
)
from filmroll.migration.imgproxy import restored
from filmroll.model import Header, now
from filmroll.settings import Settings
from filmroll.web.access import Gate, Permit
from filmroll.web.delivery import DeliveryRoute, answers_options
from filmroll.web.services import Services

FOREIGN = ("/i/thumbor/", "/i/imgproxy/")
_SERVERS = {"thumbor", "imgproxy"}
_REMEMBERED = 4096  # translations; they stay right, since images do not change
_LONGEST = 1024  # bytes of a path whose translation is remembered

Verify = Callable[[str, str], None]  # of a signature, and the path that it is for


@dataclass(frozen=True, slots=True)
class _Server:
    """How URLs of a server are read; ``verify`` is None where no key of its is known."""

    read: Callable[[str], Foreign]
    verify: Verify | None


@dataclass(frozen=True, slots=True)
class _Translation:
    path: bytes  # of an own URL
    known: bool  # False: there is no such image, yet
    expires: int | None
    attachment: str | None
    lasting: bool


class ForeignRoute:
    """Translates, and has the pictures delivered."""

    def __init__(self, services: Services, gate: Gate, delivery: DeliveryRoute) -> None:
        self._sources = services.sources
        self._images = services.images
        self._presets_only = services.settings.presets_only
        self._gate = gate
        self._delivery = delivery
        self._servers = {
            "thumbor": _thumbor(services.settings),
            "imgproxy": _imgproxy(services.settings),
        }
        self._known: OrderedDict[bytes, _Translation] = OrderedDict()

    async def __call__(self, request: Request, send: Send) -> None:
        """Answer one request."""
        if await answers_options(request, send):
            return
        raw: bytes = request.scope["raw_path"]
        server, signature, path = _split(raw)
        permit = await self._permit(request, self._servers[server], signature, path)
        found = await self._translated(raw, self._servers[server], path)
        if found.expires is not None:
            if found.expires < now():
                raise ExpiredSignature("The URL was good until expires.", limit=found.expires)
            permit = replace(permit, ends=min(found.expires, permit.ends or found.expires))
        if not found.lasting:
            permit = replace(permit, lasting=False)
        query = urlencode({"dl": found.attachment}) if found.attachment else ""
        scope = {**request.scope, "raw_path": found.path, "query_string": query.encode()}
        await self._delivery.deliver(Request(scope), send, found.path, permit)

    async def _permit(self, request: Request, server: _Server, signature: str, path: str) -> Permit:
        if server.verify is None:
            return await self._gate.require_delivery(
                request, request.scope["raw_path"], preset=False
            )
        server.verify(signature, path)
        return Permit()

    async def _translated(self, raw: bytes, server: _Server, path: str) -> _Translation:
        if (known := self._known.get(raw)) is not None:
            self._known.move_to_end(raw)
            return known
        found = await self._translate(server.read(path))
        if found.known and len(raw) <= _LONGEST:
            self._known[raw] = found
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def _translate(self, foreign: Foreign) -> _Translation:
        """Translate, for any image that is named: that there is none is told by the delivery."""
        if self._presets_only and not foreign.perhaps_whole:  # before anything is fetched for it
            raise Forbidden("This service delivers presets only.")
        image = await self._sources.image(self._sources.find(foreign.source))
        header = await self._images.header(image)
        try:
            instructions = await self._instructions(foreign, header)
        except Untranslatable:
            if header is None:
                raise NotFound("There is no image with this id.") from None
            raise
        path = f"/i/{image}" + (f"/{instructions.canonical()}" if instructions else "")
        return _Translation(
            path=path.encode(),
            known=header is not None,
            expires=foreign.expires,
            attachment=foreign.attachment,
            lasting=foreign.lasting,
        )

    async def _instructions(self, foreign: Foreign, header: Header | None) -> Instructions | None:
        """Return what to do with the source; what is to be laid over it is fetched before."""
        marks: dict[Source, str] = {}

        def mark(text: str) -> str:
            source = self._sources.find(text)
            return marks.setdefault(source, source.id)

        instructions = foreign.instructions(header, mark)
        fetched = [one for one in marks if one.url is not None]
        if not fetched:
            return instructions
        for one in fetched:
            marks[one] = await self._sources.image(one)
        return foreign.instructions(header, mark)


def _thumbor(settings: Settings) -> _Server:
    def verify(key: str, signature: str, path: str) -> None:
        if signature == thumbor.UNSIGNED:
            raise InvalidSignature("This URL needs a signature in the place of unsafe.")
        verify_thumbor(key, signature, path)

    key = settings.thumbor_key
    return _Server(thumbor.read, partial(verify, key) if key else None)


def _imgproxy(settings: Settings) -> _Server:
    presets = parse_presets(settings.imgproxy_presets)
    imgproxy = Imgproxy(presets=presets, watermark=settings.imgproxy_watermark)
    if settings.imgproxy_key is None or settings.imgproxy_salt is None:
        return _Server(imgproxy.read, None)
    size = settings.imgproxy_signature_bytes
    keys = imgproxy_keys(settings.imgproxy_key, settings.imgproxy_salt, size)
    return _Server(imgproxy.read, keys.verify)


def _split(raw: bytes) -> tuple[str, str, str]:
    """Return the server, the signature and what follows it; raise NotFound for another form.

    Also for a server that is percent-encoded: signatures are over paths as they are sent.
    """
    server, _, rest = raw.decode("ascii", "replace").removeprefix("/i/").partition("/")
    signature, _, path = rest.partition("/")
    if server not in _SERVERS or not signature or not path:
        raise NotFound("Write /i/thumbor/ or /i/imgproxy/, and <signature>/<options>/<source>.")
    return server, unquote(signature), restored(path) if server == "imgproxy" else path


def without_signature(raw: bytes) -> bytes:
    """Return a path without its signature, for the log: whole, it opens the picture later on."""
    server, _, rest = raw.removeprefix(b"/i/").partition(b"/")
    if server.decode("ascii", "replace") not in _SERVERS:
        return b"/i/-"
    return b"/i/%b/-/%b" % (server, rest.partition(b"/")[2])
