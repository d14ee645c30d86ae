"""``POST /v1/images``: a raw body, or a form with one or more files."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from filmroll.errors import CorruptImage, EmptyBody, FilmrollError, UnsupportedMedia
from filmroll.model import Image, ImageState, Job, Scope
from filmroll.usecases.batch.texts import refusal
from filmroll.usecases.images import Annotations
from filmroll.usecases.resolve import Spelling
from filmroll.usecases.spool import Spool
from filmroll.usecases.upload import Declaration
from filmroll.web.access import Gate
from filmroll.web.form import FilePart, Form, read_form
from filmroll.web.idempotent import Ids, once
from filmroll.web.incoming import LARGEST_JSON_BYTES
from filmroll.web.problems import problem_body
from filmroll.web.requests import (
    Preference,
    announced_bytes,
    expected_digests,
    metadata_field,
    one,
    preference,
    query,
    require_known,
    small_body,
    spelling,
    spool_body,
)
from filmroll.web.services import Services
from filmroll.web.views import image_view, job_view, json_response


class UrlBody(BaseModel):
    """An image that is to be fetched."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: str
    name: str | None = None
    tags: list[str] = Field(default_factory=list)
    metadata: dict[str, Any] | None = None
    variants: list[Spelling] = Field(default_factory=list)


_FIELDS = ("name", "tag", "variant", "metadata")


