"""``GET|HEAD /i/{id}`` and ``/i/{id}/{instructions}``: originals and variants."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, Self

from starlette.requests import Request
from starlette.types import Scope, Send

from filmroll.errors import (
    CorruptImage,
    Deleted,
    EngineCrashed,
    FilmrollError,
    Forbidden,
    InternalError,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    VersionMismatch,
)
from filmroll.instructions import preset_names, presets_alone
from filmroll.model import image_tag, is_id, preset_tag
from filmroll.usecases.download import Asset, variant_etag
from filmroll.usecases.hints import hinted, open_to
from filmroll.usecases.hot import LARGEST_BYTES, HotAnswers
from filmroll.web.accept import VARY, shown_by
from filmroll.web.access import OPEN, Gate, Permit
from filmroll.web.conditional import (
    Range,
    Unsatisfiable,
    names_tag,
    not_modified,
    overtaken,
    wanted_range,
)
from filmroll.web.elsewhere import Elsewhere, default_name, wanted_name
from filmroll.web.hints import ACCEPT_CH, HINTS, hints_of, varying
from filmroll.web.problems import STATUS
from filmroll.web.representation import (
    COMMON,
    COMMON_WHOLE,
    FROM_MEMORY,
    Headers,
    attachment,
    caching,
    chunks,
    describing,
    etag_header,
    fallback_caching,
    identifying,
    tagging,
    timing,
)
from filmroll.web.services import Services

_CONDITIONS = {
    b"range",
    b"if-range",
    b"if-match",
    b"if-none-match",
    b"if-modified-since",
    b"if-unmodified-since",
}
# Without any of these a request sets no terms, and has no body that would have to be dealt with.
_TERMS = {*_CONDITIONS, b"content-length", b"transfer-encoding", b"expect"}
# What of a request decides which picture it gets.
_CHOOSING = {b"accept", *HINTS}
# Faults of an image: in its place another may be shown.
_ABSENT = (NotFound, Deleted, CorruptImage, EngineCrashed, InternalError)
_METHODS = "GET, HEAD, OPTIONS"
_AUTO = b"auto"  # in every path, as it is usually spelt, whose answer depends on Accept
_PREFLIGHT: Headers = [
    (b"allow", _METHODS.encode()),
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"*"),
    (b"access-control-max-age", b"86400"),
]


@dataclass(frozen=True, slots=True)
class _Target:
    """What a path names."""

    image: str
    instructions: str  # "" for the original
    presets_alone: bool  # nothing but presets: what ``presets_only`` lets through
    presets: tuple[str, ...]

    @property
    def lasting(self) -> bool:
        """Whether no preset can change what the URL means: it can never mean other bytes."""
        return not self.presets

    @property
    def tags(self) -> list[str]:
        """What a cache is purged by."""
        return [image_tag(self.image), *map(preset_tag, self.presets)]


@dataclass(frozen=True, slots=True)
class _Answer:
    """An asset, what is always said with it, and its bytes: in memory or in a file."""

    asset: Asset
    headers: Headers
    data: bytes | None = None
    file: BinaryIO | None = None
    vary: frozenset[str] = frozenset()  # of one in memory: the headers that it depends on
    plain: tuple[Headers, bytes] | None = None  # all of it, for whoever sets no terms

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()


@dataclass(frozen=True, slots=True)
class _Unchanged:
    """That the client's copy is still good, and what is said with that."""

    headers: Headers
    lasting: bool


