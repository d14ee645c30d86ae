"""The headers of tus 1.0.0: what they ask for, in the terms of the use cases."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import google_crc32c
from pydantic import ValidationError

from filmroll.errors import EmptyBody, MalformedRequest, UnsupportedVersion
from filmroll.model import Purpose, Transfer
from filmroll.usecases.batch.texts import refusal
from filmroll.usecases.uploads.appending import Checksum, Digester
from filmroll.usecases.uploads.sessions import LONGEST_SECONDS, Intent
from filmroll.usecases.uploads.sizes import MAX_BYTES
from filmroll.web.requests import from_json
from filmroll.web.sessions import SessionBody

VERSION = "1.0.0"
ROOT = "/v1/tus"
EXTENSIONS = (
    "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,"
    "concatenation,concatenation-unfinished"
)
# What a body is checked with: sha1 is tus's own choice, none of these is for secrecy.
_CHECKSUMS: Mapping[str, Callable[[], Digester]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "crc32c": google_crc32c.Checksum,
}
_METHODS = "OPTIONS, POST, HEAD, PATCH, DELETE"
# On every answer, so that a page from anywhere may upload; what keeps it out are keys, never
# cookies.
COMMON: Mapping[str, str] = {
    "Tus-Resumable": VERSION,
    "Tus-Version": VERSION,
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, Content-Location, Tus-Resumable, Tus-Version, "
    "Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, "
    "Upload-Defer-Length, Upload-Metadata, Upload-Concat, Upload-Expires, Retry-After, "
    "X-Request-Id",
}
CAPABILITIES: Mapping[str, str] = {
    "Tus-Extension": EXTENSIONS,
    "Tus-Max-Size": str(MAX_BYTES),
    "Tus-Checksum-Algorithm": ",".join(_CHECKSUMS),
    "Access-Control-Allow-Methods": _METHODS,
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Prefer, Tus-Resumable, "
    "Upload-Offset, Upload-Length, Upload-Defer-Length, Upload-Metadata, Upload-Concat, "
    "Upload-Checksum, X-HTTP-Method-Override, X-Request-Id, X-Requested-With",
    "Access-Control-Max-Age": "86400",
    "Cache-Control": "no-store",
}
_SIZE = re.compile(r"[0-9]{1,18}")
_KEY = re.compile(r"[!-+\--~]+")  # ASCII but for the space and the comma
_URL = re.compile(rf"(?:.*{ROOT}/)([0-9a-z]{{26}})/?")
_LONGEST_METADATA = 16 << 10
_TEXTS = ("name", "purpose", "batch", "ref", "sha256")
_JSON = ("variants", "tags", "metadata")

Headers = Mapping[str, str]


def require_version(headers: Headers) -> None:
    """Raise UnsupportedVersion unless a request speaks this version."""
    if headers.get("tus-resumable") != VERSION:
        raise UnsupportedVersion(f"Send Tus-Resumable: {VERSION} with every request.")


def size_header(headers: Headers, name: str) -> int | None:
    """Return a number of bytes, or None; raise MalformedRequest."""
    text = headers.get(name)
    if text is None:
        return None
    if _SIZE.fullmatch(text.strip()) is None:
        raise MalformedRequest(f"{name} is a number of bytes.", pointer=f"/{name.lower()}")
    return int(text)


def checksum(headers: Headers) -> Checksum | None:
    """Return what the body is announced to hash to; raise MalformedRequest."""
    text = headers.get("upload-checksum")
    if text is None:
        return None
    algorithm, _, value = text.strip().partition(" ")
    if algorithm not in _CHECKSUMS:
        raise MalformedRequest(
            f"A checksum is one of {', '.join(_CHECKSUMS)}.", pointer="/upload-checksum"
        )
    return Checksum(_CHECKSUMS[algorithm](), _decoded(value, "/upload-checksum"))


def intent(headers: Headers) -> Intent:
    """Return what a new upload is to become; raise what stands against that."""
    said = headers.get("upload-metadata", "").strip()
    concat = headers.get("upload-concat", "").strip()
    fields = _metadata(said)
    size = _announced(headers, joins=concat.startswith("final;"))
    if concat == "partial":
        # As large as anything: the whole is held against what it is for.
        purpose, transfer = Purpose.ARCHIVE, Transfer.TUS
        return Intent(purpose=purpose, transfer=transfer, bytes=size, said=said, partial=True)
    if size == 0:
        raise EmptyBody("There are no bytes to come, and nothing is made of none.")
    whole = replace(_whole(fields), transfer=Transfer.TUS, bytes=size, said=said)
    if not concat:
        return whole
    return replace(whole, joins=_joins(concat), expires_in=LONGEST_SECONDS)


def _announced(headers: Headers, *, joins: bool) -> int | None:
    """Return the length of a new upload, None if it is to be told later."""
    size = size_header(headers, "Upload-Length")
    later = headers.get("upload-defer-length")
    if later not in {None, "1"}:
        raise MalformedRequest("Upload-Defer-Length is 1.", pointer="/upload-defer-length")
    if (size is not None) + (later is not None) + joins != 1:
        raise MalformedRequest(
            "A new upload has an Upload-Length, or Upload-Defer-Length, or uploads that it joins.",
            pointer="/upload-length",
        )
    return size


def _joins(concat: str) -> tuple[str, ...]:
    kind, _, urls = concat.partition(";")
    found = [_URL.fullmatch(url) for url in urls.split()]
    if kind != "final" or not found or None in found:
        raise MalformedRequest(
            f"Upload-Concat is `partial`, or `final;` and URLs under {ROOT}.",
            pointer="/upload-concat",
        )
    return tuple(match[1] for match in found if match)


def _metadata(said: str) -> Mapping[str, bytes]:
    """Return the keys and values of Upload-Metadata."""
    if len(said) > _LONGEST_METADATA:
        raise MalformedRequest(
            f"Upload-Metadata has at most {_LONGEST_METADATA} characters.",
            pointer="/upload-metadata",
            limit=_LONGEST_METADATA,
        )
    fields: dict[str, bytes] = {}
    for pair in said.split(",") if said else ():
        key, _, value = pair.strip().partition(" ")
        if _KEY.fullmatch(key) is None or key in fields:
            raise MalformedRequest(
                "Upload-Metadata has pairs of a key, each once, and a value in base64.",
                pointer="/upload-metadata",
            )
        fields[key] = _decoded(value.strip(), "/upload-metadata")
    return fields


def _whole(fields: Mapping[str, bytes]) -> Intent:
    """Return what metadata make of an upload; keys that say nothing to us are kept, not read."""
    said: dict[str, Any] = {name: _text(fields, name) for name in _TEXTS if name in fields}
    if "filename" in fields:
        said["name"] = _text(fields, "filename")
    for name in _JSON:
        if name in fields:
            said[name] = from_json(_text(fields, name), f"/{name}")
    try:
        return SessionBody.model_validate(said).intent()
    except ValidationError as fault:
        raise refusal(fault) from None


def _text(fields: Mapping[str, bytes], name: str) -> str:
    try:
        return fields[name].decode()
    except UnicodeDecodeError:
        raise MalformedRequest("This is no UTF-8.", pointer=f"/{name}") from None


def _decoded(text: str, pointer: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedRequest("This is no base64.", pointer=pointer) from None
