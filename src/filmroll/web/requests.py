"""What headers and queries ask for, in the terms of the use cases."""

import base64
import binascii
import json
import re
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from filmroll.errors import IncompleteBody, InvalidRequest, MalformedRequest, TooLarge
from filmroll.usecases.spool import Refusal, Spool, too_large

DEFAULT_WAIT_SECONDS = 30.0
_LONGEST_KEY = 255
_DIGITS = re.compile(r"[0-9]{1,15}")
_SHA256 = re.compile(r"\s*sha-256\s*=\s*:([A-Za-z0-9+/=]+):\s*")


@dataclass(frozen=True, slots=True)
class Preference:
    """How long a client wants to wait (RFC 7240); ``applied`` is None if it did not say."""

    wait: float
    applied: str | None


def preference(request: Request) -> Preference:
    """Read ``Prefer``: ``respond-async`` or ``wait=N``; what is not understood is ignored."""
    said: dict[str, str] = {}
    for part in ",".join(request.headers.getlist("prefer")).split(","):
        name, _, value = part.strip().partition("=")
        said.setdefault(name.lower(), value.strip('"'))
    if (wait := _number(said.get("wait", ""))) is not None:
        wait = min(wait, int(DEFAULT_WAIT_SECONDS))
        return Preference(float(wait), f"wait={wait}")
    if "respond-async" in said:
        return Preference(0.0, "respond-async")
    return Preference(DEFAULT_WAIT_SECONDS, None)


def _number(text: str) -> int | None:
    return int(text) if _DIGITS.fullmatch(text) else None


def expected_digests(headers: Mapping[str, str]) -> list[bytes]:
    """Return every sha-256 that Repr-Digest and Content-Digest announce for the body."""
    digests = []
    for name in ("repr-digest", "content-digest"):
        for item in headers.get(name, "").split(","):
            match = _SHA256.fullmatch(item)
            if match:
                digests.append(_decoded(match[1], name))
            elif item.strip().lower().startswith("sha-256"):
                raise MalformedRequest(f"Write {name} as sha-256=:<base64>:", pointer=f"/{name}")
    return digests


def _decoded(text: str, name: str) -> bytes:
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 32:  # noqa: PLR2004 -- a sha-256 has 32 bytes
        raise MalformedRequest(f"{name} holds no sha-256.", pointer=f"/{name}")
    return digest


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key, quoted or not, or None."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    key = key.strip().removeprefix('"').removesuffix('"')
    if not key or len(key) > _LONGEST_KEY:
        raise MalformedRequest(
            f"An Idempotency-Key has 1 to {_LONGEST_KEY} characters.", limit=_LONGEST_KEY
        )
    return key


def if_match(request: Request) -> set[int] | None:
    """Return the versions that ``If-Match`` allows; None for any. Weak tags never match."""
    text = request.headers.get("if-match", "*").strip()
    if text == "*":
        return None
    tags = (re.fullmatch(r'"([0-9]{1,18})"', tag.strip()) for tag in text.split(","))
    return {int(tag[1]) for tag in tags if tag}


def query(request: Request, known: Iterable[str]) -> dict[str, list[str]]:
    """Return the query's fields; raise InvalidRequest for one that is not known."""
    fields: dict[str, list[str]] = {}
    raw = request.scope.get("query_string", b"")
    if not raw:
        return fields
    for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
        require_known(name, known)
        fields.setdefault(name, []).append(value)
    return fields


def require_known(name: str, known: Iterable[str]) -> None:
    """Raise InvalidRequest for a field that is not among the known."""
    if name not in known:
        raise InvalidRequest(
            f"There is no field {name[:40]!r} here; there are {', '.join(known)}.",
            pointer=f"/{name[:40]}",
        )


def one(fields: Mapping[str, Sequence[str]], name: str) -> str | None:
    """Return a field that may be given once."""
    values = fields.get(name, ())
    if len(values) > 1:
        raise InvalidRequest(f"{name} is given more than once.", pointer=f"/{name}")
    return values[0] if values else None


def announced_bytes(request: Request, limit: int, refusal: Refusal = too_large) -> int:
    """Return what Content-Length says, 0 if nothing.

    Raises TooLarge if it is over the limit: no byte has to be read for that.
    """
    length = _number(request.headers.get("content-length", "0")) or 0
    if length > limit:
        raise refusal(limit, length)
    return length


async def body_of(request: Request) -> AsyncGenerator[bytes]:
    """Yield the chunks of a body; raise IncompleteBody if the connection ends before it does."""
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect:
        raise IncompleteBody("The connection ended before the body did.") from None


async def spool_body(request: Request, spool: Spool) -> None:
    """Read the whole body into a spool and seal it."""
    async for chunk in body_of(request):
        await spool.write(chunk)
    await spool.seal()


async def small_body(request: Request, limit: int) -> bytes:
    """Return a body that is held in memory; raise TooLarge if it has more than ``limit`` bytes."""
    body = b""
    async for chunk in body_of(request):
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"This takes at most {limit} bytes.", limit=limit)
    return body


def from_json(text: str, pointer: str) -> Any:
    """Read a field that is JSON; raise InvalidRequest."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequest("This is no JSON.", pointer=pointer) from None


def metadata_field(text: str | None) -> Mapping[str, Any] | None:
    """Read the field ``metadata``; raise InvalidRequest unless it is a JSON object."""
    if text is None:
        return None
    value = from_json(text, "/metadata")
    if not isinstance(value, dict):
        raise InvalidRequest("metadata is a JSON object.", pointer="/metadata")
    return value


def spelling(text: str) -> Any:
    """Return the JSON spelling as a list, the path spelling as it is."""
    return from_json(text, "/variants") if text.lstrip().startswith("[") else text
