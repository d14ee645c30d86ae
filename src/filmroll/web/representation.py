"""What is said of a picture beside its bytes: headers, caching, names, parts."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Sequence
from typing import BinaryIO
from urllib.parse import quote

from filmroll.errors import InternalError
from filmroll.model import now
from filmroll.usecases.download import Asset
from filmroll.web.access import Permit
from filmroll.web.conditional import http_date
from filmroll.web.views import CONTENT_TYPES

Headers = list[tuple[bytes, bytes]]

_YEAR_SECONDS = 31_536_000
# A preset can come to mean something else: its URLs are looked at again soon.
_PRESET_SECONDS = 300
_CHUNK_BYTES = 256 << 10

COMMON: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Repr-Digest, Content-Range, X-Request-Id"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"accept-ranges", b"bytes"),
]


def identifying(asset: Asset) -> Headers:
    """Return what is said with an asset whether its bytes follow or not."""
    modified = (b"last-modified", http_date(asset.created_at).encode())
    return [*COMMON, etag_header(asset.etag), modified]


def describing(asset: Asset) -> Headers:
    """Return what is said of the bytes that follow."""
    digest = b"sha-256=:" + base64.b64encode(bytes.fromhex(asset.sha256)) + b":"
    return [(b"content-type", CONTENT_TYPES[asset.format].encode()), (b"repr-digest", digest)]


def etag_header(etag: str) -> tuple[bytes, bytes]:
    """Return the strong tag."""
    return b"etag", f'"{etag}"'.encode()


def caching(permit: Permit, *, lasting: bool) -> tuple[bytes, bytes]:
    """Return how long a copy may be kept, and by whom.

    A URL that always means these bytes: for ever, but not past its signature.
    """
    seconds = _YEAR_SECONDS if lasting else _PRESET_SECONDS
    if permit.ends is not None:
        seconds = max(0, min(seconds, permit.ends - int(now())))
    scope = "public" if permit.shared else "private"
    immutable = ", immutable" if lasting else ""
    return b"cache-control", f"{scope}, max-age={seconds}{immutable}".encode()


def tagging(header: str | None, tags: Sequence[str]) -> Headers:
    """Return what tells a CDN by which tags to purge this; nothing if no header is named.

    Those whose name speaks of tags (Cache-Tag, Edge-Cache-Tag) are separated by commas, those of
    keys (Surrogate-Key, xkey) by spaces.
    """
    if header is None:
        return []
    separator = "," if "tag" in header.lower() else " "
    return [(header.lower().encode(), separator.join(tags).encode())]


def attachment(name: str, otherwise: str) -> tuple[bytes, bytes]:
    """Write a file name so that no browser takes it for more than a name (RFC 6266)."""
    clean = re.sub(r'[\x00-\x1f\x7f/\\"]', "_", name)[:200] or otherwise
    plain = clean.encode("ascii", "replace").decode().replace("?", "_")
    encoded = quote(clean.encode("utf-8", "replace"))
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    return b"content-disposition", disposition.encode()


async def chunks(file: BinaryIO, first: int, length: int) -> AsyncIterator[bytes]:
    """Yield ``length`` bytes of a file from ``first`` on; InternalError if it ends before."""
    file.seek(first)
    while length > 0:
        chunk = await asyncio.to_thread(file.read, min(_CHUNK_BYTES, length))
        if not chunk:
            raise InternalError("The file is shorter than its record says.")
        length -= len(chunk)
        yield chunk
