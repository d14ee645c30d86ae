"""The operations of tus; the protocol is described at https://tus.io."""

from collections.abc import Sequence

from filmroll.web.openapi.operations import header, path_part
from filmroll.web.openapi.schemas import TEXT, Schema

_ALL, _ONE = "/v1/tus", "/v1/tus/{upload}"
_STANDING = ("Upload-Offset", "Upload-Expires", "Content-Location")


def tus() -> dict[str, Schema]:
    """Return the operations by path and method."""
    new = ("Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Concat")
    more = ("Upload-Offset", "Upload-Length", "Upload-Checksum")
    about = ("Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Concat")
    able = ("Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm")
    return {
        _ALL: {
            "options": _operation("Ask what of tus is spoken here", (), 204, able),
            "post": _operation(
                "Begin an upload by tus", new, 201, ("Location", *_STANDING), body=False
            ),
        },
        _ONE: {
            "head": _operation(
                "Ask where an upload goes on", (), 200, (*_STANDING, *about), of_one=True
            ),
            "patch": _operation(
                "Send more of an upload", more, 204, _STANDING, body=True, of_one=True
            ),
            "delete": _operation("End an upload", (), 204, (), of_one=True),
        },
    }


def _operation(
    summary: str,
    reads: Sequence[str],
    status: int,
    answers: Sequence[str],
    *,
    body: bool | None = None,
    of_one: bool = False,
) -> Schema:
    """Describe an operation; ``body`` says whether bytes must come, None: there are none."""
    names = ("Tus-Resumable", *reads)
    operation: Schema = {
        "summary": summary,
        "operationId": summary.lower().replace(" ", "_"),
        "parameters": [*([path_part("upload")] if of_one else []), *map(header, names)],
        "responses": {
            str(status): {
                "description": "As tus has it",
                "headers": {name: {"schema": TEXT} for name in answers},
            }
        },
    }
    if body is not None:
        schema = {"schema": {"type": "string", "format": "binary"}}
        content = {"application/offset+octet-stream": schema}
        operation["requestBody"] = {"required": body, "content": content}
    return operation
