"""What is said of a picture beside its bytes: headers, caching, names, parts."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Sequence
from functools import lru_cache
from typing import BinaryIO, NamedTuple
from urllib.parse import quote

from filmroll.errors import InternalError
from filmroll.model import now
from filmroll.usecases.download import Asset
from filmroll.web.access import Permit
from filmroll.web.conditional import http_date
from filmroll.web.views import CONTENT_TYPES

Headers = list[tuple[bytes, bytes]]


class _Copies(NamedTuple):
    """How long copies of a picture serve: fresh, and ``stale`` at certain times."""

    seconds: int
    stale: tuple[tuple[str, int], ...] = ()
    immutable: bool = False


_IMMUTABLE = _Copies(31_536_000, immutable=True)
# A preset can come to mean something else: its URLs are looked at again soon, at first behind the
# back of someone who is shown the old picture once more; for a day if there is no answer.
_CHANGING = _Copies(300, (("stale-while-revalidate", 300), ("stale-if-error", 86_400)))
_PASSING = _Copies(60)
_CHUNK_BYTES = 256 << 10

COMMON: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"ETag, Repr-Digest, Content-Range, X-Request-Id, Filmroll-Fallback",
    ),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"timing-allow-origin", b"*"),
    (b"accept-ranges", b"bytes"),
]

# Of what has no parts: an archive that is written while it is sent, a stand-in.
COMMON_WHOLE: Headers = [
    *(header for header in COMMON if header[0] != b"accept-ranges"),
    (b"accept-ranges", b"none"),
]


def identifying(asset: Asset) -> Headers:
    """Return what is said with an asset whether its bytes follow or not."""
    modified = (b"last-modified", http_date(asset.created_at).encode())
    return [*COMMON, etag_header(asset.etag), modified]


# An answer that costs no more than to hand it out says so.
FROM_MEMORY = (b"server-timing", b"cache;desc=memory")
_FROM_STORE = (b"server-timing", b"cache;desc=store")


def timing(asset: Asset) -> Headers:
    """Return where the time went; of a variant that was kept, that it was."""
    if asset.instructions is None:
        return []
    if not asset.spent:
        return [_FROM_STORE]
    laps = (f"{name};dur={seconds * 1000:.1f}" for name, seconds in asset.spent.items())
    return [(b"server-timing", ", ".join(laps).encode())]


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
    copies = _IMMUTABLE if lasting and permit.lasting else _CHANGING
    return _cache_control(copies, permit.shared, _left(permit))


def fallback_caching(permit: Permit) -> tuple[bytes, bytes]:
    """Return how long the stand-in for a picture may be kept: it says nothing that lasts."""
    return _cache_control(_PASSING, permit.shared, _left(permit))


def _left(permit: Permit) -> int | None:
    """Return for how many seconds a picture may be handed out; None without an end."""
    return None if permit.ends is None else max(0, permit.ends - int(now()))


@lru_cache(1024)  # it is said with every answer, and mostly the same
def _cache_control(copies: _Copies, shared: bool, left: int | None) -> tuple[bytes, bytes]:  # noqa: FBT001 -- private
    """Write the header."""
    fresh = copies.seconds if left is None else min(copies.seconds, left)
    more = {
        name: longest if left is None else min(longest, left - fresh)
        for name, longest in copies.stale
    }
    words = [
        "public" if shared else "private",
        f"max-age={fresh}",
        *(["immutable"] if copies.immutable else []),
        *(f"{name}={added}" for name, added in more.items() if added),
    ]
    return b"cache-control", ", ".join(words).encode()


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
