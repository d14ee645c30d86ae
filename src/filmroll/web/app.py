"""The ASGI application: hot paths by hand, everything else through FastAPI.

Around both: the request's id, its log line, its measurement, and errors as problems.
"""

import itertools
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import compile_path
from starlette.types import Message, Receive, Scope, Send

from filmroll import __version__
from filmroll.errors import (
    FilmrollError,
    InternalError,
    InvalidRequest,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
)
from filmroll.model import new_id
from filmroll.settings import Role
from filmroll.web.accept import VARY
from filmroll.web.access import Gate
from filmroll.web.batches import batches
from filmroll.web.delivery import DeliveryRoute
from filmroll.web.exports import EXPORTS, ExportRoute
from filmroll.web.foreign import FOREIGN, ForeignRoute, without_signature
from filmroll.web.hosts import allowed_hosts, meant_for, require_host
from filmroll.web.incoming import LARGEST_JSON_BYTES, Incoming
from filmroll.web.infos import infos
from filmroll.web.internal import internal, require_role
from filmroll.web.items import ItemsRoute, Target
from filmroll.web.management import management
from filmroll.web.openapi import document
from filmroll.web.operations import operations
from filmroll.web.parts import PartRoute
from filmroll.web.problems import problem_response
from filmroll.web.representation import Headers
from filmroll.web.services import Services
from filmroll.web.sessions import sessions
from filmroll.web.streams import INCOMING
from filmroll.web.tus import TusRoute
from filmroll.web.tus_headers import COMMON, ROOT
from filmroll.web.uploads import UploadRoute
from filmroll.web.webhooks import webhooks

# Ids of requests are the process's random one and a number: unique, and cheaper than a random id.
_PROCESS = new_id()[:16]
_NUMBERS = itertools.count(1)
# Of any other method nothing is counted but that it was another: clients make up what they like.
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_UPLOADS = "/v1/images"
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")

log = structlog.get_logger()


UPLOADING = {Role.ALL, Role.UPLOAD}
DELIVERING = {Role.ALL, Role.DOWNLOAD}
PROCESSING = {Role.ALL, Role.WORKER}


