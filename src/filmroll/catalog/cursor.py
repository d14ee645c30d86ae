"""Cursors of listings: where a page ended, bound to the listing that it is a page of."""

import base64
import binascii
import hashlib
import json
from dataclasses import astuple

from filmroll.errors import InvalidRequest
from filmroll.model import Batch, Image, WebhookDelivery, is_id
from filmroll.ports import BatchFilter, DeliveryFilter, ImageFilter

Filter = ImageFilter | BatchFilter | DeliveryFilter


def after(record: Image | Batch | WebhookDelivery, where: Filter) -> str:
    """Return the cursor that continues a listing after ``record``."""
    text = json.dumps([record.created_at, record.id, _fingerprint(where)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position(cursor: str, where: Filter) -> tuple[float, str]:
    """Return ``created_at`` and id of the record before; InvalidRequest for a foreign cursor."""
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
    listing = [type(where).__name__, *astuple(where)]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:12]
