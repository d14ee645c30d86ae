"""For the operator: is it alive, is it ready, how does it do."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from filmroll.errors import FilmrollError
from filmroll.model import Lane, now
from filmroll.web.problems import problem_page
from filmroll.web.services import Services
from filmroll.web.views import json_response

READY_SECONDS = 2.0  # how long a look at the stores is believed
_CHECK_SECONDS = 5.0


def operations(services: Services) -> APIRouter:
    """Return the routes; they need no key, and say nothing that does."""
    router = APIRouter(tags=["operations"])
    readiness = Readiness(services)

    @router.get("/healthz", summary="Whether this process does its work")
    async def healthz() -> Response:
        alive = services.liveness is None or services.liveness.alive()
        return json_response({"alive": alive}, 200 if alive else 503)

    @router.get("/readyz", summary="Whether new requests are welcome")
    async def readyz() -> Response:
        faults = await readiness.faults()
        return json_response({"ready": not faults, "faults": faults}, 503 if faults else 200)

    @router.get("/metrics", summary="Prometheus metrics")
    async def metrics() -> Response:
        await _count_messages(services)
        return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    router.add_api_route("/problems/{code}", problem_page, summary="What a problem means")
    return router


class Readiness:
    """Looks at the stores and the waiting line, at most every two seconds."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = asyncio.Lock()
        self._looked_at = 0.0
        self._faults: dict[str, str] = {}

    async def faults(self) -> dict[str, str]:
        """Return what stands against new requests, by part; empty when ready."""
        async with self._lock:
            if now() - self._looked_at > READY_SECONDS:
                self._faults = await self._look()
                self._looked_at = now()
        admission = self._services.admission
        line = {"engine": "the waiting line is full"} if admission and admission.full else {}
        return self._faults | line

    async def _look(self) -> dict[str, str]:
        stores: dict[str, Callable[[], Awaitable[None]]] = {
            "blobs": self._services.blobs.check,
            "catalog": self._services.catalog.check,
            "queue": self._services.queue.check,
        }
        found = await asyncio.gather(*(_fault(check) for check in stores.values()))
        return {name: fault for name, fault in zip(stores, found, strict=True) if fault}


async def _fault(check: Callable[[], Awaitable[None]]) -> str | None:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except FilmrollError as fault:
        return fault.detail
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS:g} seconds"
    return None


async def _count_messages(services: Services) -> None:
    for lane in Lane:
        depth = await services.queue.depth(lane)
        gauge = services.metrics.queue_depth
        gauge.labels(lane, "waiting").set(depth.waiting)
        gauge.labels(lane, "leased").set(depth.leased)
        gauge.labels(lane, "dead").set(depth.dead)
