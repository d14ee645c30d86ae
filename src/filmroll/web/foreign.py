"""``GET|HEAD /i/thumbor/…`` and ``/i/imgproxy/…``: URLs of other servers, answered in their place.

What such a URL asks for is said in the words of an own URL, and delivered as that.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from string import punctuation
from urllib.parse import quote, unquote, unquote_plus, urlencode

from starlette.requests import Request
from starlette.types import Send

from filmroll.errors import ExpiredSignature, Forbidden, InvalidSignature, NotFound, Untranslatable
from filmroll.geometry import Size
from filmroll.instructions import MAX_SIDE, Instructions
from filmroll.migration import (
    Foreign,
    Imgproxy,
    Overlay,
    Source,
    imgproxy_keys,
    parse_presets,
    thumbor,
    verify_thumbor,
)
from filmroll.migration.imgproxy import restored
from filmroll.migration.refusal import refuse
from filmroll.model import Header, now
from filmroll.settings import Settings
from filmroll.web.access import Gate, Permit
from filmroll.web.delivery import DeliveryRoute, answers_options
from filmroll.web.services import Services

FOREIGN = ("/i/thumbor/", "/i/imgproxy/")
_SERVERS = {"thumbor", "imgproxy"}
_REMEMBERED = 4096  # translations; they stay right, since images do not change
_LONGEST = 1024  # characters of a URL whose translation is remembered
_OWN = {"exp", "kid", "sig", "dl"}  # of a query: said to Filmroll, not to a source's server

_UNSEEN = Size(MAX_SIDE, 1)  # of a mark that is still to be fetched: no shape is refused less

Verify = Callable[[str, str], None]  # of a signature, and the path that it is for


@dataclass(frozen=True, slots=True)
class _Server:
    """How URLs of a server are read; ``verify`` is None where no key of its is known."""

    read: Callable[[str], Foreign]
    verify: Verify | None
    queried: bool  # whether a URL's query belongs to its source


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
        self._known: OrderedDict[str, _Translation] = OrderedDict()

    async def __call__(self, request: Request, send: Send) -> None:
        """Answer one request."""
        if await answers_options(request, send):
            return
        name, signature, path = _split(request.scope["raw_path"])
        server = self._servers[name]
        permit = await self._permit(request, server, signature, path)
        if server.queried:
            path += _query(request, signed=server.verify is not None)
        found = await self._translated(name, path)
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

    async def _translated(self, name: str, path: str) -> _Translation:
        key = f"{name} {path}"
        if (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
            return known
        found = await self._translate(self._servers[name].read(path))
        if found.known and len(key) <= _LONGEST:
            self._known[key] = found
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
        marks: dict[Source, Overlay] = {}

        def mark(text: str) -> Overlay:
            source = self._sources.find(text)
            return marks.setdefault(source, Overlay(source.id, _UNSEEN))

        instructions = foreign.instructions(header, mark)
        if not marks:
            return instructions
        for one in marks:
            marks[one] = await self._overlay(one)
        return foreign.instructions(header, mark)

    async def _overlay(self, source: Source) -> Overlay:
        image = await self._sources.image(source)
        header = await self._images.header(image)
        if header is None:
            raise NotFound("There is no image to lay over the picture.")
        return Overlay(image, Size(header.width, header.height))


def _thumbor(settings: Settings) -> _Server:
    def verify(key: str, signature: str, path: str) -> None:
        if signature == thumbor.UNSIGNED:
            raise InvalidSignature("This URL needs a signature in the place of unsafe.")
        verify_thumbor(key, signature, path)

    key = settings.thumbor_key
    return _Server(thumbor.read, partial(verify, key) if key else None, queried=True)


def _imgproxy(settings: Settings) -> _Server:
    presets = parse_presets(settings.imgproxy_presets)
    imgproxy = Imgproxy(presets=presets, watermark=settings.imgproxy_watermark)
    if settings.imgproxy_key is None or settings.imgproxy_salt is None:
        return _Server(imgproxy.read, None, queried=False)
    size = settings.imgproxy_signature_bytes
    keys = imgproxy_keys(settings.imgproxy_key, settings.imgproxy_salt, size)
    return _Server(imgproxy.read, keys.verify, queried=False)


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


def _query(request: Request, *, signed: bool) -> str:
    """Return a query with its mark, as it was sent, without what is said to Filmroll; or "".

    No signature is over a query, thumbor's as little as ours: beside one it is refused.
    """
    sent = quote(request.scope["query_string"], safe=punctuation)
    others = [part for part in sent.split("&") if part and _name(part) not in _OWN]
    if not others:
        return ""
    query = "&".join(others)
    if signed or "sig" in request.query_params:
        why = "a query is not signed, so that anybody could have another source fetched"
        raise refuse(f"?{query}", why, f"%3F{query}, within what is signed,")
    return f"?{query}"


def _name(part: str) -> str:
    return unquote_plus(part.partition("=")[0])
