"""Manifest lines and sidecars as clients write them: JSON, checked before anything else sees it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from filmroll.errors import InvalidRequest, MalformedRequest
from filmroll.usecases.batch.lines import IMPORTS
from filmroll.usecases.batch.manifest import Item
from filmroll.usecases.resolve import Spelling


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Sidecar(_Strict):
    """What may be said of an image beside its bytes; None: nothing."""

    name: str | None = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
    variants: list[Spelling] | None = None


class _Url(_Strict):
    url: Annotated[str, Field(pattern=r"^(?i:https?)://")]


class _Blob(_Strict):
    blob: Annotated[str, Field(pattern=f"^{IMPORTS}")]


class _Line(Sidecar):
    ref: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    bytes: Annotated[int, Field(ge=0)] | None = None
    source: Literal["upload"] | _Url | _Blob = "upload"

    # What the results say besides: a line of theirs may come back as it is.
    state: Any = None
    image: Any = None
    url: Any = None
    duplicate: Any = None
    problem: Any = None
    attempts: Any = None
    at: Any = None


def read_item(text: bytes) -> Item:
    """Read a line of a manifest; raise MalformedRequest or InvalidRequest with a pointer."""
    try:
        line = _Line.model_validate_json(text)
    except ValidationError as fault:
        raise refusal(fault) from None
    return Item(
        ref=line.ref,
        sha256=line.sha256,
        bytes=line.bytes,
        source=_source(line.source),
        variants=line.variants,
        name=line.name,
        tags=line.tags,
        metadata=line.metadata,
    )


def ref_of(text: bytes) -> str | None:
    """Return the ref of a line that something else is wrong with; None if it has none."""
    try:
        line = from_json(text)
    except ValueError:
        return None
    ref = line.get("ref") if isinstance(line, dict) else None
    return ref if isinstance(ref, str) else None


def _source(source: str | _Url | _Blob) -> str | None:
    if isinstance(source, _Url):
        return source.url
    return source.blob if isinstance(source, _Blob) else None


def read_sidecar(text: bytes) -> Sidecar:
    """Read a sidecar; raise MalformedRequest or InvalidRequest with a pointer."""
    try:
        return Sidecar.model_validate_json(text)
    except ValidationError as fault:
        raise refusal(fault) from None


def refusal(fault: ValidationError) -> MalformedRequest | InvalidRequest:
    """Return the error that says what is wrong with a JSON text, and where."""
    first = fault.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return MalformedRequest("This is no JSON in UTF-8.", pointer="")
    pointer = "/" + "/".join(str(part) for part in first["loc"])
    return InvalidRequest(f"{first['msg']}.", pointer=pointer)
