"""``PUT /v1/uploads/{upload}/parts/{n}``: the bytes of one part."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope as AsgiScope

from filmroll.errors import DigestMismatch, InvalidRequest, MalformedRequest, NotFound
from filmroll.model import Scope, Transfer, Upload, is_id
from filmroll.usecases.spool import Spool
from filmroll.usecases.uploads.sessions import require_taking
from filmroll.usecases.uploads.sizes import part_limit, part_too_large, require_number
from filmroll.web.access import Gate
from filmroll.web.requests import announced_bytes, expected_digests, query, spool_body
from filmroll.web.services import Services

_PATH = re.compile(r"/v1/uploads/([^/]*)/parts/([^/]*)")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_MD5_BYTES = 16


class PartRoute:
    """Takes parts in."""

    def __init__(self, services: Services, gate: Gate) -> None:
        self._services = services
        self._gate = gate

    def serves(self, scope: AsgiScope) -> bool:
        """Whether a request is for this route."""
        return scope["method"] == "PUT" and _PATH.fullmatch(scope["path"]) is not None

    async def __call__(self, request: Request) -> Response:
        """Answer the request."""
        await self._gate.require(request, Scope.UPLOAD)
        query(request, ())
        match = _PATH.fullmatch(request.scope["path"])
        assert match is not None, "only what it serves comes here"
        number = _number(match[2])
        upload = await self._upload(match[1])
        limit = part_limit(upload)
        announced_bytes(request, limit, part_too_large)
        spool = self._services.spools.limited(limit, part_too_large)
        try:
            await _fill(request, spool)
            part = await self._services.parts.take(upload, number, spool)
        finally:
            spool.close()
        return Response(headers={"ETag": f'"{part.etag}"', "Cache-Control": "no-store"})

    async def _upload(self, upload_id: str) -> Upload:
        if not is_id(upload_id):
            raise NotFound("There is no upload with this id.")
        upload = await self._services.sessions.get(upload_id, Transfer.PARTS)
        require_taking(upload)
        return upload


async def _fill(request: Request, spool: Spool) -> None:
    """Read the body into a spool; raise DigestMismatch unless it is what was announced."""
    digests = expected_digests(request.headers)
    announced = _content_md5(request.headers)
    md5 = hashlib.md5(usedforsecurity=False)
    if announced is not None:
        spool.feed(md5)
    await spool_body(request, spool)
    spool.expect(digests)
    if announced not in {None, md5.digest()}:
        raise DigestMismatch(
            "The MD5 of the bytes that arrived is not the one announced. Send them again.",
            actual=md5.hexdigest(),
        )


def _content_md5(headers: Mapping[str, str]) -> bytes | None:
    text = headers.get("content-md5")
    if text is None:
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != _MD5_BYTES:
        raise MalformedRequest("Content-MD5 holds no MD5 in base64.", pointer="/content-md5")
    return digest


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise InvalidRequest("The number of a part is a number.", pointer="/n")
    number = int(text)
    require_number(number)
    return number
