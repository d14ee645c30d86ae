"""Cursors of listings: where a page ended, bound to the listing that it is a page of."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from typing import TypeVar

from filmroll.errors import InvalidRequest
from filmroll.model import Batch, Image, WebhookDelivery, is_id
from filmroll.ports import BatchFilter, DeliveryFilter, ImageFilter

Filter = ImageFilter | BatchFilter | DeliveryFilter
Record = TypeVar("Record", Image, Batch, WebhookDelivery)
Position = tuple[float, str]  # ``created_at`` and id

# Conditions that came later than the listings themselves. Where they are not set they leave no
# trace in a cursor: during an upgrade another process may be asked for the next page, of before.
_LATER = frozenset({"similar"})


def page(
    found: Sequence[Record], limit: int, where: Filter
) -> tuple[tuple[Record, ...], str | None]:
    """Return a page of what was found, and the cursor that continues it, if there is more.

    ``found`` is newest first, and holds one record more than ``limit`` if there is one.
    """
    following = _after(found[limit - 1], where) if len(found) > limit else None
    return tuple(found[:limit]), following


def newest(records: Iterable[Record], before: Position | None) -> Sequence[Record]:
    """Return what comes after a position, newest first."""
    places = {(record.created_at, record.id): record for record in records}
    beyond = [place for place in places if before is None or place < before]
    return [places[place] for place in sorted(beyond, reverse=True)]


def _after(record: Image | Batch | WebhookDelivery, where: Filter) -> str:
    text = json.dumps([record.created_at, record.id, _fingerprint(where)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position(cursor: str | None, where: Filter) -> Position | None:
    """Return where the page before has ended; InvalidRequest for a foreign cursor."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        created_at, record, fingerprint = json.loads(base64.urlsafe_b64decode(padded))
        if fingerprint == _fingerprint(where) and is_id(record):
            return float(created_at), record
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        pass
    raise InvalidRequest(
        "The cursor is not of this listing. Take next_cursor as it is, with the same filters.",
        pointer="/cursor",
    )


def _fingerprint(where: Filter) -> str:
    conditions = zip(fields(where), astuple(where), strict=True)
    told = [value for field, value in conditions if value is not None or field.name not in _LATER]
    listing = [type(where).__name__, *told]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:12]
