"""The OpenAPI document: FastAPI's own, plus the hot paths and the shapes of answers."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from filmroll.instructions import OPERATIONS, operation_schema
from filmroll.model import ImageState, JobState, VariantState
from filmroll.web.views import CONTENT_TYPES

_Schema = dict[str, Any]

_TIME: _Schema = {"type": "string", "format": "date-time"}
_ID: _Schema = {"type": "string", "pattern": "^[0-9a-z]{26}$"}
_COUNT: _Schema = {"type": "integer", "minimum": 0}
_TEXT: _Schema = {"type": "string"}
_PROBLEM_OR_NULL: _Schema = {"anyOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "null"}]}


def _null(schema: _Schema) -> _Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> _Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _record(properties: _Schema) -> _Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


_MEASURES: _Schema = {
    "format": _TEXT,
    "content_type": {"type": "string", "enum": list(CONTENT_TYPES.values())},
    "width": _COUNT,
    "height": _COUNT,
    "bytes": _COUNT,
}

SCHEMAS: dict[str, _Schema] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457. Figures such as limit, actual and pointer stand beside these.",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "code": _TEXT,
        },
        "required": ["type", "title", "status", "detail", "code"],
    },
    "Variant": _record(
        {
            "recipe": _TEXT,
            "instructions": _TEXT,
            "state": {"type": "string", "enum": [state.value for state in VariantState]},
            "url": {"type": "string", "format": "uri"},
            **{name: _null(schema) for name, schema in _MEASURES.items()},
            "problem": _PROBLEM_OR_NULL,
        }
    ),
    "Image": _record(
        {
            "id": _ID,
            "name": _null(_TEXT),
            "state": {"type": "string", "enum": [state.value for state in ImageState]},
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            **_MEASURES,
            "frames": _COUNT,
            "created_at": _TIME,
            "tags": {"type": "array", "items": _TEXT},
            "metadata": {"type": "object"},
            "batch": _null(_ID),
            "ref": _null(_TEXT),
            "url": {"type": "string", "format": "uri"},
            "variants": {"type": "array", "items": _ref("Variant")},
            "problem": _PROBLEM_OR_NULL,
        }
    ),
    "Images": _record(
        {"items": {"type": "array", "items": _ref("Image")}, "next_cursor": _null(_TEXT)}
    ),
    "Job": _record(
        {
            "id": _ID,
            "kind": _TEXT,
            "state": {"type": "string", "enum": [state.value for state in JobState]},
            "attempts": _COUNT,
            "image": _ID,
            "batch": _null(_ID),
            "problem": _PROBLEM_OR_NULL,
            "created_at": _TIME,
            "started_at": _null(_TIME),
            "finished_at": _null(_TIME),
        }
    ),
    "Preset": _record(
        {"name": _TEXT, "instructions": _TEXT, "created_at": _TIME, "updated_at": _TIME}
    ),
    "Presets": _record({"items": {"type": "array", "items": _ref("Preset")}}),
    "Upload": {
        "description": "The image; or, for a form with several files, what became of each.",
        "anyOf": [
            _ref("Image"),
            _record(
                {
                    "items": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "ref": _null(_TEXT),
                                "image": _ref("Image"),
                                "job": _ID,
                                "problem": _ref("Problem"),
                            },
                            "required": ["ref"],
                        },
                    }
                }
            ),
        ],
    },
    "Operation": {"oneOf": [operation_schema(kind) for kind in OPERATIONS.values()]},
}

# What the routes answer with when all goes well, by path and method.
_ANSWERS: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("/v1/images", "get"): (("200",), "Images"),
    ("/v1/images", "post"): (("201", "202", "207"), "Upload"),
    ("/v1/images/{image}", "get"): (("200",), "Image"),
    ("/v1/images/{image}", "patch"): (("200",), "Image"),
    ("/v1/images/{image}/variants", "post"): (("201", "202"), "Image"),
    ("/v1/jobs/{job}", "get"): (("200",), "Job"),
    ("/v1/jobs/{job}", "delete"): (("200",), "Job"),
    ("/v1/presets", "get"): (("200",), "Presets"),
    ("/v1/presets/{name}", "get"): (("200",), "Preset"),
    ("/v1/presets/{name}", "put"): (("200",), "Preset"),
}


_CONDITIONS = ("Range", "If-Range", "If-None-Match", "If-Modified-Since")
# What the routes read of a request's headers, by path and method.
_HEADERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("/v1/images", "post"): ("Prefer", "Idempotency-Key", "Repr-Digest", "Content-Digest"),
    ("/v1/images/{image}/variants", "post"): ("Prefer", "Idempotency-Key"),
    ("/v1/images/{image}", "patch"): ("If-Match",),
    ("/i/{image}", "get"): _CONDITIONS,
    ("/i/{image}/{instructions}", "get"): _CONDITIONS,
}


def document(app: FastAPI, *, uploads: bool, delivery: bool) -> _Schema:
    """Return the whole document; what a role does not serve is left out."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        paths: _Schema = schema["paths"]
        if uploads:
            paths["/v1/images"]["post"] = _upload()
        if delivery:
            paths["/i/{image}"] = {"get": _picture("The original", [_path("image")])}
            both = [_path("image"), _path("instructions")]
            paths["/i/{image}/{instructions}"] = {"get": _picture("A variant", both)}
        schema.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
        schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{}, {"key": []}]  # none where access is open
        for path, methods in paths.items():
            for method, operation in methods.items():
                _add_headers(path, method, operation)
                _add_answers(path, method, operation)
        app.openapi_schema = schema
    return app.openapi_schema


