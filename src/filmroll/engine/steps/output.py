"""output: write the picture in a format, without metadata unless it is asked for.

Whatever is written is sRGB and untagged. The picture is worked out once: where several encodings
may be needed, all of them read it from memory.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.choosing import Candidate, candidates
from filmroll.engine.color import lay_on, transparent
from filmroll.engine.encoders import QUALITY, coarser, encode, tighter, with_palette
from filmroll.engine.fitting import alike_enough, squeezed
from filmroll.engine.loaders import ANIMATED
from filmroll.engine.similarity import Similarity
from filmroll.errors import InvalidInstructions
from filmroll.instructions import AUTO, AUTO_FORMATS, Output
from filmroll.ports import Picture

_WHITE = "ffffff"
_PREVIEW = ("jpeg-thumbnail-data", "exif-ifd1-")
_RIGHTS = frozenset({"exif-ifd0-Copyright", "exif-ifd0-Artist"})


@dataclass(frozen=True, slots=True)
class _Draft:
    """A picture in one of the ways that it may be written."""

    way: Candidate
    image: pyvips.Image
    op: Output  # without anything that is still to be found out
    data: bytes

    @property
    def weight(self) -> float:
        return self.way.weight(self.data)


def output(canvas: Canvas, op: Output, kind: str, fair: int | None = None) -> Picture:
    """Encode; ``kind`` is the format, after ``same`` was looked up, or one of AUTO_FORMATS.

    ``fair`` is how many bytes a picture of automatic format should not exceed, if that can be
    helped. Raises InvalidInstructions (pointer ``/max_bytes``) if it cannot be made so small.
    """
    if kind in AUTO_FORMATS:
        canvas = _opaque(canvas.in_memory())
        ways = candidates(canvas, op)
    else:
        if op.quality == AUTO or op.max_bytes is not None:
            canvas = canvas.in_memory()
        ways, fair = (Candidate(kind, op.lossless),), None
    drafts = [_draft(canvas, op, way) for way in ways]
    best = _within(drafts, op.max_bytes, fair)
    if op.max_bytes is not None and len(best.data) > op.max_bytes:
        raise _too_large(best, op.max_bytes)
    size, frames = canvas.size, len(canvas.frames) if best.way.kind in ANIMATED else 1
    return Picture(
        data=best.data, format=best.way.kind, width=size.width, height=size.height, frames=frames
    )


def _draft(canvas: Canvas, op: Output, way: Candidate) -> _Draft:
    op = replace(op, lossless=way.lossless)
    if op.quality == AUTO:
        op = replace(op, quality=_perceptual(canvas, op, way.kind))
    image = _prepared(canvas, op, way.kind)
    data = encode(image, way.kind, op, {})
    if op.format in AUTO_FORMATS and way.kind == "png":
        data = min(data, with_palette(image, op) or data, key=len)
    return _Draft(way, image, op, data)


def _perceptual(canvas: Canvas, op: Output, kind: str) -> int | None:
    """Return the quality that is good enough, going by the first frame."""
    image = _prepared(canvas.first(), op, kind)
    if kind not in QUALITY or op.lossless or not Similarity.measures(image):
        return None
    return alike_enough(kind, partial(encode, image, kind, op), Similarity(image))


def _within(drafts: Sequence[_Draft], most: int | None, fair: int | None) -> _Draft:
    """Return the best that keeps both limits, made coarser if need be; else the smallest."""
    ceiling = min((limit for limit in (most, fair) if limit is not None), default=sys.maxsize)
    if small := [draft for draft in drafts if len(draft.data) <= ceiling]:
        return min(small, key=lambda draft: draft.weight)
    pliable = [draft for draft in drafts if _smaller(draft, demanded=most is not None)]
    if pliable:
        first = min(pliable, key=_size)
        settings = _smaller(first, demanded=most is not None)
        attempt = partial(encode, first.image, first.way.kind, first.op)
        drafts = [*drafts, replace(first, data=squeezed(attempt, settings, ceiling))]
    return min(drafts, key=_size)


def _smaller(draft: _Draft, *, demanded: bool) -> Sequence[Mapping[str, Any]]:
    """Return settings for less bytes; colours are only given up where that was ``demanded``."""
    kind = draft.way.kind
    return coarser(kind, draft.op) if demanded or kind in QUALITY else tighter(kind)


def _size(draft: _Draft) -> int:
    return len(draft.data)


def _too_large(best: _Draft, limit: int) -> InvalidInstructions:
    size = len(best.data)
    return InvalidInstructions(
        f"The smallest {best.way.kind} of this picture that can be made has {size:,} bytes. "
        "Ask for fewer pixels, or allow more bytes.",
        pointer="/max_bytes",
        limit=limit,
        actual=size,
    )


def _opaque(canvas: Canvas) -> Canvas:
    """Drop an alpha that hides nothing: it would keep a photograph from being a JPEG."""
    if not canvas.frames[0].hasalpha() or any(transparent(frame) for frame in canvas.frames):
        return canvas
    return canvas.map(lambda frame: frame.extract_band(0, n=frame.bands - 1))


def _prepared(canvas: Canvas, op: Output, kind: str) -> pyvips.Image:
    """Return the one image that the encoder of this format takes."""
    image = _joined(canvas) if kind in ANIMATED else canvas.pixels()[0]
    if kind == "jpeg":
        image = lay_on(image, _WHITE)
    return image if op.metadata == "none" else _described(image, op.metadata)


def _joined(canvas: Canvas) -> pyvips.Image:
    """Put the frames into the one tall strip that libvips' savers take for an animation."""
    frames = canvas.pixels()
    if len(frames) == 1:
        return frames[0]
    strip = pyvips.Image.arrayjoin(list(frames), across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", canvas.size.height)
    return strip


def _described(image: pyvips.Image, metadata: str) -> pyvips.Image:
    """Drop what must not be kept: the rights alone, or all but the camera's own small preview.

    That preview would still show what a crop has cut away.
    """
    image = image.copy()
    for field in image.get_fields():
        other = metadata == "copyright" and field.startswith("exif-ifd") and field not in _RIGHTS
        if other or field.startswith(_PREVIEW):
            image.remove(field)
    return image
