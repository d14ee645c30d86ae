"""Uploads in parts under ``/v1/uploads``; the parts themselves come by ``parts.py``."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from filmroll.errors import InvalidRequest
from filmroll.model import (
    Image,
    ImageState,
    Purpose,
    Scope,
    Transfer,
    Upload,
    UploadPart,
    now,
    timestamp,
)
from filmroll.usecases.images import Annotations
from filmroll.usecases.resolve import Spelling
from filmroll.usecases.uploads.direct import URL_SECONDS, Way
from filmroll.usecases.uploads.parts import Listed
from filmroll.usecases.uploads.sessions import (
    DEFAULT_SECONDS,
    LONGEST_SECONDS,
    Intent,
)
from filmroll.web.access import Gate
from filmroll.web.fields import Fields, Sha256, StrictRoute, require_id
from filmroll.web.idempotent import Ids, once
from filmroll.web.problems import kept_problem
from filmroll.web.requests import Preference, preference
from filmroll.web.services import Services
from filmroll.web.views import batch_view, image_view, job_view, json_response

MAX_PARTS_LISTED = 1000


class SessionBody(Fields):
    """An upload to be begun."""

    name: str | None = None
    bytes: Annotated[int, Field(ge=1)] | None = None
    part_bytes: int | None = None
    purpose: Purpose = Purpose.IMAGE
    batch: str | None = None
    ref: str | None = None
    variants: list[Spelling] | None = None
    tags: list[str] = Field(default_factory=list)
    metadata: dict[str, Any] | None = None
    sha256: Sha256 | None = None
    expires_in: Annotated[int, Field(ge=60, le=LONGEST_SECONDS)] = DEFAULT_SECONDS

    def intent(self) -> Intent:
        """Return what the client is going to send."""
        said = Annotations(
            name=self.name, tags=tuple(dict.fromkeys(self.tags)), metadata=self.metadata
        )
        own = {"name", "tags", "metadata"}
        return Intent(annotations=said, **self.model_dump(exclude=own))


class PartBody(Fields):
    """A part, as the answer to it has named it."""

    n: int
    etag: str


class CompleteBody(Fields):
    """What the whole is made of."""

    parts: list[PartBody]
    sha256: Sha256 | None = None

    def listed(self) -> list[Listed]:
        """Return the list; a part may be named with the quotes of its ETag."""
        return [Listed(part.n, part.etag.strip('"')) for part in self.parts]


class UrlsBody(Fields):
    """The parts that are to be sent to the store directly."""

    parts: list[int]


class PartsQuery(Fields):
    """Which parts to list."""

    limit: Annotated[int, Field(ge=1, le=MAX_PARTS_LISTED)] = MAX_PARTS_LISTED
    cursor: str | None = None

    def after(self) -> int:
        """Return the number of the last part of the page before."""
        if self.cursor is None:
            return 0
        if not self.cursor.isascii() or not self.cursor.isdigit():
            raise InvalidRequest("Take next_cursor as it is.", pointer="/cursor")
        return int(self.cursor)


def sessions(services: Services, gate: Gate) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/uploads", route_class=StrictRoute)
    _add_session(router, services, gate)
    _add_completion(router, services, gate)
    return router


def _add_session(router: APIRouter, services: Services, gate: Gate) -> None:
    @router.post("", status_code=201, summary="Begin an upload in parts")
    async def create_upload(request: Request, body: SessionBody) -> Response:
        key = await gate.require(request, Scope.UPLOAD)

        async def work(ids: Ids | None) -> Response:
            upload = await services.sessions.create(body.intent(), ids(0) if ids else None)
            headers = {"Location": f"/v1/uploads/{upload.id}"}
            return json_response(upload_view(upload), 201, headers)

        caller, payload = key.id if key else "", (body.model_dump_json(),)
        return await once(request, services.idempotency, caller, payload, work)

    @router.get("/{upload}", summary="Look at an upload and its parts")
    async def get_upload(
        request: Request, upload: str, where: Annotated[PartsQuery, Query()]
    ) -> Response:
        await gate.require(request, Scope.UPLOAD)
        found = await services.sessions.get(require_id(upload), Transfer.PARTS)
        parts = await services.sessions.parts(found.id, where.after(), where.limit + 1)
        return json_response(upload_view(found) | _page(parts, where.limit))

    @router.delete("/{upload}", status_code=204, summary="Abort an upload")
    async def abort_upload(request: Request, upload: str) -> Response:
        await gate.require(request, Scope.UPLOAD)
        await services.sessions.abort(require_id(upload), Transfer.PARTS)
        return Response(status_code=204)

    @router.post("/{upload}/part-urls", summary="Get URLs to send parts to the store directly")
    async def part_urls(request: Request, upload: str, body: UrlsBody) -> Response:
        await gate.require(request, Scope.UPLOAD)
        until = now() + URL_SECONDS
        ways = await services.direct.ways(require_id(upload), body.parts)
        return json_response({"items": [_way(way, until) for way in ways]})


def _add_completion(router: APIRouter, services: Services, gate: Gate) -> None:
    @router.post("/{upload}/complete", status_code=201, summary="Make a whole of the parts")
    async def complete_upload(request: Request, upload: str, body: CompleteBody) -> Response:
        key = await gate.require(request, Scope.UPLOAD)

        async def work(_: Ids | None) -> Response:
            fixed = await services.completions.complete(
                require_id(upload), body.listed(), body.sha256
            )
            answer = _image_answer if fixed.purpose is Purpose.IMAGE else _archive_answer
            return await answer(request, services, gate, fixed)

        caller, payload = key.id if key else "", (body.model_dump_json(),)
        return await once(request, services.idempotency, caller, payload, work)


async def _archive_answer(
    request: Request, services: Services, gate: Gate, upload: Upload
) -> Response:
    """Return the batch that the archive goes into; raise what stood against the archive."""
    if upload.problem is not None:
        raise upload.problem.error()
    assert upload.batch is not None, "it was given one when it was completed"
    services.outbox.enqueue(upload.id)
    batch = await services.batches.get(upload.batch)
    headers = {"Location": f"/v1/batches/{batch.id}"}
    return json_response(batch_view(batch, await gate.links(request)), 202, headers)


async def _image_answer(
    request: Request, services: Services, gate: Gate, upload: Upload
) -> Response:
    """Return the image, if it is there in time, else the job that makes it."""
    wish = preference(request)
    applied = {"Preference-Applied": wish.applied} if wish.applied else {}
    image = await finished_image(services, upload, wish)
    if image is None:
        job = await services.jobs.get(upload.id)
        return json_response(job_view(job), 202, {"Location": f"/v1/jobs/{job.id}", **applied})
    variants = await services.images.variants(image.id)
    view = image_view(image, variants, await gate.links(request))
    if image.state is ImageState.STORED:
        return json_response(view, 202, {"Location": f"/v1/jobs/{image.id}", **applied})
    return json_response(view, 201, {"Location": f"/v1/images/{image.id}", **applied})


async def finished_image(services: Services, upload: Upload, wish: Preference) -> Image | None:
    """Wait for the image and its variants; raise what stood against it."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wish.wait
    if not upload.state.final:
        if not wish.wait or await services.jobs.run(upload.id, wish.wait) is None:
            services.outbox.enqueue(upload.id)
            return None
        upload = await services.sessions.get(upload.id, upload.transfer)
    if upload.problem is not None:
        raise upload.problem.error()
    assert upload.image is not None, "it has become one"
    image = await services.images.get(upload.image)
    left = deadline - loop.time()
    if image.state is ImageState.STORED and left > 0:
        await services.jobs.run(image.id, left)
        image = await services.images.get(image.id)
    return image