def _add_headers(path: str, method: str, operation: _Schema) -> None:
    names = _HEADERS.get((path, method), ())
    operation.setdefault("parameters", []).extend(_header(name) for name in names)


def _add_answers(path: str, method: str, operation: _Schema) -> None:
    answers = operation["responses"]
    answers.pop("422", None)  # FastAPI's own form of it, which is never sent
    statuses, name = _ANSWERS.get((path, method), ((), ""))
    for status in statuses:
        content = {"application/json": {"schema": _ref(name)}}
        answers[status] = {"description": name, "content": content}
    answers["default"] = {
        "description": "No, and why",
        "content": {"application/problem+json": {"schema": _ref("Problem")}},
    }


def _upload() -> _Schema:
    fields = {
        "name": _TEXT,
        "tag": {"type": "array", "items": _TEXT},
        "variant": {"type": "array", "items": _TEXT},
        "metadata": _TEXT,
    }
    form = {
        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
        **fields,
    }
    raw = {"schema": {"type": "string", "format": "binary"}}
    return {
        "summary": "Upload an image, or several in a form",
        "operationId": "upload_images",
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": schema}
            for name, schema in fields.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "image/*": raw,
                "application/octet-stream": raw,
                "multipart/form-data": {
                    "schema": {"type": "object", "properties": form, "required": ["file"]}
                },
            },
        },
        "responses": {},
    }


def _picture(summary: str, parameters: list[_Schema]) -> _Schema:
    signature = [
        {"name": name, "in": "query", "required": False, "schema": _TEXT}
        for name in ("dl", "exp", "kid", "sig")
    ]
    picture: _Schema = {kind: {} for kind in CONTENT_TYPES.values()}
    return {
        "summary": summary,
        "operationId": summary.lower().replace(" ", "_"),
        "parameters": parameters + signature,
        "responses": {
            "200": {"description": "The picture", "content": picture},
            "206": {"description": "The part that Range asked for"},
            "304": {"description": "The copy that the client has is good"},
            "416": {"description": "The range lies outside"},
        },
    }


def _path(name: str) -> _Schema:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


def _header(name: str) -> _Schema:
    return {"name": name, "in": "header", "required": False, "schema": _TEXT}
