"""``GET|HEAD /i/{id}`` and ``/i/{id}/{instructions}``: originals and variants."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.types import Send

from filmroll.errors import Forbidden, MethodNotAllowed, NotFound
from filmroll.instructions import preset_names
from filmroll.model import is_id, now
from filmroll.usecases.download import Asset, variant_etag
from filmroll.usecases.hot import LARGEST_BYTES, HotAnswers
from filmroll.web.access import Gate
from filmroll.web.conditional import Range, Unsatisfiable, http_date, not_modified, wanted_range
from filmroll.web.services import Services
from filmroll.web.views import CONTENT_TYPES

_Headers = list[tuple[bytes, bytes]]

_YEAR_SECONDS = 31_536_000
# A preset can come to mean something else: its URLs are looked at again soon.
_PRESET_SECONDS = 300
_CHUNK_BYTES = 256 << 10
_CONDITIONS = {b"range", b"if-range", b"if-none-match", b"if-modified-since"}
_METHODS = "GET, HEAD, OPTIONS"

_COMMON: _Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Repr-Digest, Content-Range, X-Request-Id"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"accept-ranges", b"bytes"),
]

_PREFLIGHT: _Headers = [
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
    preset: bool


@dataclass(frozen=True, slots=True)
class _Answer:
    """An asset, what is always said with it, and its bytes if they are in memory."""

    asset: Asset
    headers: _Headers
    data: bytes | None = None


class DeliveryRoute:
    """Hands out pictures; everything but the bytes is decided before they are touched."""

    def __init__(self, services: Services, gate: Gate) -> None:
        self._downloads = services.downloads
        self._settings = services.settings
        self._gate = gate
        self._hot: HotAnswers[_Answer] = HotAnswers(services.epochs)

    async def __call__(self, request: Request, send: Send) -> None:
        """Answer one request."""
        if request.method == "OPTIONS":
            await _send_empty(send, 204, [*_COMMON, *_PREFLIGHT])
            return
        if request.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed("Pictures are read with GET or HEAD.", allow=_METHODS)
        path: bytes = request.scope["raw_path"]
        answer = self._hot.get(path)
        if answer is not None:
            ends = await self._gate.require_delivery(request, path, preset=False)
            await self._send(request, send, answer, ends)
        else:
            await self._answer_cold(request, send, path)

    async def _answer_cold(self, request: Request, send: Send, path: bytes) -> None:
        target = _target(path)
        if self._settings.presets_only and target.instructions and not target.preset:
            raise Forbidden("This service delivers presets only.")
        ends = await self._gate.require_delivery(request, path, preset=target.preset)
        stamp = self._hot.stamp(target.image)
        if target.instructions:
            asset = await self._variant(request, send, target, ends)
            if asset is None:
                return
        else:
            asset = await self._downloads.original(target.image)
        answer = _Answer(asset, _headers(asset))
        if asset.bytes <= LARGEST_BYTES and request.method == "GET":
            answer = replace(answer, data=await self._downloads.read(asset))
            if asset.lasting:
                self._hot.put(path, asset.image, stamp, answer, asset.bytes)
        await self._send(request, send, answer, ends)

    async def _variant(
        self, request: Request, send: Send, target: _Target, ends: int | None
    ) -> Asset | None:
        """Return the variant; None if a 304 was sent, without it having been made."""
        image = await self._downloads.image(target.image)
        instructions = await self._downloads.instructions(target.instructions)
        etag = variant_etag(image.id, instructions.recipe())
        lasting = not target.preset
        if not_modified(request.headers, etag, None):
            headers = [*_COMMON, _etag(etag), _caching(lasting=lasting, ends=ends)]
            await _send_empty(send, 304, headers)
            return None
        return await self._downloads.variant(image, instructions, lasting=lasting)

    async def _send(self, request: Request, send: Send, answer: _Answer, ends: int | None) -> None:
        asset = answer.asset
        headers = [*answer.headers, _caching(lasting=asset.lasting, ends=ends)]
        part = None
        if any(name in _CONDITIONS for name, _ in request.scope["headers"]):
            if not_modified(request.headers, asset.etag, asset.created_at):
                await _send_empty(send, 304, headers)
                return
            try:
                part = wanted_range(request.headers, asset.bytes, asset.etag, asset.created_at)
            except Unsatisfiable:
                headers.append((b"content-range", f"bytes */{asset.bytes}".encode()))
                await _send_empty(send, 416, headers)
                return
        headers += _describing(asset)
        if request.scope["query_string"] and "dl" in request.query_params:
            headers.append((b"content-disposition", _attachment(request.query_params["dl"], asset)))
        await self._send_part(request, send, answer, headers, part)

    async def _send_part(
        self, request: Request, send: Send, answer: _Answer, headers: _Headers, part: Range | None
    ) -> None:
        size = answer.asset.bytes
        first, length = (part.first, part.length) if part else (0, size)
        if part is not None:
            span = f"bytes {part.first}-{part.last}/{size}".encode()
            headers.append((b"content-range", span))
        headers.append((b"content-length", str(length).encode()))
        start = {"type": "http.response.start", "status": 206 if part else 200, "headers": headers}
        if request.method == "HEAD":
            await send(start)
            await send({"type": "http.response.body"})
        elif answer.data is not None:
            await send(start)
            data = answer.data if part is None else answer.data[first : first + length]
            await send({"type": "http.response.body", "body": data})
        else:
            with await self._downloads.open(answer.asset) as file:
                await send(start)
                async for chunk in _chunks(file, first, length):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body"})


def _target(path: bytes) -> _Target:
    image, _, rest = path.decode("ascii", "replace").removeprefix("/i/").partition("/")
    if not is_id(image):
        raise NotFound("There is no image with this id.")
    return _Target(image, rest, preset=bool(rest) and bool(preset_names(rest)))


def _headers(asset: Asset) -> _Headers:
    """Return what is said with an asset whether its bytes follow or not."""
    modified = (b"last-modified", http_date(asset.created_at).encode())
    return [*_COMMON, _etag(asset.etag), modified]


def _describing(asset: Asset) -> _Headers:
    """Return what is said of the bytes that follow."""
    digest = b"sha-256=:" + base64.b64encode(bytes.fromhex(asset.sha256)) + b":"
    return [(b"content-type", CONTENT_TYPES[asset.format].encode()), (b"repr-digest", digest)]


async def _chunks(file: BinaryIO, first: int, length: int) -> AsyncIterator[bytes]:
    file.seek(first)
    while length > 0:
        chunk = await asyncio.to_thread(file.read, min(_CHUNK_BYTES, length))
        length -= len(chunk)
        yield chunk


def _etag(etag: str) -> tuple[bytes, bytes]:
    return b"etag", f'"{etag}"'.encode()


def _caching(*, lasting: bool, ends: int | None) -> tuple[bytes, bytes]:
    """A URL that always means these bytes may be kept for ever, but not past its signature."""
    seconds = _YEAR_SECONDS if lasting else _PRESET_SECONDS
    if ends is not None:
        seconds = max(0, min(seconds, ends - int(now())))
    immutable = ", immutable" if lasting else ""
    return b"cache-control", f"public, max-age={seconds}{immutable}".encode()


def _attachment(name: str, asset: Asset) -> bytes:
    """Write a file name so that no browser takes it for more than a name (RFC 6266)."""
    clean = re.sub(r'[\x00-\x1f\x7f/\\"]', "_", name)[:200] or f"{asset.image}.{asset.format}"
    plain = clean.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean)}".encode()


async def _send_empty(send: Send, status: int, headers: _Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body"})
