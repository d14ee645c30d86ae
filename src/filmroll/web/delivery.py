"""``GET|HEAD /i/{id}`` and ``/i/{id}/{instructions}``: originals and variants."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.types import Send

from filmroll.errors import Forbidden, MethodNotAllowed, NotFound
from filmroll.instructions import preset_names
from filmroll.model import is_id, now
from filmroll.usecases.download import Asset, variant_etag
from filmroll.usecases.hot import LARGEST_BYTES, HotAssets
from filmroll.web.access import Gate
from filmroll.web.conditional import Range, Unsatisfiable, http_date, not_modified, wanted_range
from filmroll.web.services import Services
from filmroll.web.views import CONTENT_TYPES

_Headers = list[tuple[bytes, bytes]]

_YEAR_SECONDS = 31_536_000
# A preset can come to mean something else: its URLs are looked at again soon.
_PRESET_SECONDS = 300
_CHUNK_BYTES = 256 << 10
_METHODS = "GET, HEAD, OPTIONS"

_COMMON: _Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Repr-Digest, Content-Range, X-Request-Id"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"accept-ranges", b"bytes"),
]


@dataclass(frozen=True, slots=True)
class _Target:
    """What a path names."""

    image: str
    instructions: str  # "" for the original
    preset: bool


@dataclass(frozen=True, slots=True)
class _Found:
    asset: Asset
    data: bytes | None = None  # if it is in memory already


class DeliveryRoute:
    """Hands out pictures; everything but the bytes is decided before they are touched."""

    def __init__(self, services: Services, gate: Gate) -> None:
        self._downloads = services.downloads
        self._settings = services.settings
        self._gate = gate
        self._hot = HotAssets(services.epochs)

    async def __call__(self, request: Request, send: Send) -> None:
        """Answer one request."""
        if request.method == "OPTIONS":
            await _send_empty(send, 204, [*_COMMON, (b"allow", _METHODS.encode())])
            return
        if request.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed("Pictures are read with GET or HEAD.", allow=_METHODS)
        path: bytes = request.scope["raw_path"]
        target = _target(path)
        if self._settings.presets_only and target.instructions and not target.preset:
            raise Forbidden("This service delivers presets only.")
        ends = await self._gate.require_delivery(
            request, path.decode("ascii"), preset=target.preset
        )
        hot = self._hot.get(path)
        if hot is not None:
            await self._answer(request, send, _Found(*hot), ends)
        else:
            await self._answer_cold(request, send, path, target, ends)

    async def _answer_cold(
        self, request: Request, send: Send, path: bytes, target: _Target, ends: int | None
    ) -> None:
        stamp = self._hot.stamp(target.image)
        if not target.instructions:
            found = _Found(await self._downloads.original(target.image))
        else:
            made = await self._variant(request, send, target, ends)
            if made is None:
                return
            found = _Found(made)
        if found.asset.bytes <= LARGEST_BYTES and request.method == "GET":
            data = await self._downloads.read(found.asset)
            if found.asset.lasting:
                self._hot.put(path, stamp, found.asset, data)
            found = _Found(found.asset, data)
        await self._answer(request, send, found, ends)

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

    async def _answer(self, request: Request, send: Send, found: _Found, ends: int | None) -> None:
        asset = found.asset
        headers = [
            *_COMMON,
            _etag(asset.etag),
            (b"last-modified", http_date(asset.created_at).encode()),
            _caching(lasting=asset.lasting, ends=ends),
        ]
        if not_modified(request.headers, asset.etag, asset.created_at):
            await _send_empty(send, 304, headers)
            return
        headers += [
            (b"content-type", CONTENT_TYPES[asset.format].encode()),
            (b"repr-digest", _digest(asset.sha256)),
        ]
        if "dl" in request.query_params:
            headers.append((b"content-disposition", _attachment(request.query_params["dl"], asset)))
        try:
            part = wanted_range(request.headers, asset.bytes, asset.etag, asset.created_at)
        except Unsatisfiable:
            unsatisfied = f"bytes */{asset.bytes}".encode()
            await _send_empty(send, 416, [*headers, (b"content-range", unsatisfied)])
            return
        await self._send_part(request, send, found, headers, part)

    async def _send_part(
        self, request: Request, send: Send, found: _Found, headers: _Headers, part: Range | None
    ) -> None:
        size = found.asset.bytes
        window = part or Range(0, size - 1)
        if part is not None:
            span = f"bytes {part.first}-{part.last}/{size}".encode()
            headers.append((b"content-range", span))
        length = window.last - window.first + 1
        headers.append((b"content-length", str(length).encode()))
        start = {"type": "http.response.start", "status": 206 if part else 200, "headers": headers}
        if request.method == "HEAD":
            await send(start)
            await send({"type": "http.response.body"})
        elif found.data is not None:
            await send(start)
            data = found.data if part is None else found.data[window.first : window.last + 1]
            await send({"type": "http.response.body", "body": data})
        else:
            with await self._downloads.open(found.asset) as file:
                await send(start)
                async for chunk in _chunks(file, window.first, length):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body"})


def _target(path: bytes) -> _Target:
    image, _, rest = path.decode("ascii", "replace").removeprefix("/i/").partition("/")
    if not is_id(image):
        raise NotFound("There is no image with this id.")
    return _Target(image, rest, preset=bool(rest) and bool(preset_names(rest)))


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


def _digest(sha256: str) -> bytes:
    return b"sha-256=:" + base64.b64encode(bytes.fromhex(sha256)) + b":"


def _attachment(name: str, asset: Asset) -> bytes:
    """Write a file name so that no browser takes it for more than a name (RFC 6266)."""
    clean = re.sub(r'[\x00-\x1f\x7f/\\"]', "_", name)[:200] or f"{asset.image}.{asset.format}"
    plain = clean.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean)}".encode()


async def _send_empty(send: Send, status: int, headers: _Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body"})