class UploadRoute:
    """Takes uploads in."""

    def __init__(self, services: Services, gate: Gate) -> None:
        self._services = services
        self._uploads = services.uploads
        self._gate = gate

    async def __call__(self, request: Request) -> Response:
        """Answer the request."""
        key = await self._gate.require(request, Scope.UPLOAD)
        caller = key.id if key else ""
        announced_bytes(request, self._services.settings.max_upload_bytes)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            return await self._form(request, caller)
        if kind == "application/json":
            return await self._by_url(request, caller)
        try:
            return await self._raw(request, caller)
        except (UnsupportedMedia, CorruptImage) as error:
            if kind != "application/x-www-form-urlencoded":
                raise
            hint = f"{error.detail} curl -d alters a file: send it with --data-binary or -F file=@…"
            raise type(error)(hint, **error.figures) from error

    async def _raw(self, request: Request, caller: str) -> Response:
        fields = query(request, _FIELDS)
        declaration = await self._declare(fields, one(fields, "name"))
        digests = expected_digests(request.headers)
        spool = self._services.spool()

        async def work(ids: Ids | None) -> Response:
            return await self._single(request, spool, declaration, ids)

        try:
            await spool_body(request, spool)
            spool.expect(digests)
            payload = (request.scope["query_string"].decode("latin-1"), spool.sha256)
            return await once(request, self._services.idempotency, caller, payload, work)
        finally:
            spool.close()

    async def _by_url(self, request: Request, caller: str) -> Response:
        query(request, ())
        body = url_body(await small_body(request, LARGEST_JSON_BYTES))
        declaration = await self._uploads.declare(
            Annotations(
                name=body.name,
                tags=tuple(dict.fromkeys(body.tags)),
                metadata=body.metadata,
            ),
            body.variants,
        )

        async def work(ids: Ids | None) -> Response:
            job_id = ids(0) if ids else None
            job = await self._services.url_uploads.begin(body.url, declaration, job_id)
            return await self._fetched(request, job)

        payload = (body.model_dump_json(),)
        return await once(request, self._services.idempotency, caller, payload, work)

    async def _fetched(self, request: Request, job: Job) -> Response:
        """Return the image if it is there in time, else the job."""
        wish = preference(request)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wish.wait
        done = await self._services.jobs.run(job.id, wish.wait) if wish.wait > 0 else None
        if done is not None and done.problem is not None:
            raise done.problem.error()
        if done is not None and done.image:
            image = await self._services.images.get(done.image)
            left = max(0.0, deadline - loop.time())
            finished = await self._services.completion.wait(image, left)
            if finished is not None:
                headers = {"Location": f"/v1/images/{image.id}", **_applied(wish)}
                return json_response(await self._view(request, finished), 201, headers)
        if wish.wait == 0:
            self._services.outbox.enqueue(job.id)
        headers = {"Location": f"/v1/jobs/{job.id}", **_applied(wish)}
        return json_response(job_view(done or job), 202, headers)

    async def _form(self, request: Request, caller: str) -> Response:
        limit = self._services.settings.max_upload_bytes
        fields = query(request, _FIELDS)
        await self._declare(fields, one(fields, "name"))  # what stands in the URL is wrong at once
        form = await read_form(request, self._services.spool, limit)

        async def work(ids: Ids | None) -> Response:
            if len(form.files) == 1:
                part = form.files[0]
                declaration = await self._declare(fields, one(fields, "name") or part.name)
                return await self._single(request, part.spool, declaration, ids)
            return await self._several(request, form.files, fields, ids)

        try:
            _merge(fields, form)
            files = [(part.name, part.spool.sha256) for part in form.files]
            payload = (json.dumps(fields, sort_keys=True), json.dumps(files))
            return await once(request, self._services.idempotency, caller, payload, work)
        finally:
            form.close()

    async def _declare(self, fields: Mapping[str, Sequence[str]], name: str | None) -> Declaration:
        annotations = Annotations(
            name=name,
            tags=tuple(dict.fromkeys(fields.get("tag", ()))),
            metadata=metadata_field(one(fields, "metadata")),
        )
        variants = [spelling(text) for text in fields.get("variant", ())]
        return await self._uploads.declare(annotations, variants)

    async def _single(
        self, request: Request, spool: Spool, declaration: Declaration, ids: Ids | None
    ) -> Response:
        wish = preference(request)
        image, pending = await self._take_in(spool, declaration, wish, ids(0) if ids else None)
        headers = _applied(wish) if image.declared else {}
        headers["Location"] = f"/v1/jobs/{image.id}" if pending else f"/v1/images/{image.id}"
        headers["ETag"] = f'"{image.version}"'
        view = await self._view(request, image)
        return json_response(view, 202 if pending else 201, headers)

    async def _several(
        self,
        request: Request,
        parts: Sequence[FilePart],
        fields: Mapping[str, Sequence[str]],
        ids: Ids | None,
    ) -> Response:
        wish = preference(request)

        async def take(position: int, part: FilePart) -> tuple[dict[str, Any], int]:
            item: dict[str, Any] = {"ref": part.name}
            try:
                declaration = await self._declare(fields, part.name)
                image_id = ids(position) if ids else None
                image, pending = await self._take_in(part.spool, declaration, wish, image_id)
            except FilmrollError as error:
                return {**item, "problem": problem_body(error)}, 207
            item["image"] = await self._view(request, image)
            if pending:
                item["job"] = image.id
            return item, 202 if pending else 201

        taken = await asyncio.gather(*(take(at, part) for at, part in enumerate(parts)))
        statuses = {status for _, status in taken}
        status = statuses.pop() if len(statuses) == 1 else 207
        return json_response({"items": [item for item, _ in taken]}, status, _applied(wish))

    async def _take_in(
        self, spool: Spool, declaration: Declaration, wish: Preference, image_id: str | None
    ) -> tuple[Image, bool]:
        """Store one body; return its image, and whether variants are still to come."""
        async with self._services.precedence.turn(spool.bytes):
            image = await self._uploads.store(spool, declaration, image_id)
        self._services.metrics.uploaded_bytes.inc(image.bytes)
        if wish.wait > 0:
            finished = await self._services.completion.wait(image, wish.wait)
            if finished is not None:
                return finished, False
        else:
            self._services.completion.later(image)
        return image, bool(image.declared)

    async def _view(self, request: Request, image: Image) -> dict[str, Any]:
        made = image.declared and image.state is not ImageState.STORED  # no need to look before
        variants = await self._services.images.variants(image.id) if made else ()
        return image_view(image, variants, await self._gate.links(request))


def url_body(text: bytes) -> UrlBody:
    """Read the body of an upload by URL."""
    try:
        return UrlBody.model_validate_json(text)
    except ValidationError as fault:
        raise refusal(fault) from None


def _merge(fields: dict[str, list[str]], form: Form) -> None:
    for name, values in form.fields.items():
        require_known(name, ("file", *_FIELDS))
        fields.setdefault(name, []).extend(values)
    if not form.files:
        raise EmptyBody("The form holds no file. Send each image under the name `file`.")


def _applied(wish: Preference) -> dict[str, str]:
    return {"Preference-Applied": wish.applied} if wish.applied else {}
