"""Records as JSON, in the words of the contract."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response

from filmroll.instructions import recipe_of
from filmroll.model import (
    Batch,
    Endpoint,
    Image,
    Info,
    Job,
    Line,
    Preset,
    SigningKey,
    Variant,
    VariantState,
    WebhookDelivery,
    now,
    timestamp,
)
from filmroll.signing import signed
from filmroll.usecases.batch.lines import IMPORTS
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
        self.base = base
        self._key = key
        self._seconds = seconds

    def to(self, image: str, instructions: str | None = None) -> str:
        """Return the URL of an original or a variant."""
        path = f"/i/{image}/{instructions}" if instructions else f"/i/{image}"
        if self._key is not None:
            exp = (int(now()) + self._seconds + _HOUR - 1) // _HOUR * _HOUR
            path = signed(path, exp, self._key)
        return self.base + path


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


def info_view(image: Image, info: Info, exif: Mapping[str, str | None]) -> dict[str, Any]:
    """Return what is told of an image; ``exif`` is what was asked for."""
    return {
        "image": image.id,
        "format": info.format,
        "content_type": CONTENT_TYPES[info.format],
        "width": info.width,
        "height": info.height,
        "bytes": image.bytes,
        "frames": info.frames,
        "orientation": info.orientation,
        "color_space": info.color_space,
        "bit_depth": info.bit_depth,
        "alpha": info.alpha,
        "icc_profile": info.icc_profile,
        "dominant_color": info.palette[0].color if info.palette else None,
        "palette": [{"color": each.color, "share": each.share} for each in info.palette],
        "blurhash": info.blurhash,
        "thumbhash": info.thumbhash,
        "perceptual_hash": info.phash,
        "exif": dict(exif),
    }


def job_view(job: Job) -> dict[str, Any]:
    """Return a job."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "attempts": job.attempts,
        "image": job.image or None,
        "batch": job.batch,
        "ref": job.ref,
        "problem": kept_problem(job.problem),
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at),
        "finished_at": timestamp(job.finished_at),
    }


def batch_view(batch: Batch, links: Links) -> dict[str, Any]:
    """Return a batch."""
    here = f"/v1/batches/{batch.id}"
    feeds = ("items", "archive", "seal", "events", "results", "retry")
    return {
        "id": batch.id,
        "name": batch.name,
        "action": batch.action,
        "state": batch.state,
        "on_duplicate": batch.on_duplicate,
        "variants": list(batch.variants),
        "where": dict(batch.where) or None,
        "expected_count": batch.expected_count,
        "webhook": batch.webhook,
        "created_at": timestamp(batch.created_at),
        "expires_at": timestamp(batch.expires_at),
        "sealed_at": timestamp(batch.sealed_at),
        "finished_at": timestamp(batch.finished_at),
        "counts": batch.counts.told,
        "links": {
            "self": here,
            **{feed: f"{here}/{feed}" for feed in feeds},
            "zip": links.to(f"batches/{batch.id}.zip"),
            "tar": links.to(f"batches/{batch.id}.tar"),
        },
    }


def line_view(line: Line, links: Links) -> dict[str, Any]:
    """Return a line of a ledger: a valid line of a manifest, without what there is not."""
    view = {
        "ref": line.ref,
        "state": line.state,
        "source": _source_view(line),
        "sha256": line.sha256,
        "bytes": line.bytes,
        "image": line.image,
        "url": links.to(line.image) if line.image else None,
        "duplicate": line.duplicate or None,
        "variants": None if line.variants is None else list(line.variants),
        "name": line.name,
        "tags": list(line.tags) or None,
        "metadata": dict(line.metadata) or None,
        "attempts": line.attempts or None,
        "problem": kept_problem(line.problem),
        "at": timestamp(line.at),
    }
    return {key: value for key, value in view.items() if value is not None}


def _source_view(line: Line) -> str | dict[str, str]:
    if line.source is None:
        return "upload"
    return {"blob" if line.source.startswith(IMPORTS) else "url": line.source}


def preset_view(preset: Preset) -> dict[str, Any]:
    """Return a preset."""
    return {
        "name": preset.name,
        "instructions": preset.instructions,
        "created_at": timestamp(preset.created_at),
        "updated_at": timestamp(preset.updated_at),
    }


def endpoint_view(endpoint: Endpoint, *, whole: bool) -> dict[str, Any]:
    """Return an endpoint of webhooks, without its secret.

    Many a URL is a secret itself: unless ``whole``, scheme and host are all that is told of it.
    Of headers, which hold other services' keys, nobody is told more than the names.
    """
    url = urlsplit(endpoint.url)
    return {
        "id": endpoint.id,
        "name": endpoint.name,
        "url": endpoint.url if whole else f"{url.scheme}://{url.netloc}",
        "events": None if endpoint.events is None else list(endpoint.events),
        "headers": sorted(endpoint.headers),
        "body": endpoint.body if whole else None,
        "state": endpoint.state,
        "detail": endpoint.detail,
        "created_at": timestamp(endpoint.created_at),
    }


def delivery_view(delivery: WebhookDelivery) -> dict[str, Any]:
    """Return what has become of an event on its way to an endpoint."""
    return {
        "id": delivery.id,
        "event": delivery.event,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "status": delivery.status,
        "detail": delivery.detail,
        "created_at": timestamp(delivery.created_at),
        "due_at": timestamp(delivery.due_at),
        "finished_at": timestamp(delivery.finished_at),
        "data": from_json(delivery.body)["data"],
    }


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
