"""Batches as a whole under ``/v1/batches``; their items come by ``items.py``."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from filmroll.errors import InvalidRequest
from filmroll.model import Action, Batch, BatchState, LineState, OnDuplicate, Scope
from filmroll.ports import BatchFilter
from filmroll.usecases.batch.acting import image_filter
from filmroll.usecases.batch.batches import DEFAULT_SECONDS, LONGEST_SECONDS
from filmroll.usecases.images import MAX_PAGE
from filmroll.usecases.resolve import Spelling
from filmroll.web.access import Gate
from filmroll.web.conditional import names_tag, none_match
from filmroll.web.fields import Fields, ImageConditions, Name, StrictRoute, require_id
from filmroll.web.idempotent import Ids, once
from filmroll.web.requests import preference
from filmroll.web.services import Services
from filmroll.web.streams import NDJSON, Streamed, ndjson
from filmroll.web.views import Links, batch_view, json_response, line_view

_EVENT_SECONDS = 15.0  # without a change, until a comment keeps the connection alive
_PAUSE_SECONDS = 0.25  # between two events
_STILL_HERE = b": still here\n\n"


class WhereBody(ImageConditions):
    """Which images a batch acts on."""

    def values(self) -> dict[str, Any]:
        """Return the conditions that were given; raise InvalidRequest for none."""
        values = self.model_dump(exclude_none=True)
        if self.created_after is not None:
            values["created_after"] = self.created_after.timestamp()
        image_filter(values)
        return values


class BatchBody(Fields):
    """A batch to be made."""

    name: str | None = None
    action: Action = Action.UPLOAD
    variants: list[Spelling] = Field(default_factory=list)
    on_duplicate: OnDuplicate = OnDuplicate.NEW
    expected_count: Annotated[int, Field(ge=0)] | None = None
    webhook: str | None = None
    expires_in: Annotated[int, Field(ge=60, le=LONGEST_SECONDS)] = DEFAULT_SECONDS
    where: WhereBody | None = None


class SealBody(Fields):
    """How many items the client has sent, if it wants that checked."""

    expected_count: Annotated[int, Field(ge=0)] | None = None


class BatchQuery(Fields):
    """Which batches to list."""

    name: Name | None = None
    state: BatchState | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 100
    cursor: str | None = None


class ResultsQuery(Fields):
    """Which lines to return."""

    state: LineState | None = None


def batches(services: Services, gate: Gate) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/batches", route_class=StrictRoute)
    _add_making(router, services, gate)
    _add_looking(router, services, gate)
    _add_lines(router, services, gate)
    _add_ending(router, services, gate)
    return router


def _add_making(router: APIRouter, services: Services, gate: Gate) -> None:
    @router.post("", status_code=201, summary="Open a batch, or act on many images")
    async def create_batch(request: Request, body: BatchBody) -> Response:
        key = await gate.require(request, Scope.UPLOAD)

        async def work(ids: Ids | None) -> Response:
            batch = await _made(services, body, ids(0) if ids else None)
            view = batch_view(batch, await gate.links(request))
            headers = {"Location": f"/v1/batches/{batch.id}", "ETag": _tag(batch)}
            return json_response(view, 201, headers)

        caller, payload = key.id if key else "", (body.model_dump_json(),)
        return await once(request, services.idempotency, caller, payload, work)


async def _made(services: Services, body: BatchBody, batch_id: str | None) -> Batch:
    if body.action is not Action.UPLOAD:
        if body.where is None:
            raise InvalidRequest("Say which images to act on.", pointer="/where")
        return await services.batches.act(
            body.action,
            name=body.name,
            where=body.where.values(),
            variants=body.variants,
            webhook=body.webhook,
            batch_id=batch_id,
        )
    if body.where is not None:
        raise InvalidRequest("An upload acts on no images that are there.", pointer="/where")
    return await services.batches.create(
        name=body.name,
        variants=body.variants,
        on_duplicate=body.on_duplicate,
        expected_count=body.expected_count,
        webhook=body.webhook,
        expires_in=body.expires_in,
        batch_id=batch_id,
    )


def _add_looking(router: APIRouter, services: Services, gate: Gate) -> None:
    @router.get("", summary="List batches, newest first")
    async def list_batches(request: Request, where: Annotated[BatchQuery, Query()]) -> Response:
        await gate.require(request, Scope.READ)
        found = BatchFilter(name=where.name, state=where.state)
        page = await services.batches.list(found, where.limit, where.cursor)
        links = await gate.links(request)
        items = [batch_view(batch, links) for batch in page.items]
        return json_response({"items": items, "next_cursor": page.next_cursor})

    @router.get("/{batch}", summary="Look at a batch, or wait for it to change")
    async def get_batch(request: Request, batch: str) -> Response:
        await gate.require(request, Scope.READ)
        found = await services.batches.get(require_id(batch))
        wish = preference(request)
        known = names_tag(request.headers, str(found.version))
        if known and wish.applied and not found.state.final:
            found = await services.batches.changed(found.id, found.version, wish.wait)
        headers = {"ETag": _tag(found)}
        if wish.applied:
            headers["Preference-Applied"] = wish.applied
        if none_match(request.headers, str(found.version)):
            return Response(status_code=304, headers=headers)
        return json_response(batch_view(found, await gate.links(request)), 200, headers)

    @router.get("/{batch}/events", summary="Follow a batch by server-sent events")
    async def events(request: Request, batch: str) -> Response:
        await gate.require(request, Scope.READ)
        found = await services.batches.get(require_id(batch))
        seen = request.headers.get("last-event-id", "")
        if found.state.final and seen == str(found.version):
            return Response(status_code=204)  # or an EventSource would come again for ever
        stream = _events(services, found, seen, await gate.links(request))
        return Streamed(stream, "text/event-stream", {"X-Accel-Buffering": "no"})


async def _events(
    services: Services, batch: Batch, seen: str, links: Links
) -> AsyncGenerator[bytes]:
    """Yield the batch whenever it has changed, at most four times a second, until its end."""
    # Something comes at once: who resumes would not know for long whether anybody listens.
    yield _STILL_HERE if seen == str(batch.version) else _event(batch, links)
    while not batch.state.final:
        found = await services.batches.changed(batch.id, batch.version, _EVENT_SECONDS)
        yield _STILL_HERE if found.version == batch.version else _event(found, links)
        batch = found
        await asyncio.sleep(_PAUSE_SECONDS)


def _event(batch: Batch, links: Links) -> bytes:
    data = ndjson([batch_view(batch, links)])
    return b"event: batch\nid: %d\ndata: %s\n" % (batch.version, data)


def _add_lines(router: APIRouter, services: Services, gate: Gate) -> None:
    @router.get("/{batch}/items/{ref:path}", summary="Look at one item")
    async def get_item(request: Request, batch: str, ref: str) -> Response:
        await gate.require(request, Scope.READ)
        line = await services.batches.line(require_id(batch), ref)
        return json_response(line_view(line, await gate.links(request)))

    @router.get("/{batch}/results", summary="Read the ledger, a line for each item")
    async def results(
        request: Request, batch: str, where: Annotated[ResultsQuery, Query()]
    ) -> Response:
        await gate.require(request, Scope.READ)
        found = await services.batches.get(require_id(batch))
        links = await gate.links(request)

        async def pages() -> AsyncGenerator[bytes]:
            async for page in services.batches.lines(found.id, where.state):
                yield ndjson(line_view(line, links) for line in page)
                await asyncio.sleep(0)  # a long ledger is nobody's reason to wait

        return Streamed(pages(), NDJSON)


def _add_ending(router: APIRouter, services: Services, gate: Gate) -> None:
    async def shown(request: Request, batch: Batch) -> Response:
        view = batch_view(batch, await gate.links(request))
        return json_response(view, 200, {"ETag": _tag(batch)})

    @router.post("/{batch}/seal", summary="Say that all items were sent")
    async def seal(request: Request, batch: str, body: SealBody | None = None) -> Response:
        await gate.require(request, Scope.UPLOAD)
        expected = body.expected_count if body else None
        return await shown(request, await services.batches.seal(require_id(batch), expected))

    @router.post("/{batch}/retry", summary="Begin failed items anew")
    async def retry(request: Request, batch: str) -> Response:
        await gate.require(request, Scope.UPLOAD)
        return await shown(request, await services.batches.retry(require_id(batch)))

    @router.delete("/{batch}", summary="Take in and begin nothing more")
    async def cancel(request: Request, batch: str) -> Response:
        await gate.require(request, Scope.UPLOAD)
        return await shown(request, await services.batches.cancel(require_id(batch)))


def _tag(batch: Batch) -> str:
    return f'"{batch.version}"'
