"""Errors as RFC 9457 ``application/problem+json``, and the pages their types point to."""

import html
import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from filmroll.errors import FilmrollError, Kind, NotFound, catalogue
from filmroll.model import Problem

STATUS: Mapping[Kind, int] = {
    Kind.MALFORMED: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.METHOD: 405,
    Kind.CONFLICT: 409,
    Kind.GONE: 410,
    Kind.PRECONDITION: 412,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 415,
    Kind.RANGE: 416,
    Kind.INVALID: 422,
    Kind.CHECKSUM: 460,  # tus made it up
    Kind.INTERNAL: 500,
    Kind.GATEWAY: 502,
    Kind.UNAVAILABLE: 503,
    Kind.FULL: 507,
}
RETRY_AFTER_SECONDS = 2
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:1.1em/1.5 sans-serif;max-width:40em;margin:3em auto;padding:0 1em}}</style>
<h1>{title}</h1><p><code>{code}</code>, HTTP status {status}</p><p>{text}</p></html>"""


def problem_body(error: FilmrollError) -> dict[str, Any]:
    """Return the members of the problem object."""
    return {
        "type": f"/problems/{error.code}",
        "title": error.title,
        "status": STATUS[error.kind],
        "detail": error.detail,
        "code": error.code,
        **error.figures,
    }


def kept_problem(problem: Problem | None) -> dict[str, Any] | None:
    """Return a kept problem as it is shown within a record."""
    return None if problem is None else problem_body(problem.error())


def problem_response(error: FilmrollError) -> Response:
    """Return the answer that says no."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if error.kind in {Kind.UNAVAILABLE, Kind.FULL} or "retry_after" in error.figures:
        headers["Retry-After"] = str(error.figures.get("retry_after", RETRY_AFTER_SECONDS))
    if error.kind is Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = 'Bearer realm="filmroll"'
    if error.kind is Kind.RANGE:
        headers["Content-Range"] = f"bytes */{error.figures['limit']}"
    if "allow" in error.figures:
        headers["Allow"] = error.figures["allow"]
    return Response(
        json.dumps(problem_body(error)),
        status_code=STATUS[error.kind],
        headers=headers,
        media_type="application/problem+json",
    )


async def problem_page(request: Request) -> Response:
    """Serve the page of one code."""
    code = request.path_params["code"]
    for kind in catalogue():
        if kind.code == code:
            return HTMLResponse(
                _PAGE.format(
                    title=html.escape(kind.title),
                    code=kind.code,
                    status=STATUS[kind.kind],
                    text=re.sub("``(.+?)``", r"<code>\1</code>", html.escape(kind.__doc__ or "")),
                )
            )
    raise NotFound("There is no problem of this code.")
