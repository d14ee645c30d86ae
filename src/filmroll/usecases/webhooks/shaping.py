"""Posts in another service's own form: headers and a body that an endpoint brings."""

import json
import re
from collections.abc import Collection, Mapping

from filmroll.errors import InvalidRequest
from filmroll.instructions import writable
from filmroll.model import PURGES, Endpoint, Event, WebhookDelivery

TAG = "{tag}"  # stands for the cache tag of what has changed
MAX_HEADERS = 16
MAX_HEADER = 2048  # characters
MAX_BODY = 4096  # characters

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_VALUE = re.compile(r"([!-~]([ -~]*[!-~])?)?")  # nobody can send a blank at an end
# The connection's, and those by which a receiver knows us.
_OURS = re.compile(
    r"host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|webhook-.*",
    re.IGNORECASE,
)


def check(headers: Mapping[str, str], body: str | None, events: Collection[Event] | None) -> None:
    """Raise InvalidRequest, with a pointer, if nothing could be posted in this form."""
    if len(headers) > MAX_HEADERS:
        raise InvalidRequest(
            f"At most {MAX_HEADERS} headers.", pointer="/headers", limit=MAX_HEADERS
        )
    for name, value in headers.items():
        _check_header(name, value)
    if body is not None and (len(body) > MAX_BODY or not writable(body)):
        raise InvalidRequest(
            f"A body has at most {MAX_BODY} characters.", pointer="/body", limit=MAX_BODY
        )
    tagged = any(TAG in text for text in (*headers.values(), body or ""))
    if tagged and not (events and set(events) <= PURGES):
        names = " and ".join(sorted(PURGES))
        raise InvalidRequest(
            f"Only {names} have a {TAG}: name one of them, and no other event.", pointer="/events"
        )


def headers_of(endpoint: Endpoint, delivery: WebhookDelivery) -> Mapping[str, str]:
    """Return the headers of an endpoint's own, for this delivery."""
    return {name: _filled(value, delivery) for name, value in endpoint.headers.items()}


def body_of(endpoint: Endpoint, delivery: WebhookDelivery) -> str:
    """Return what is posted: the endpoint's own body if it has one."""
    return delivery.body if endpoint.body is None else _filled(endpoint.body, delivery)


def _filled(text: str, delivery: WebhookDelivery) -> str:
    if TAG not in text:
        return text
    return text.replace(TAG, json.loads(delivery.body)["data"]["tag"])


def _check_header(name: str, value: str) -> None:
    if not _NAME.fullmatch(name) or _OURS.fullmatch(name):
        raise InvalidRequest(
            "This is no name of a header, or one that the service sets itself.",
            pointer=f"/headers/{name}",
        )
    if len(value) > MAX_HEADER or not _VALUE.fullmatch(value):
        raise InvalidRequest(
            f"A header has at most {MAX_HEADER} characters, of printable ASCII, "
            "without a blank at either end.",
            pointer=f"/headers/{name}",
            limit=MAX_HEADER,
        )