class App:
    """One ASGI application for one role."""

    def __init__(self, services: Services, role: Role) -> None:
        gate = Gate(services)
        self._gate = gate
        self._token = services.internal_token
        self._hosts = allowed_hosts(services.settings)
        self._metrics = services.metrics
        self._precedence = services.precedence
        self._api = _api(services, gate, role)
        self._upload = UploadRoute(services, gate) if role in UPLOADING else None
        self._items = ItemsRoute(services, gate) if role in UPLOADING else None
        self._parts = PartRoute(services, gate) if role in UPLOADING else None
        self._tus = TusRoute(services, gate) if role in UPLOADING else None
        self._delivery = DeliveryRoute(services, gate) if role in DELIVERING else None
        self._foreign = ForeignRoute(services, gate, self._delivery) if self._delivery else None
        self._exports = ExportRoute(services, gate) if role in DELIVERING else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        if (answer := self._at_hand(scope)) is not None:
            await self._hand_out(scope, send, answer, started)
            return
        with self._metrics.in_progress.track_inprogress():
            if (answer := await self._soon_at_hand(scope)) is not None:
                await self._hand_out(scope, send, answer, started)
            else:
                await self._serve(scope, Incoming(scope, receive), send)

    def _at_hand(self, scope: Scope) -> tuple[Headers, bytes] | None:
        """Return the answer to a request about which nothing is to be decided."""
        answer = self._delivery.at_hand(scope) if self._delivery is not None else None
        return answer if answer is not None and meant_for(scope, self._hosts) else None

    async def _soon_at_hand(self, scope: Scope) -> tuple[Headers, bytes] | None:
        """Return the same if somebody who has asked for it before has just got it."""
        made = self._delivery.on_its_way(scope) if self._delivery is not None else None
        if made is None:
            return None
        await made.wait()
        return self._at_hand(scope)

    async def _hand_out(
        self, scope: Scope, send: Send, answer: tuple[Headers, bytes], started: float
    ) -> None:
        headers, body = answer
        named = [*headers, (b"x-request-id", _request_id(scope).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": named})
        await send({"type": "http.response.body", "body": body})
        self._precedence.looked()
        self._metrics.answered("GET", "/i", 200, time.perf_counter() - started)

    async def _serve(self, scope: Scope, incoming: Incoming, send: Send) -> None:
        exchange = _Exchange(scope, incoming, send)
        try:
            await self._dispatch(scope, incoming, exchange)
        except FilmrollError as error:
            await exchange.refuse(problem_response(error))
        except Exception:
            log.exception("internal error", path=_logged(scope), request_id=exchange.request_id)
            defect = InternalError("This is a defect of the service. Its log explains it.")
            await exchange.refuse(problem_response(defect))
        exchange.end()
        self._record(scope, exchange)

    async def _dispatch(self, scope: Scope, incoming: Incoming, exchange: "_Exchange") -> None:
        path: str = scope["path"]
        require_host(scope, self._hosts)
        if self._exports is not None and path.startswith(EXPORTS):
            exchange.route = f"{EXPORTS}{{batch}}"
            await self._exports(Request(scope, incoming), incoming, exchange.send)
        elif self._foreign is not None and path.startswith(FOREIGN):
            exchange.route = "/i"
            await self._foreign(Request(scope, incoming), exchange.send)
        elif self._delivery is not None and path.startswith("/i/"):
            exchange.route = "/i"
            await self._delivery(Request(scope, incoming), exchange.send)
        elif self._upload is not None and path == _UPLOADS and scope["method"] == "POST":
            exchange.route = path
            response = await self._upload(Request(scope, incoming))
            await response(scope, incoming, exchange.send)
        elif self._items is not None and (target := Target.of(scope)):
            exchange.route = target.route
            await self._items(target, Request(scope, incoming), incoming, exchange.send)
        elif self._parts is not None and self._parts.serves(scope):
            exchange.route = "/v1/uploads/{upload}/parts/{n}"
            response = await self._parts(Request(scope, incoming))
            await response(scope, incoming, exchange.send)
        elif self._tus is not None and self._tus.serves(scope):
            exchange.route = ROOT
            exchange.headers = COMMON
            response = await self._tus(Request(scope, incoming), incoming)
            await response(scope, incoming, exchange.send)
        else:
            incoming.limit = LARGEST_JSON_BYTES
            await self._require_caller(Request(scope, incoming))
            # Whatever has GET has HEAD; the server leaves the body out.
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            inner = {**scope, "method": method, INCOMING: incoming}
            await self._api(inner, incoming, exchange.send)
            exchange.route = getattr(inner.get("route"), "path", "other")

    async def _require_caller(self, request: Request) -> None:
        """Refuse strangers before their body is read; what a key allows is the routes' to say."""
        if request.url.path.startswith("/internal/"):
            require_role(request, self._token)
        elif request.url.path.startswith("/v1/") and request.url.path != "/v1/limits":
            await self._gate.require_any(request)

    def _record(self, scope: Scope, exchange: "_Exchange") -> None:
        seconds = time.perf_counter() - exchange.started
        route = exchange.route
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.answered(method, route, exchange.status, seconds)
        if route == "/i" and exchange.status < 400:  # noqa: PLR2004 -- what went well is the CDN's log
            self._precedence.looked()
            return
        log.info(
            "request",
            method=scope["method"],
            path=_logged(scope),
            status=exchange.status,
            ms=round(seconds * 1000, 1),
            request_id=exchange.request_id,
        )


class _Exchange:
    """One request and what became of it."""

    def __init__(self, scope: Scope, incoming: Incoming, send: Send) -> None:
        self._scope = scope
        self._incoming = incoming
        self._send = send
        self.started = time.perf_counter()
        self.request_id = _request_id(scope)
        self.status = 0
        self.route = "other"
        self.headers: Mapping[str, str] = {}  # of every answer here, of a refusal, too
        self._vary: set[str] = set()
        scope[VARY] = self._vary

    async def send(self, message: Message) -> None:
        """Pass a message on; the first one gets the request's id."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            added = [(b"x-request-id", self.request_id.encode())]
            added += ((name.lower().encode(), text.encode()) for name, text in self.headers.items())
            if self._vary:
                added.append((b"vary", ", ".join(sorted(self._vary)).encode()))
            # No other request can follow what is left of a body that nobody reads.
            if self._incoming.pending and not self._incoming.answered_early:
                added.append((b"connection", b"close"))
            message["headers"] = [*message["headers"], *added]
        await self._send(message)

    def end(self) -> None:
        """Let go of the connection: see ``Incoming.end``."""
        self._incoming.end()
        self._send = _nowhere

    async def refuse(self, response: Response) -> None:
        """Send an error, unless an answer is on its way already."""
        if self.status == 0:
            await self._incoming.drain()
            if self.route.startswith("/i"):  # a page that may show the picture may also see why not
                response.headers["Access-Control-Allow-Origin"] = "*"
            await response(self._scope, self._incoming, self.send)


async def _nowhere(_: Message) -> None:
    raise InternalError("The answer has ended.")


def _logged(scope: Scope) -> str:
    """Return the path as it was sent: decoded, it could forge lines and drive terminals."""
    raw: bytes = scope["raw_path"]
    shown = without_signature(raw) if scope["path"].startswith(FOREIGN) else raw
    return shown.decode("ascii", "backslashreplace")


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            if _SANE_ID.fullmatch(text):
                return str(text)
    return f"{_PROCESS}-{next(_NUMBERS):x}"


def _api(services: Services, gate: Gate, role: Role) -> FastAPI:
    app = FastAPIOffline(
        title="Filmroll",
        version=__version__,
        redoc_url=None,
        openapi_url="/openapi.json",
        exception_handlers=_HANDLERS,
    )
    app.include_router(operations(services))
    if role in UPLOADING:
        app.include_router(management(services, gate))
        app.include_router(infos(services, gate))
        app.include_router(batches(services, gate))
        app.include_router(sessions(services, gate))
        app.include_router(webhooks(services, gate))
    if role is Role.WORKER:
        app.include_router(internal(services))
    app.add_route("/", _home)
    uploads, delivery = role in UPLOADING, role in DELIVERING
    describe = partial(document, app, uploads=uploads, delivery=delivery)
    app.openapi = describe  # type: ignore[method-assign]  # FastAPI's documented way
    return app


async def _home(_: Request) -> Response:
    return RedirectResponse("/docs")


async def _as_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, FilmrollError)
    return problem_response(error)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fault: dict[str, Any] = error.errors()[0]
    if fault["type"] == "json_invalid":
        return problem_response(MalformedRequest("The body is not JSON.", pointer=""))
    if fault["loc"] == ("body",):
        detail = "Send a JSON object, with Content-Type: application/json."
        return problem_response(MalformedRequest(detail, pointer=""))
    pointer = "/" + "/".join(str(part) for part in fault["loc"][1:])
    return problem_response(InvalidRequest(f"{fault['msg']}.", pointer=pointer))


async def _defect(_: Request, __: Exception) -> Response:
    return problem_response(InternalError("This is a defect of the service. Its log explains it."))


def _methods(request: Request) -> str:
    """Return what may be done at an address, as the API's description has it."""
    paths = request.app.openapi()["paths"].items()
    fits = [of for path, of in paths if compile_path(path)[0].match(request.url.path)]
    methods = {method.upper() for operations in fits for method in operations}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:  # noqa: PLR2004 -- Method Not Allowed
        allow = _methods(request)
        return problem_response(MethodNotAllowed(f"Use one of {allow}.", allow=allow))
    if isinstance(error.__cause__, FilmrollError):  # raised while the body was read
        return problem_response(error.__cause__)
    if error.status_code == 400:  # noqa: PLR2004 -- Bad Request: the body
        return problem_response(MalformedRequest("The body is not JSON in UTF-8.", pointer=""))
    return problem_response(NotFound("There is nothing under this address; see /docs."))


_HANDLERS: dict[Any, Callable[[Request, Exception], Any]] = {
    FilmrollError: _as_problem,
    RequestValidationError: _invalid,
    HTTPException: _http,
    Exception: _defect,
}
