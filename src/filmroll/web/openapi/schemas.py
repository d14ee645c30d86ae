"""The shapes of answers, as JSON Schema."""

from enum import StrEnum
from typing import Any

from filmroll.instructions import OPERATIONS, operation_schema
from filmroll.model import (
    Action,
    BatchState,
    Counts,
    DeliveryState,
    EndpointState,
    Event,
    ImageState,
    JobKind,
    JobState,
    LineState,
    OnDuplicate,
    Purpose,
    UploadState,
    VariantState,
)
from filmroll.usecases.batch.lines import Word
from filmroll.web.views import CONTENT_TYPES

Schema = dict[str, Any]

_TIME: Schema = {"type": "string", "format": "date-time"}
_ID: Schema = {"type": "string", "pattern": "^[0-9a-z]{26}$"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TEXT: Schema = {"type": "string"}
_COLOR: Schema = {"type": "string", "pattern": "^[0-9a-f]{6}$"}
_PROBLEM_OR_NULL: Schema = {"anyOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "null"}]}


def _null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def ref(name: str) -> Schema:
    """Return a reference to one of the shapes."""
    return {"$ref": f"#/components/schemas/{name}"}


def _one_of(states: type[StrEnum]) -> Schema:
    return {"type": "string", "enum": [state.value for state in states]}


def _record(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


_MEASURES: Schema = {
    "format": TEXT,
    "content_type": {"type": "string", "enum": list(CONTENT_TYPES.values())},
    "width": COUNT,
    "height": COUNT,
    "bytes": COUNT,
}

SCHEMAS: dict[str, Schema] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457. Figures such as limit, actual and pointer stand beside these.",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": TEXT,
            "code": TEXT,
        },
        "required": ["type", "title", "status", "detail", "code"],
    },
    "Variant": _record(
        {
            "recipe": TEXT,
            "instructions": TEXT,
            "state": _one_of(VariantState),
            "url": {"type": "string", "format": "uri"},
            **{name: _null(schema) for name, schema in _MEASURES.items()},
            "problem": _PROBLEM_OR_NULL,
        }
    ),
    "Image": _record(
        {
            "id": _ID,
            "name": _null(TEXT),
            "state": _one_of(ImageState),
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            **_MEASURES,
            "frames": COUNT,
            "created_at": _TIME,
            "tags": {"type": "array", "items": TEXT},
            "metadata": {"type": "object"},
            "batch": _null(_ID),
            "ref": _null(TEXT),
            "url": {"type": "string", "format": "uri"},
            "variants": {"type": "array", "items": ref("Variant")},
            "problem": _PROBLEM_OR_NULL,
        }
    ),
    "Images": _record(
        {"items": {"type": "array", "items": ref("Image")}, "next_cursor": _null(TEXT)}
    ),
    "Info": _record(
        {
            "image": _ID,
            **_MEASURES,
            "frames": COUNT,
            "orientation": {"type": "integer", "minimum": 1, "maximum": 8},
            "color_space": {"type": "string", "enum": ["rgb", "gray", "cmyk", "lab"]},
            "bit_depth": COUNT,
            "alpha": {"type": "boolean"},
            "icc_profile": _null(TEXT),
            "dominant_color": _null(_COLOR),
            "palette": {
                "type": "array",
                "items": _record({"color": _COLOR, "share": {"type": "number"}}),
            },
            "blurhash": TEXT,
            "thumbhash": {"type": "string", "contentEncoding": "base64"},
            "perceptual_hash": _null({"type": "string", "pattern": "^[0-9a-f]{16}$"}),
            "exif": {"type": "object", "additionalProperties": _null(TEXT)},
        }
    ),
    "Job": _record(
        {
            "id": _ID,
            "kind": _one_of(JobKind),
            "state": _one_of(JobState),
            "attempts": COUNT,
            "image": _null(_ID),
            "batch": _null(_ID),
            "ref": _null(TEXT),
            "problem": _PROBLEM_OR_NULL,
            "created_at": _TIME,
            "started_at": _null(_TIME),
            "finished_at": _null(_TIME),
        }
    ),
    "Preset": _record(
        {"name": TEXT, "instructions": TEXT, "created_at": _TIME, "updated_at": _TIME}
    ),
    "Presets": _record({"items": {"type": "array", "items": ref("Preset")}}),
    "Upload": {
        "description": "The image; or, for a form with several files, what became of each.",
        "anyOf": [
            ref("Image"),
            _record(
                {
                    "items": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "ref": _null(TEXT),
                                "image": ref("Image"),
                                "job": _ID,
                                "problem": ref("Problem"),
                            },
                            "required": ["ref"],
                        },
                    }
                }
            ),
        ],
    },
    "Batch": _record(
        {
            "id": _ID,
            "name": _null(TEXT),
            "action": _one_of(Action),
            "state": _one_of(BatchState),
            "on_duplicate": _one_of(OnDuplicate),
            "variants": {"type": "array", "items": TEXT},
            "where": _null({"type": "object"}),
            "expected_count": _null(COUNT),
            "webhook": _null(_ID),
            "created_at": _TIME,
            "expires_at": _TIME,
            "sealed_at": _null(_TIME),
            "finished_at": _null(_TIME),
            "counts": _record(dict.fromkeys(Counts().told, COUNT)),
            "links": {"type": "object", "additionalProperties": TEXT},
        }
    ),
    "Batches": _record(
        {"items": {"type": "array", "items": ref("Batch")}, "next_cursor": _null(TEXT)}
    ),
    "Line": {
        "type": "object",
        "description": "An item of a batch, in the form of a manifest; the rest is absent.",
        "properties": {
            "ref": TEXT,
            "state": _one_of(LineState),
            "source": {"anyOf": [TEXT, {"type": "object"}]},
            "sha256": TEXT,
            "bytes": COUNT,
            "image": _ID,
            "url": {"type": "string", "format": "uri"},
            "duplicate": {"type": "boolean"},
            "variants": {"type": "array", "items": TEXT},
            "name": TEXT,
            "tags": {"type": "array", "items": TEXT},
            "metadata": {"type": "object"},
            "attempts": COUNT,
            "problem": ref("Problem"),
            "at": _TIME,
        },
        "required": ["ref", "state", "source", "at"],
    },
    "Verdict": {
        "type": "object",
        "description": "What is answered to one item; the last line for an archive sums up.",
        "properties": {
            "ref": _null(TEXT),
            "state": _one_of(Word),
            "image": _ID,
            "upload": {"type": "object"},
            "problem": ref("Problem"),
            "reason": TEXT,
        },
        "required": ["ref", "state"],
    },
    "Session": {
        "type": "object",
        "description": "An upload in parts; with its parts where it is looked at.",
        "properties": {
            "id": _ID,
            "state": _one_of(UploadState),
            "purpose": _one_of(Purpose),
            "name": _null(TEXT),
            "bytes": _null(COUNT),
            "part_bytes": COUNT,
            "parts": _null(COUNT),
            "received": _record({"parts": COUNT, "bytes": COUNT}),
            "sha256": _null(TEXT),
            "batch": _null(_ID),
            "ref": _null(TEXT),
            "variants": _null({"type": "array", "items": TEXT}),
            "tags": {"type": "array", "items": TEXT},
            "metadata": {"type": "object"},
            "created_at": _TIME,
            "expires_at": _null(_TIME),
            "image": _null(_ID),
            "job": _null(_ID),
            "problem": _PROBLEM_OR_NULL,
            "links": {"type": "object", "additionalProperties": TEXT},
            "items": {
                "type": "array",
                "items": _record(
                    {"n": COUNT, "bytes": COUNT, "etag": TEXT, "sha256": TEXT, "at": _TIME}
                ),
            },
            "next_cursor": _null(TEXT),
        },
        "required": ["id", "state", "purpose", "part_bytes", "parts", "received", "expires_at"],
    },
    "Webhook": {
        "type": "object",
        "description": "Where events are posted to; the secret is in the answer that made it only.",
        "properties": {
            "id": _ID,
            "name": _null(TEXT),
            "url": {"type": "string", "format": "uri"},
            "events": _null({"type": "array", "items": _one_of(Event)}),
            "state": _one_of(EndpointState),
            "detail": _null(TEXT),
            "created_at": _TIME,
            "secret": TEXT,
        },
        "required": ["id", "name", "url", "events", "state", "detail", "created_at"],
    },
    "Webhooks": _record({"items": {"type": "array", "items": ref("Webhook")}}),
    "Delivery": _record(
        {
            "id": _ID,
            "event": _one_of(Event),
            "state": _one_of(DeliveryState),
            "attempts": COUNT,
            "status": _null(COUNT),
            "detail": _null(TEXT),
            "created_at": _TIME,
            "due_at": _TIME,
            "finished_at": _null(_TIME),
            "data": {"type": "object"},
        }
    ),
    "Deliveries": _record(
        {"items": {"type": "array", "items": ref("Delivery")}, "next_cursor": _null(TEXT)}
    ),
    "Operation": {"oneOf": [operation_schema(kind) for kind in OPERATIONS.values()]},
}
