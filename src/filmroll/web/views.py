"""Records as JSON, in the words of the contract."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from filmroll.instructions import recipe_of
from filmroll.model import Image, Job, Preset, SigningKey, Variant, VariantState, now
from filmroll.signing import signed
from filmroll.web.problems import kept_problem

CONTENT_TYPES: Mapping[str, str] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "avif": "image/avif",
    "tiff": "image/tiff",
}
# Expiries are rounded up to whole hours, so that equal answers hold equal, cacheable URLs.
_HOUR = 3600


class Links:
    """Writes delivery URLs, signed where access is not open."""

    def __init__(self, base: str, key: SigningKey | None, seconds: int) -> None:
        """``base`` is scheme and host; URLs are good for ``seconds`` if there is a ``key``."""
        self._base = base
        self._key = key
        self._seconds = seconds

    def to(self, image: str, instructions: str | None = None) -> str:
        """Return the URL of an original or a variant."""
        path = f"/i/{image}/{instructions}" if instructions else f"/i/{image}"
        if self._key is not None:
            exp = (int(now()) + self._seconds + _HOUR - 1) // _HOUR * _HOUR
            path = signed(path, exp, self._key)
        return self._base + path


def base_url(request: Request, public_url: str | None) -> str:
    """Return scheme and host of this service as the client sees them."""
    if public_url:
        return public_url
    host = request.headers.get("host") or "localhost"
    return f"{request.scope.get('scheme', 'http')}://{host}"


def image_view(
    image: Image, variants: Sequence[Variant], links: Links, wanted: Sequence[str] = ()
) -> dict[str, Any]:
    """Return an image with its variants.

    Those declared with it, or ``wanted`` since, that are not made yet are pending.
    """
    made = {variant.instructions for variant in variants}
    pending = [text for text in dict.fromkeys((*image.declared, *wanted)) if text not in made]
    return {
        "id": image.id,
        "name": image.name,
        "state": image.state,
        "sha256": image.sha256,
        "bytes": image.bytes,
        "format": image.format,
        "content_type": CONTENT_TYPES[image.format],
        "width": image.width,
        "height": image.height,
        "frames": image.frames,
        "created_at": timestamp(image.created_at),
        "tags": list(image.tags),
        "metadata": dict(image.metadata),
        "batch": image.batch,
        "ref": image.ref,
        "url": links.to(image.id),
        "variants": [
            *(_variant_view(variant, links) for variant in variants),
            *(_pending_view(image, text, links) for text in pending),
        ],
        "problem": kept_problem(image.problem),
    }


def _variant_view(variant: Variant, links: Links) -> dict[str, Any]:
    ready = variant.state is VariantState.READY
    return {
        "recipe": variant.recipe,
        "instructions": variant.instructions,
        "state": variant.state,
        "url": links.to(variant.image, variant.instructions),
        "format": variant.format if ready else None,
        "content_type": CONTENT_TYPES[variant.format] if ready else None,
        "width": variant.width if ready else None,
        "height": variant.height if ready else None,
        "bytes": variant.bytes if ready else None,
        "problem": kept_problem(variant.problem),
    }


def _pending_view(image: Image, text: str, links: Links) -> dict[str, Any]:
    return {
        "recipe": recipe_of(text),
        "instructions": text,
        "state": VariantState.PENDING,
        "url": links.to(image.id, text),
        **dict.fromkeys(("format", "content_type", "width", "height", "bytes", "problem")),
    }


def job_view(job: Job) -> dict[str, Any]:
    """Return a job."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "attempts": job.attempts,
        "image": job.image,
        "batch": job.batch,
        "problem": kept_problem(job.problem),
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at),
        "finished_at": timestamp(job.finished_at),
    }


def preset_view(preset: Preset) -> dict[str, Any]:
    """Return a preset."""
    return {
        "name": preset.name,
        "instructions": preset.instructions,
        "created_at": timestamp(preset.created_at),
        "updated_at": timestamp(preset.updated_at),
    }


def timestamp(seconds: float | None) -> str | None:
    """Return a time in RFC 3339, UTC, with milliseconds."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def json_response(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON answer; nothing of the API is cached."""
    return Response(
        to_json(body),
        status_code=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type="application/json",
    )