class DeliveryRoute:
    """Hands out pictures; everything but the bytes is decided before they are touched."""

    def __init__(self, services: Services, gate: Gate) -> None:
        self._downloads = services.downloads
        self._formats = services.formats
        self._images = services.images
        self._settings = services.settings
        self._hinting = services.settings.client_hints
        self._gate = gate
        self._elsewhere = Elsewhere(services)
        self._hot: HotAnswers[_Answer] = HotAnswers(services.epochs)
        self._leaders: dict[bytes, asyncio.Event] = {}  # who was first to ask for what, by key

    def at_hand(self, scope: Scope) -> tuple[Headers, bytes] | None:
        """Return the answer to a plain request for what is in memory; None if it takes a decision.

        Most requests are such, and to find that out takes less than to answer them as any other.
        """
        if not self._asks_plainly(scope):
            return None
        answer = self._hot.get(scope["raw_path"])
        if answer is None or answer.plain is None:
            return None
        return None if any(name in _TERMS for name, _ in scope["headers"]) else answer.plain

    def on_its_way(self, scope: Scope) -> asyncio.Event | None:
        """Return what tells when a picture may be at hand that somebody has asked for just before.

        Many who come at once would else each go a long way first, and hold up that one.
        """
        if not self._leaders or not self._asks_plainly(scope):
            return None
        return self._leaders.get(self._key(scope, scope["raw_path"], by_accept=True))

    def _asks_plainly(self, scope: Scope) -> bool:
        return self._gate.open and scope["method"] == "GET" and not scope["query_string"]

    async def __call__(self, request: Request, send: Send) -> None:
        """Answer one request."""
        if await answers_options(request, send):
            return
        path: bytes = request.scope["raw_path"]
        answer = self._hot_answer(request, path)
        if answer is not None:
            permit = await self._gate.require_delivery(request, path, preset=False)
            await self._send(request, send, answer, permit)
            return
        target = self._allowed_target(path)
        permit = await self._gate.require_delivery(request, path, preset=target.presets_alone)
        await self._answer_cold(request, send, path, target, permit)

    async def deliver(self, request: Request, send: Send, path: bytes, permit: Permit) -> None:
        """Answer with what a path names, to someone who asked for it in other words."""
        answer = self._hot_answer(request, path)
        if answer is not None:
            await self._send(request, send, answer, permit)
        else:
            target = self._allowed_target(path)
            await self._answer_cold(request, send, path, target, permit)

    def _hot_answer(self, request: Request, path: bytes) -> _Answer | None:
        """Return the answer that is kept, for clients such as this if it depends on them."""
        answer = self._hot.get(self._key(request.scope, path, by_accept=False))
        if answer is None and _AUTO in path.lower():
            answer = self._hot.get(self._key(request.scope, path, by_accept=True))
        if answer is not None and answer.vary:
            request.scope[VARY].update(answer.vary)
        return answer

    def _key(self, scope: Scope, path: bytes, *, by_accept: bool) -> bytes:
        """Return the key of what a path means to clients such as this; no path has a space."""
        key = path
        if by_accept:
            key = b"%b %b" % (key, shown_by(scope).encode())
        if self._hinting and path.find(b"/", len(b"/i/")) > 0:  # no original
            key = b"%b %b" % (key, repr(hints_of(scope)).encode())
        return key

    def _allowed_target(self, path: bytes) -> _Target:
        target = _target(path)
        if self._settings.presets_only and target.instructions and not target.presets_alone:
            raise Forbidden("This service delivers presets only.")
        return target

    async def _answer_cold(
        self, request: Request, send: Send, path: bytes, target: _Target, permit: Permit
    ) -> None:
        key = self._key(request.scope, path, by_accept=True)
        if (leader := self._leaders.get(key)) is not None:
            await leader.wait()
            if (hot := self._hot_answer(request, path)) is not None:
                await self._send(request, send, hot, permit)
                return
        try:
            answer = await self._found_and_kept(request, path, target, key)
        except _ABSENT as fault:
            await self._stand_in(request, send, target, permit, fault)
            return
        if isinstance(answer, _Unchanged):
            headers = [*answer.headers, caching(permit, lasting=answer.lasting)]
            await _send_empty(send, 304, headers)
            return
        with answer:
            timed = replace(answer, headers=answer.headers + timing(answer.asset))
            await self._send(request, send, timed, permit)

    async def _found_and_kept(
        self, request: Request, path: bytes, target: _Target, key: bytes
    ) -> "_Answer | _Unchanged":
        """Find what is asked for; keep it in memory if its URL can never mean other bytes.

        Whoever asks for the same (``key``) meanwhile waits for that, and is spared all of the way.
        """
        stamp = self._hot.stamp(target.image)
        with self._leading(key):
            answer = await self._found(request, target)
            if isinstance(answer, _Unchanged) or answer.data is None or not answer.asset.lasting:
                return answer
            vary = frozenset(request.scope[VARY])
            if "Accept" not in vary:  # it is the same for all of them
                key = self._key(request.scope, path, by_accept=False)
            hot = replace(answer, headers=[*answer.headers, FROM_MEMORY], vary=vary)
            if not vary:
                hot = replace(hot, plain=(_plain(hot), answer.data))
            self._hot.put(key, target.image, stamp, hot, answer.asset.bytes)
            return answer

    @contextmanager
    def _leading(self, key: bytes) -> Iterator[None]:
        """Be waited for, unless somebody is already."""
        done = asyncio.Event()
        first = self._leaders.setdefault(key, done)
        try:
            yield
        finally:
            if first is done:
                del self._leaders[key]
                done.set()

    async def _found(
        self, request: Request, target: _Target, *, here: bool = False
    ) -> "_Answer | _Unchanged":
        """Find what is asked for, made if need be; not even that if the client has it already.

        ``here``: its bytes are to be sent by this process.
        """
        tags = tagging(self._settings.cache_tag_header, target.tags)
        if not target.instructions:
            asset = await self._downloads.original(target.image)
            elsewhere = self._elsewhere.redirects(asset) and not here
            return await self._opened(request, asset, tags, bytes_wanted=not elsewhere)
        image = await self._images.get(target.image)
        instructions = await self._downloads.instructions(target.instructions)
        if instructions.automatic:
            request.scope[VARY].add("Accept")
        self._images.require_possible(image, [instructions])
        if self._hinting:
            tags.append(ACCEPT_CH)
            request.scope[VARY].update(varying(open_to(instructions)))
            instructions = hinted(instructions, hints_of(request.scope), image)
        shown = shown_by(request.scope)
        instructions, settled = await self._formats.choose(image, instructions, shown)
        lasting = target.lasting and settled
        etag = variant_etag(image.id, instructions.recipe())
        if names_tag(request.headers, etag) and "if-match" not in request.headers:
            return _Unchanged([*COMMON, etag_header(etag), *tags], lasting)
        asset = await self._downloads.variant(image, instructions, lasting=lasting)
        return await self._opened(request, asset, tags)

    async def _stand_in(
        self, request: Request, send: Send, target: _Target, permit: Permit, fault: FilmrollError
    ) -> None:
        """Send the fallback image by the same instructions, with the status of the fault.

        Whole, and without a tag: no copy of it is to be taken for the picture itself later on.
        Raises the fault if there is none, or if that one has a fault, too.
        """
        fallback = self._settings.fallback_image
        if fallback is None:
            raise fault
        told = [header for header in request.scope["headers"] if header[0] in _CHOOSING]
        plain = Request({**request.scope, "headers": told})
        try:
            answer = await self._found(plain, replace(target, image=fallback), here=True)
        except FilmrollError:
            raise fault from None
        assert isinstance(answer, _Answer), "nothing was asked about it"
        with answer:
            tags = tagging(self._settings.cache_tag_header, [*target.tags, image_tag(fallback)])
            headers = [
                *COMMON_WHOLE,
                *tags,
                fallback_caching(permit),
                (b"filmroll-fallback", fault.code.encode()),
                *describing(answer.asset),
            ]
            await _send_part(request, send, answer, headers, status=STATUS[fault.kind])

    async def _opened(
        self, request: Request, asset: Asset, tags: Headers, *, bytes_wanted: bool = True
    ) -> _Answer:
        """Get hold of the bytes, if the client is to have them."""
        unchanged = not_modified(request.headers, asset.etag, asset.created_at)
        if request.method == "HEAD" or unchanged or not bytes_wanted:
            return _Answer(asset, identifying(asset) + tags)
        if asset.bytes <= LARGEST_BYTES:
            asset, data = await self._downloads.read(asset)
            return _Answer(asset, identifying(asset) + tags, data=data)
        asset, file = await self._downloads.open(asset)
        return _Answer(asset, identifying(asset) + tags, file=file)

    async def _send(self, request: Request, send: Send, answer: _Answer, permit: Permit) -> None:
        asset, name = answer.asset, wanted_name(request)
        headers = [*answer.headers, caching(permit, lasting=asset.lasting)]
        asked = any(name in _CONDITIONS for name, _ in request.scope["headers"])
        if asked and overtaken(request.headers, asset.etag, asset.created_at):
            raise VersionMismatch("The picture is not the version that If-Match names.")
        if asked and not_modified(request.headers, asset.etag, asset.created_at):
            await _send_empty(send, 304, headers)
            return
        if request.method == "GET" and answer.data is None and answer.file is None:
            led = await self._elsewhere.redirect(asset, permit, name)
            await _send_empty(send, 302, [*COMMON_WHOLE, *led])
            return
        headers += describing(asset)
        if name is not None:
            headers.append(attachment(name, default_name(asset)))
        if request.method == "GET" and answer.file is not None:
            accelerated = self._elsewhere.accelerated(asset, request.headers)
            if accelerated:  # parts of it are then the proxy's business, too
                own = [header for header in headers if header[0] != b"accept-ranges"]
                await _send_empty(send, 200, own + accelerated)
                return
        part = _part(request, asset) if asked else None
        await _send_part(request, send, answer, headers, part)


