"""``Idempotency-Key`` around a creating request."""

import hashlib
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from filmroll.errors import FilmrollError, Kind
from filmroll.model import derived_id
from filmroll.usecases.idempotency import Answer, Idempotency
from filmroll.web.problems import problem_response
from filmroll.web.requests import idempotency_key

# Gives the id for the n-th thing that the request creates: the same again when it is repeated.
Ids = Callable[[int], str]
# Refusals that say nothing about the request: the next try may do better.
_PASSING = {Kind.UNAVAILABLE, Kind.FULL, Kind.INTERNAL, Kind.CONFLICT}
_KEPT_HEADERS = ("location", "etag", "preference-applied", "content-type", "cache-control")


async def once(
    request: Request,
    idempotency: Idempotency,
    caller: str,
    payload: tuple[str, ...],
    work: Callable[[Ids | None], Awaitable[Response]],
) -> Response:
    """Run ``work``, or, if the request repeats an earlier one, return the first answer again.

    ``payload`` is what must be equal for two requests under one key of one ``caller``.
    """
    key = idempotency_key(request)
    if key is None:
        return await work(None)
    scoped = f"{caller}:{key}"
    parts = (request.method, request.url.path, *payload)
    fingerprint = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    held = await idempotency.begin(scoped, fingerprint)
    if isinstance(held, Answer):
        return Response(held.body, status_code=held.status, headers=dict(held.headers))
    try:
        response = await work(lambda position: derived_id(scoped, fingerprint, str(position)))
    except FilmrollError as error:
        if error.kind in _PASSING:
            await idempotency.drop(held)
            raise
        response = problem_response(error)  # the same request will be refused again
    except BaseException:
        await idempotency.drop(held)
        raise
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    body = bytes(response.body).decode()
    await idempotency.finish(held, Answer(status=response.status_code, headers=headers, body=body))
    return response
