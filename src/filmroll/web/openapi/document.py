"""The OpenAPI document: FastAPI's own, plus the hot paths and the shapes of answers."""

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from filmroll.web.openapi.operations import (
    archive,
    completed,
    header,
    item,
    manifest,
    part,
    path_part,
    picture,
    upload,
    whole_batch,
)
from filmroll.web.openapi.schemas import SCHEMAS, Schema, ref
from filmroll.web.openapi.tus import tus

_BATCH = "/v1/batches/{batch}"
_UPLOAD = "/v1/uploads/{upload}"
_WEBHOOK = "/v1/webhooks/{webhook}"

# What the routes answer with when all goes well, by path and method.
_ANSWERS: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("/v1/images", "get"): (("200",), "Images"),
    ("/v1/images", "post"): (("201", "202", "207"), "Upload"),
    ("/v1/images/{image}", "get"): (("200",), "Image"),
    ("/v1/images/{image}", "patch"): (("200",), "Image"),
    ("/v1/images/{image}/variants", "post"): (("201", "202"), "Image"),
    ("/v1/images/{image}/info", "get"): (("200",), "Info"),
    ("/v1/jobs/{job}", "get"): (("200",), "Job"),
    ("/v1/jobs/{job}", "delete"): (("200",), "Job"),
    ("/v1/presets", "get"): (("200",), "Presets"),
    ("/v1/presets/{name}", "get"): (("200",), "Preset"),
    ("/v1/presets/{name}", "put"): (("200",), "Preset"),
    ("/v1/batches", "get"): (("200",), "Batches"),
    ("/v1/batches", "post"): (("201",), "Batch"),
    (_BATCH, "get"): (("200",), "Batch"),
    (_BATCH, "delete"): (("200",), "Batch"),
    (f"{_BATCH}/seal", "post"): (("200",), "Batch"),
    (f"{_BATCH}/retry", "post"): (("200",), "Batch"),
    (f"{_BATCH}/items/{{ref}}", "get"): (("200",), "Line"),
    ("/v1/uploads", "post"): (("201",), "Session"),
    (_UPLOAD, "get"): (("200",), "Session"),
    ("/v1/webhooks", "get"): (("200",), "Webhooks"),
    ("/v1/webhooks", "post"): (("201",), "Webhook"),
    (_WEBHOOK, "get"): (("200",), "Webhook"),
    (f"{_WEBHOOK}/deliveries", "get"): (("200",), "Deliveries"),
    (f"{_WEBHOOK}/deliveries/{{delivery}}/replay", "post"): (("202",), "Delivery"),
}


_CONDITIONS = (
    "Range",
    "If-Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
)
# What the routes read of a request's headers, by path and method.
_HEADERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("/v1/images", "post"): ("Prefer", "Idempotency-Key", "Repr-Digest", "Content-Digest"),
    ("/v1/images/{image}/variants", "post"): ("Prefer", "Idempotency-Key"),
    ("/v1/images/{image}", "patch"): ("If-Match",),
    ("/v1/images/{image}/info", "get"): ("If-None-Match",),
    ("/v1/batches", "post"): ("Idempotency-Key",),
    ("/v1/uploads", "post"): ("Idempotency-Key",),
    (f"{_UPLOAD}/complete", "post"): ("Prefer", "Idempotency-Key"),
    (f"{_UPLOAD}/parts/{{n}}", "put"): ("Content-MD5", "Content-Digest", "Repr-Digest"),
    ("/v1/webhooks", "post"): ("Idempotency-Key",),
    (_BATCH, "get"): ("Prefer", "If-None-Match"),
    (f"{_BATCH}/events", "get"): ("Last-Event-ID",),
    (f"{_BATCH}/items", "post"): ("Content-Encoding",),
    (f"{_BATCH}/items/{{ref}}", "put"): ("Repr-Digest", "Content-Digest"),
    ("/i/{image}", "get"): _CONDITIONS,
    ("/i/{image}/{instructions}", "get"): _CONDITIONS,
}


def document(app: FastAPI, *, uploads: bool, delivery: bool) -> Schema:
    """Return the whole document; what a role does not serve is left out."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        paths: Schema = schema["paths"]
        if uploads:
            paths["/v1/images"]["post"] = upload()
            items = f"{_BATCH}/items"
            paths[items] = {"post": manifest()}
            paths[f"{items}/{{ref}}"] = {"put": item(), **paths.pop(f"{items}/{{ref}}")}
            paths[f"{_BATCH}/archive"] = {"post": archive()}
            paths[f"{_UPLOAD}/parts/{{n}}"] = {"put": part()}
            paths[f"{_UPLOAD}/complete"]["post"]["responses"] = completed()
            paths |= tus()
        if delivery:
            paths["/i/{image}"] = {"get": picture("The original", [path_part("image")])}
            both = [path_part("image"), path_part("instructions")]
            paths["/i/{image}/{instructions}"] = {"get": picture("A variant", both)}
            for server in ("thumbor", "imgproxy"):
                parts = [path_part("signature"), path_part("request")]
                summary = f"What a URL of {server} asks for"
                paths[f"/i/{server}/{{signature}}/{{request}}"] = {"get": picture(summary, parts)}
            for kind, content_type in (("zip", "application/zip"), ("tar", "application/x-tar")):
                paths[f"/i/batches/{{batch}}.{kind}"] = {"get": whole_batch(kind, content_type)}
        schema.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
        schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{}, {"key": []}]  # none where access is open
        for path, methods in paths.items():
            for method, operation in methods.items():
                _add_headers(path, method, operation)
                _add_answers(path, method, operation)
        app.openapi_schema = schema
    return app.openapi_schema


def _add_headers(path: str, method: str, operation: Schema) -> None:
    names = _HEADERS.get((path, method), ())
    operation.setdefault("parameters", []).extend(header(name) for name in names)


def _add_answers(path: str, method: str, operation: Schema) -> None:
    answers = operation["responses"]
    answers.pop("422", None)  # FastAPI's own form of it, which is never sent
    statuses, name = _ANSWERS.get((path, method), ((), ""))
    for status in statuses:
        content = {"application/json": {"schema": ref(name)}}
        answers[status] = {"description": name, "content": content}
    answers["default"] = {
        "description": "No, and why",
        "content": {"application/problem+json": {"schema": ref("Problem")}},
    }