async def answers_options(request: Request, send: Send) -> bool:
    """Answer OPTIONS; False for GET and HEAD. Raises MethodNotAllowed for all others."""
    if request.method == "OPTIONS":
        await _send_empty(send, 204, [*COMMON, *_PREFLIGHT])
        return True
    if request.method not in {"GET", "HEAD"}:
        raise MethodNotAllowed("Pictures are read with GET or HEAD.", allow=_METHODS)
    return False


async def _send_part(
    request: Request,
    send: Send,
    answer: _Answer,
    headers: Headers,
    part: Range | None = None,
    *,
    status: int = 200,
) -> None:
    size = answer.asset.bytes
    first, length = (part.first, part.length) if part else (0, size)
    if part is not None:
        span = f"bytes {part.first}-{part.last}/{size}".encode()
        headers.append((b"content-range", span))
    headers.append((b"content-length", str(length).encode()))
    status = 206 if part else status
    await send({"type": "http.response.start", "status": status, "headers": headers})
    body = b""
    if request.method == "GET" and answer.data is not None:
        body = answer.data if part is None else answer.data[first : first + length]
    elif request.method == "GET" and answer.file is not None:
        async for chunk in chunks(answer.file, first, length):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": body})


def _plain(answer: _Answer) -> Headers:
    """Return all headers of an answer to someone who sets no terms, where all may see it."""
    asset = answer.asset
    length = (b"content-length", str(asset.bytes).encode())
    kept = caching(OPEN, lasting=asset.lasting)
    return [*answer.headers, kept, *describing(asset), length]


def _part(request: Request, asset: Asset) -> Range | None:
    """Return the part that a GET asks for; raise RangeNotSatisfiable."""
    if request.method != "GET":
        return None
    try:
        return wanted_range(request.headers, asset.bytes, asset.etag, asset.created_at)
    except Unsatisfiable:
        raise RangeNotSatisfiable(
            f"The picture has {asset.bytes} bytes; the range lies outside.", limit=asset.bytes
        ) from None


def _target(path: bytes) -> _Target:
    image, _, rest = path.decode("ascii", "replace").removeprefix("/i/").partition("/")
    if not is_id(image) or "" in rest.split("/")[1:] or rest.startswith("/"):
        raise NotFound("There is no image under this address.")
    return _Target(
        image,
        rest,
        presets_alone=bool(rest) and presets_alone(rest),
        presets=tuple(preset_names(rest)) if rest else (),
    )


async def _send_empty(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body"})
