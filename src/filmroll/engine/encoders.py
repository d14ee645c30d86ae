"""The encoders: the settings of each format, and what makes its files smaller than asked for.

``quality`` means something to JPEG, WebP and AVIF; ``effort`` (0 quick to 9 small) to all but
JPEG; ``progressive`` to JPEG, PNG and GIF. A key that a format does not know changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyvips

from filmroll.engine.color import with_alpha
from filmroll.instructions import AUTO, Output

_SAVERS: Mapping[str, str] = {
    "jpeg": "jpegsave_buffer",
    "png": "pngsave_buffer",
    "webp": "webpsave_buffer",
    "avif": "heifsave_buffer",
    "gif": "gifsave_buffer",
    "tiff": "tiffsave_buffer",
}
QUALITY: Mapping[str, int] = {"jpeg": 80, "webp": 79, "avif": 63}
_EFFORT, _MOVING_EFFORT = 4, 2  # of WebP: animations take half the time for a twentieth more
_LEAST_QUALITY = 10  # what is worse shows blocks, not the picture
_KEEP: Mapping[str, str] = {"none": "none", "copyright": "exif", "all": "all"}


def encode(image: pyvips.Image, kind: str, op: Output, special: Mapping[str, Any]) -> bytes:
    """Return the file; ``special`` settings take the place of those that follow from ``op``."""
    moving = image.get_page_height() < image.height
    options = {**_options(kind, op, moving=moving), **special}
    data: bytes = getattr(image, _SAVERS[kind])(keep=_KEEP[op.metadata], **options)
    return data


def with_palette(image: pyvips.Image, op: Output) -> bytes | None:
    """Return a PNG with a palette that looks the very same; None if the colours are too many.

    The quantiser is exact where they are few; whether it was is looked at. What is wholly
    transparent has no colour, as to the encoder of lossless WebP.
    """
    data = encode(image, "png", op, {"palette": True, "Q": 100, "dither": 0.0})
    copy = with_alpha(pyvips.Image.new_from_buffer(data, "")).premultiply()
    equal = (copy == with_alpha(image).premultiply()).min() > 0
    return data if equal else None


def usual_quality(kind: str, op: Output) -> int | None:
    """Return the quality that was asked for, or the format's own; None if it knows none."""
    asked = None if op.quality == AUTO else op.quality
    return int(asked or QUALITY[kind]) if kind in QUALITY else None


def coarser(kind: str, op: Output) -> Sequence[Mapping[str, Any]]:
    """Return the settings that give smaller files than ``op`` asks for, the smallest first."""
    quality = usual_quality(kind, op)
    match kind:
        case "png":
            return [{"palette": True, "bitdepth": bits} for bits in (1, 2, 4, 8)]
        case "gif":
            return [{"bitdepth": bits} for bits in range(1, 8)]
        case _ if quality is not None and not op.lossless:
            return [{"Q": step} for step in range(min(_LEAST_QUALITY, quality), quality)]
        case _:
            return []


def tighter(kind: str) -> Sequence[Mapping[str, Any]]:
    """Return the settings that give smaller files without any loss, only slower."""
    return [{"compression": 9}] if kind == "png" else []


def _options(kind: str, op: Output, *, moving: bool) -> dict[str, Any]:
    """Return the encoder's settings: small files at a speed that someone can wait for."""
    quality = usual_quality(kind, op)
    match kind:
        case "jpeg":
            return {"Q": quality, "optimize_coding": True, "interlace": op.progressive}
        case "png":
            return {"compression": _effort(op, 6, 9), "interlace": op.progressive}
        case "webp":
            effort = _effort(op, _MOVING_EFFORT if moving else _EFFORT, 6)
            return {"Q": quality, "lossless": op.lossless, "effort": effort}
        case "avif":
            effort = _effort(op, 3, 9)
            return {"Q": quality, "lossless": op.lossless, "effort": effort, "compression": "av1"}
        case "gif":
            return {"effort": max(1, _effort(op, 3, 10)), "interlace": op.progressive}
        case _:
            level = max(1, _effort(op, 6, 9))
            return {"compression": "deflate", "predictor": "horizontal", "level": level}


def _effort(op: Output, default: int, highest: int) -> int:
    """Stretch 0 to 9 over the encoder's own scale, which ends at ``highest``."""
    return default if op.effort is None else round(op.effort * highest / 9)
