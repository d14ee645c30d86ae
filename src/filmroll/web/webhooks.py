"""Webhooks under ``/v1/webhooks``: who is told of what, and what became of telling it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from filmroll.model import AccessKey, DeliveryState, Event, Scope
from filmroll.usecases.images import MAX_PAGE
from filmroll.web.access import Gate
from filmroll.web.fields import Fields, StrictRoute, require_id
from filmroll.web.idempotent import Ids, once
from filmroll.web.services import Services
from filmroll.web.views import delivery_view, endpoint_view, json_response


class WebhookBody(Fields):
    """An endpoint to be told; without ``events`` of all but the items of batches and purges.

    ``headers`` and ``body`` take the place of ours: ``{tag}`` in them is what to purge.
    """

    url: str
    events: Annotated[list[Event], Field(min_length=1)] | None = None
    secret: str | None = None
    name: str | None = None
    headers: dict[str, str] | None = None
    body: str | None = None


class DeliveryQuery(Fields):
    """Which deliveries to list."""

    state: DeliveryState | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 100
    cursor: str | None = None


def webhooks(services: Services, gate: Gate) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1/webhooks", route_class=StrictRoute)
    _add_endpoints(router, services, gate)
    _add_deliveries(router, services, gate)
    return router


def _add_endpoints(router: APIRouter, services: Services, gate: Gate) -> None:
    endpoints = services.endpoints

    @router.post("", status_code=201, summary="Have a URL told of what happens")
    async def create_webhook(request: Request, body: WebhookBody) -> Response:
        key = await gate.require(request, Scope.ADMIN)

        async def work(ids: Ids | None) -> Response:
            made = await endpoints.create(
                url=body.url,
                events=body.events,
                secret=body.secret,
                name=body.name,
                headers=body.headers,
                body=body.body,
                endpoint_id=ids(0) if ids else None,
            )
            view = endpoint_view(made, whole=True) | {"secret": made.secret}
            return json_response(view, 201, {"Location": f"/v1/webhooks/{made.id}"})

        caller, payload = key.id if key else "", (body.model_dump_json(),)
        return await once(request, services.idempotency, caller, payload, work)

    @router.get("", summary="List webhooks, oldest first")
    async def list_webhooks(request: Request) -> Response:
        whole = _sees_all(await gate.require(request, Scope.READ))
        items = [endpoint_view(one, whole=whole) for one in await endpoints.list()]
        return json_response({"items": items})

    @router.get("/{webhook}", summary="Look at a webhook")
    async def get_webhook(request: Request, webhook: str) -> Response:
        whole = _sees_all(await gate.require(request, Scope.READ))
        found = await endpoints.get(require_id(webhook))
        return json_response(endpoint_view(found, whole=whole))

    @router.delete("/{webhook}", status_code=204, summary="Tell a URL nothing any more")
    async def delete_webhook(request: Request, webhook: str) -> Response:
        await gate.require(request, Scope.ADMIN)
        await endpoints.delete(require_id(webhook))
        return Response(status_code=204)


def _sees_all(key: AccessKey | None) -> bool:
    """Whether a caller may see whole URLs; where access is open, nobody brings a key."""
    return key is None or Scope.ADMIN in key.scopes


def _add_deliveries(router: APIRouter, services: Services, gate: Gate) -> None:
    endpoints = services.endpoints

    @router.get("/{webhook}/deliveries", summary="Read the log of a webhook, newest first")
    async def list_deliveries(
        request: Request, webhook: str, where: Annotated[DeliveryQuery, Query()]
    ) -> Response:
        await gate.require(request, Scope.READ)
        page = await endpoints.deliveries(
            require_id(webhook), where.state, where.limit, where.cursor
        )
        items = [delivery_view(delivery) for delivery in page.items]
        return json_response({"items": items, "next_cursor": page.next_cursor})

    @router.post(
        "/{webhook}/deliveries/{delivery}/replay", status_code=202, summary="Send one again"
    )
    async def replay(request: Request, webhook: str, delivery: str) -> Response:
        await gate.require(request, Scope.ADMIN)
        replayed = await endpoints.replay(require_id(webhook), require_id(delivery))
        return json_response(delivery_view(replayed), 202)
