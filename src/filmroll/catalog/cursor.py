"""Cursors of listings: where a page ended, bound to the listing that it is a page of."""

import base64
import binascii
import hashlib
import json
from dataclasses import astuple

from filmroll.errors import InvalidRequest
from filmroll.model import Image, is_id
from filmroll.ports import ImageFilter


def after(image: Image, where: ImageFilter) -> str:
    """Return the cursor that continues a listing after ``image``."""
    text = json.dumps([image.created_at, image.id, _fingerprint(where)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position(cursor: str, where: ImageFilter) -> tuple[float, str]:
    """Return ``created_at`` and id of the image before; InvalidRequest for a foreign cursor."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        created_at, image, fingerprint = json.loads(base64.urlsafe_b64decode(padded))
        if fingerprint == _fingerprint(where) and is_id(image):
            return float(created_at), image
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        pass
    raise InvalidRequest(
        "The cursor is not of this listing. Take next_cursor as it is, with the same filters.",
        pointer="/cursor",
    )


def _fingerprint(where: ImageFilter) -> str:
    return hashlib.sha256(json.dumps(astuple(where)).encode()).hexdigest()[:12]