def upload_view(upload: Upload) -> dict[str, Any]:
    """Return an upload; ``parts`` is how many of ``part_bytes`` there will be."""
    here = f"/v1/uploads/{upload.id}"
    size, part = upload.bytes, upload.part_bytes
    return {
        "id": upload.id,
        "state": upload.state,
        "purpose": upload.purpose,
        "name": upload.name,
        "bytes": size,
        "part_bytes": part,
        "parts": -(-size // part) if size and part else None,
        "received": {"parts": upload.parts, "bytes": upload.received},
        "sha256": upload.sha256,
        "batch": upload.batch,
        "ref": upload.ref,
        "variants": None if upload.variants is None else list(upload.variants),
        "tags": list(upload.tags),
        "metadata": dict(upload.metadata),
        "created_at": timestamp(upload.created_at),
        "expires_at": timestamp(upload.expires_at),
        "image": upload.image,
        "job": None if upload.etag is None else upload.id,
        "problem": kept_problem(upload.problem),
        "links": {
            "self": here,
            "part": f"{here}/parts/{{n}}",
            "part_urls": f"{here}/part-urls",
            "complete": f"{here}/complete",
        },
    }


def _way(way: Way, until: float) -> dict[str, Any]:
    """Return the request that brings a part, or what is there of it."""
    if way.there is not None:
        return {"n": way.number, "bytes": way.there.bytes, "etag": way.there.etag}
    assert way.put is not None, "one of the two"
    return {
        "n": way.number,
        "method": "PUT",
        "url": way.put.url,
        "headers": dict(way.put.headers),
        "expires_at": timestamp(until),
    }


def _page(parts: Sequence[UploadPart], limit: int) -> dict[str, Any]:
    items = [
        {
            "n": part.number,
            "bytes": part.bytes,
            "etag": part.etag,
            "sha256": part.sha256 or None,
            "at": timestamp(part.at),
        }
        for part in parts[:limit]
    ]
    more = len(parts) > limit
    return {"items": items, "next_cursor": str(parts[limit - 1].number) if more else None}
