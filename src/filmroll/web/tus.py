"""tus 1.0.0 under ``/v1/tus``: uploads that go on where they broke off."""

import re
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope as AsgiScope

from filmroll.errors import (
    FilmrollError,
    Kind,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    OffsetMismatch,
    UnsupportedMedia,
    UploadGone,
    UploadSettled,
)
from filmroll.model import Purpose, Scope, Upload, UploadState
from filmroll.usecases.uploads.appending import Checksum, room, too_long
from filmroll.web.access import Gate
from filmroll.web.conditional import http_date
from filmroll.web.incoming import Incoming
from filmroll.web.requests import announced_bytes, body_of, preference, query
from filmroll.web.services import Services
from filmroll.web.sessions import finished_image
from filmroll.web.turns import Turns
from filmroll.web.tus_headers import (
    CAPABILITIES,
    ROOT,
    checksum,
    intent,
    require_version,
    size_header,
)

_PATH = re.compile(rf"{ROOT}/?([0-9a-z]{{26}})?/?")
_BYTES = "application/offset+octet-stream"


class TusRoute:
    """Takes uploads by tus in."""

    def __init__(self, services: Services, gate: Gate) -> None:
        self._services = services
        self._tus = services.tus
        self._gate = gate
        self._turns = Turns()

    def serves(self, scope: AsgiScope) -> bool:
        """Whether a request is for this route."""
        path: str = scope["path"]
        return path == ROOT or path.startswith(f"{ROOT}/")

    async def __call__(self, request: Request, incoming: Incoming) -> Response:
        """Answer the request."""
        method = request.headers.get("x-http-method-override", request.method).upper()
        if method == "OPTIONS":
            return Response(status_code=204, headers=CAPABILITIES)
        require_version(request.headers)
        await self._gate.require(request, Scope.UPLOAD)
        query(request, ())
        match = _PATH.fullmatch(request.scope["path"])
        if match is None:
            raise NotFound("There is no upload with this id.")
        if (upload := match[1]) is None:
            _require_method(method, "POST")
            return await self._post(request, incoming)
        _require_method(method, "HEAD", "PATCH", "DELETE")
        if method == "PATCH":
            return await self._patch(request, incoming, upload)
        await self._turns.free(upload)
        return await (self._delete(upload) if method == "DELETE" else self._head(upload))

    async def _post(self, request: Request, incoming: Incoming) -> Response:
        if incoming.pending:
            _require_bytes(request)
        expected = checksum(request.headers)
        wanted = intent(request.headers)
        if incoming.pending and wanted.joins:
            raise _consists_of_others()
        upload = await self._tus.begin(wanted)
        if incoming.pending:
            upload = await self._append(request, upload, expected)
        answer = await self._reached(request, upload, 201)
        answer.headers["Location"] = f"{ROOT}/{upload.id}"
        return answer

    async def _head(self, upload_id: str) -> Response:
        upload = await self._tus.look(upload_id)
        size = upload.received if upload.joins and upload.received else upload.bytes
        headers = _standing(upload)
        if size is not None:
            headers["Upload-Length"] = str(size)
        elif not upload.joins:
            headers["Upload-Defer-Length"] = "1"
        if upload.said:
            headers["Upload-Metadata"] = upload.said
        if upload.partial:
            headers["Upload-Concat"] = "partial"
        elif upload.joins:
            urls = " ".join(f"{ROOT}/{piece}" for piece in upload.joins)
            headers["Upload-Concat"] = f"final;{urls}"
        return Response(headers=headers)

    async def _patch(self, request: Request, incoming: Incoming, upload_id: str) -> Response:
        _require_bytes(request)
        expected = checksum(request.headers)
        offset = size_header(request.headers, "Upload-Offset")
        if offset is None:
            raise MalformedRequest("Say where to go on: Upload-Offset.", pointer="/upload-offset")
        length = size_header(request.headers, "Upload-Length")
        async with self._turns.take(upload_id, incoming.stop):
            upload = await self._tus.get(upload_id)
            if upload.joins:
                raise _consists_of_others()
            if length is not None:
                upload = await self._tus.announce(upload, length)
            if offset != upload.received:
                detail = f"The upload goes on at byte {upload.received}."
                raise OffsetMismatch(detail, offset=upload.received)
            if upload.state is UploadState.OPEN:
                upload = await self._append(request, upload, expected)
        return await self._reached(request, upload, 204)

    async def _delete(self, upload_id: str) -> Response:
        await self._tus.end(upload_id)
        return Response(status_code=204)

    async def _append(self, request: Request, upload: Upload, expected: Checksum | None) -> Upload:
        """Take the body in; return the upload as it is then, completed if that was the end."""
        announced_bytes(request, room(upload), too_long)
        appending = self._services.appending
        async with aclosing(body_of(request)) as chunks:
            if expected is None:
                await appending.append(upload, chunks)
            else:
                await appending.append_checked(upload, chunks, expected)
        return await self._tus.finish(await self._tus.get(upload.id))

    async def _reached(self, request: Request, upload: Upload, status: int) -> Response:
        """Say how far an upload has come; of a whole one, after a while, what it has become."""
        if upload.state is UploadState.COMPLETING and not upload.partial:
            upload = await self._made(request, upload)
        return Response(status_code=status, headers=_standing(upload))

    async def _made(self, request: Request, upload: Upload) -> Upload:
        """Wait for what is made of an upload; raise what stood against it."""
        if upload.purpose is Purpose.ARCHIVE:
            self._services.outbox.enqueue(upload.id)
            return upload
        try:
            await finished_image(self._services, upload, preference(request))
        except FilmrollError as fault:
            if fault.kind is Kind.CONFLICT:  # clients take 409 for an offset, and try again
                raise UploadGone(fault.detail) from fault
            raise
        return await self._tus.get(upload.id)


def _standing(upload: Upload) -> dict[str, str]:
    """Return what every answer says of an upload."""
    headers = {"Cache-Control": "no-store"}
    is_open = upload.state is UploadState.OPEN
    if not (upload.joins and is_open):
        headers["Upload-Offset"] = str(upload.received)
    if is_open and upload.expires_at is not None:
        headers["Upload-Expires"] = http_date(upload.expires_at)
    if not is_open and not upload.partial:
        headers["Content-Location"] = _become(upload)
    return headers


def _become(upload: Upload) -> str:
    """Return where to find what an upload has become, or who is at work on it."""
    if upload.image:
        return f"/v1/images/{upload.image}"
    if upload.batch and (upload.purpose is Purpose.ARCHIVE or upload.state.final):
        return f"/v1/batches/{upload.batch}"
    return f"/v1/jobs/{upload.id}"


def _require_bytes(request: Request) -> None:
    if request.headers.get("content-type", "").strip().lower() != _BYTES:
        raise UnsupportedMedia(f"Send the bytes with Content-Type: {_BYTES}.")


def _require_method(method: str, *allowed: str) -> None:
    if method not in allowed:
        allow = ", ".join((*allowed, "OPTIONS"))
        raise MethodNotAllowed(f"Use one of {allow}.", allow=allow)


def _consists_of_others() -> UploadSettled:
    return UploadSettled("The upload consists of others; send the bytes to those.")
