"""Records as text: the JSON in which a catalog keeps what it does not search by."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from pydantic_core import to_json

from filmroll.model import (
    AccessKey,
    Action,
    Batch,
    BatchState,
    Counts,
    DeliveryState,
    Endpoint,
    EndpointState,
    Event,
    Image,
    ImageState,
    Info,
    Job,
    JobKind,
    JobState,
    Lane,
    Line,
    LineState,
    OnDuplicate,
    Problem,
    Purpose,
    Scope,
    Swatch,
    Transfer,
    Upload,
    UploadState,
    Variant,
    VariantState,
    WebhookDelivery,
)

Record = TypeVar("Record")


def others(kind: Any, columns: Collection[str]) -> Sequence[str]:
    """Return the names of a record's fields that have no column of their own."""
    return [field.name for field in fields(kind) if field.name not in columns]


def encode(record: object, names: Sequence[str]) -> str:
    """Return the named fields of a record as JSON."""
    return to_json({name: getattr(record, name) for name in names}).decode()


def decode(kind: type[Record], text: str, columns: Mapping[str, Any]) -> Record:
    """Return the record that has the fields in ``text`` and those in ``columns``."""
    return decoded(kind, json.loads(text) | columns)


def decoded(kind: type[Record], values: dict[str, Any]) -> Record:
    """Return the record that has these values, as JSON spells them.

    A version beside this one may write fields that are not known here, and leave out one that is.
    So a field can be added while both run, if it may be lost where this version writes the record.
    """
    known = _names(kind)  # type: ignore[arg-type] # mypy doubts that a class can be hashed
    if not known.issuperset(values):
        values = {name: value for name, value in values.items() if name in known}
    for name, convert in _CONVERSIONS.get(kind, {}).items():
        if name in values:
            values[name] = convert(values[name])
    return kind(**values)


@cache
def _names(kind: type[object]) -> frozenset[str]:
    return frozenset(others(kind, ()))


def _problem(value: Mapping[str, Any] | None) -> Problem | None:
    return None if value is None else decoded(Problem, dict(value))


def _counts(value: Mapping[str, int]) -> Counts:
    return decoded(Counts, dict(value))


def _texts(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _events(value: list[str] | None) -> tuple[Event, ...] | None:
    return None if value is None else tuple(map(Event, value))


def _swatches(value: list[Mapping[str, Any]]) -> tuple[Swatch, ...]:
    return tuple(decoded(Swatch, dict(each)) for each in value)


def _scopes(value: list[str]) -> tuple[Scope, ...]:
    return tuple(map(Scope, value))


_CONVERSIONS: Mapping[type, Mapping[str, Callable[[Any], Any]]] = {
    Image: {"state": ImageState, "tags": tuple, "declared": tuple, "problem": _problem},
    Variant: {"state": VariantState, "problem": _problem},
    Info: {"palette": _swatches},
    Job: {
        "state": JobState,
        "kind": JobKind,
        "lane": Lane,
        "instructions": tuple,
        "problem": _problem,
    },
    Batch: {
        "state": BatchState,
        "action": Action,
        "on_duplicate": OnDuplicate,
        "variants": tuple,
        "counts": _counts,
        "told": bool,
    },
    Line: {
        "state": LineState,
        "variants": _texts,
        "tags": tuple,
        "received": bool,
        "problem": _problem,
    },
    Upload: {
        "state": UploadState,
        "purpose": Purpose,
        "transfer": Transfer,
        "variants": _texts,
        "tags": tuple,
        "joins": tuple,
        "problem": _problem,
    },
    Endpoint: {"state": EndpointState, "events": _events},
    WebhookDelivery: {"state": DeliveryState, "event": Event},
    AccessKey: {"scopes": _scopes},
}
