"""Originals, and what is made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from filmroll.model.problem import Problem


class ImageState(StrEnum):
    """Where an image stands."""

    STORED = "stored"  # durable, declared variants still to come
    READY = "ready"  # durable, every declared variant made
    FAILED = "failed"  # durable, but its variants cannot be made: see ``problem``
    DELETED = "deleted"  # a tombstone: bytes and variants are gone or going


class VariantState(StrEnum):
    """Where a variant stands."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What the first bytes of an image say, read without decoding a pixel.

    ``width`` and ``height`` are pixels as a viewer sees them: after the EXIF orientation.
    """

    format: str  # jpeg, png, webp, gif, avif, tiff
    width: int
    height: int
    frames: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An uploaded original: its bytes never change, what is said about them may."""

    id: str
    state: ImageState
    sha256: str  # hex
    bytes: int
    format: str
    width: int
    height: int
    frames: int
    created_at: float
    name: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    declared: tuple[str, ...] = ()  # canonical instructions asked for with the upload
    batch: str | None = None
    ref: str | None = None
    problem: Problem | None = None
    version: int = 1  # grows with every change; the ETag of the record


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What the end of its upload's job makes of an image."""

    state: ImageState
    problem: Problem | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A picture made from an image by instructions."""

    image: str
    recipe: str
    instructions: str  # canonical text
    state: VariantState
    created_at: float
    format: str = ""
    width: int = 0
    height: int = 0
    frames: int = 1
    bytes: int = 0
    sha256: str = ""  # hex
    problem: Problem | None = None
