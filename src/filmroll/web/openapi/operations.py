"""The operations of the routes that are written by hand."""

from filmroll.web.openapi.schemas import TEXT, Schema, ref
from filmroll.web.views import CONTENT_TYPES


def upload() -> Schema:
    """POST /v1/images."""
    fields = {
        "name": TEXT,
        "tag": {"type": "array", "items": TEXT},
        "variant": {"type": "array", "items": TEXT},
        "metadata": TEXT,
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
                "application/json": {"schema": _by_url()},
                "image/*": raw,
                "application/octet-stream": raw,
                "multipart/form-data": {
                    "schema": {"type": "object", "properties": form, "required": ["file"]}
                },
            },
        },
        "responses": {},
    }


def _by_url() -> Schema:
    return {
        "type": "object",
        "properties": {
            "url": {"type": "string", "format": "uri"},
            "name": TEXT,
            "tags": {"type": "array", "items": TEXT},
            "metadata": {"type": "object"},
            "variants": {"type": "array"},
        },
        "required": ["url"],
        "additionalProperties": False,
    }


def manifest() -> Schema:
    """POST /v1/batches/{batch}/items."""
    return {
        "summary": "Say what is to come, and read what is missing",
        "operationId": "declare_items",
        "parameters": [path_part("batch")],
        "requestBody": _body("application/x-ndjson"),
        "responses": _verdicts(),
    }


def archive() -> Schema:
    """POST /v1/batches/{batch}/archive."""
    return {
        "summary": "Send many items as a tar, tar.gz, tar.zst or zip",
        "operationId": "send_archive",
        "parameters": [path_part("batch")],
        "requestBody": _body("application/octet-stream", "application/x-tar", "application/zip"),
        "responses": _verdicts(),
    }


def item() -> Schema:
    """PUT /v1/batches/{batch}/items/{ref}."""
    line = {"application/json": {"schema": ref("Line")}}
    fields = [
        {"name": name, "in": "query", "required": False, "schema": TEXT}
        for name in ("name", "tag", "variant", "metadata")
    ]
    return {
        "summary": "Send one item",
        "operationId": "send_item",
        "parameters": [path_part("batch"), path_part("ref"), *fields],
        "requestBody": _body("application/octet-stream", "image/*"),
        "responses": {
            "201": {"description": "Stored", "content": line},
            "200": {"description": "It was there", "content": line},
        },
    }


def part() -> Schema:
    """PUT /v1/uploads/{upload}/parts/{n}."""
    return {
        "summary": "Send one part",
        "operationId": "send_part",
        "parameters": [path_part("upload"), path_part("n")],
        "requestBody": _body("application/octet-stream"),
        "responses": {
            "200": {"description": "It is kept", "headers": {"ETag": {"schema": TEXT}}},
        },
    }


def completed() -> Schema:
    """POST /v1/uploads/{upload}/complete."""

    def answer(*names: str) -> Schema:
        return {"application/json": {"schema": {"anyOf": [ref(name) for name in names]}}}

    return {
        "201": {"description": "The image", "content": answer("Image")},
        "202": {
            "description": "What is still to come: the batch of an archive, an image, or its job",
            "content": answer("Batch", "Image", "Job"),
        },
    }


def _body(*types: str) -> Schema:
    raw = {"schema": {"type": "string", "format": "binary"}}
    return {"required": True, "content": dict.fromkeys(types, raw)}


def _verdicts() -> Schema:
    content = {"application/x-ndjson": {"schema": ref("Verdict")}}
    return {"200": {"description": "A verdict a line", "content": content}}


def picture(summary: str, parameters: list[Schema]) -> Schema:
    """GET of an original or a variant."""
    signature = [
        {"name": name, "in": "query", "required": False, "schema": TEXT}
        for name in ("dl", "exp", "kid", "sig")
    ]
    picture: Schema = {kind: {} for kind in CONTENT_TYPES.values()}
    return {
        "summary": summary,
        "operationId": summary.lower().replace(" ", "_"),
        "parameters": parameters + signature,
        "responses": {
            "200": {"description": "The picture", "content": picture},
            "206": {"description": "The part that Range asked for"},
            "302": {"description": "Where the store has an original, if it is set up to send them"},
            "304": {"description": "The copy that the client has is good"},
            "412": {"description": "It is another version than If-Match names"},
            "416": {"description": "The range lies outside"},
        },
    }


def whole_batch(kind: str, content_type: str) -> Schema:
    """GET /i/batches/{batch}.zip and .tar."""
    fields = [
        {"name": name, "in": "query", "required": False, "schema": TEXT}
        for name in ("variant", "exp", "kid", "sig")
    ]
    content = {content_type: {"schema": {"type": "string", "format": "binary"}}}
    return {
        "summary": f"A whole batch as {kind}",
        "operationId": f"download_batch_{kind}",
        "parameters": [path_part("batch"), *fields],
        "responses": {"200": {"description": "The archive", "content": content}},
    }


def path_part(name: str) -> Schema:
    """Return a part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": TEXT}


def header(name: str) -> Schema:
    """Return a header that a route reads."""
    return {"name": name, "in": "header", "required": False, "schema": TEXT}
