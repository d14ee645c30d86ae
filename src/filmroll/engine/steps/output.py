"""output: write the picture in a format, without metadata unless it is asked for.

``quality`` means something to JPEG, WebP and AVIF; ``effort`` (0 quick to 9 small) to all but
JPEG; ``progressive`` to JPEG, PNG and GIF. A key that a format does not know changes nothing.
Whatever is written is sRGB and untagged.
"""

from collections.abc import Mapping
from typing import Any

import pyvips

from filmroll.engine.canvas import Canvas
from filmroll.engine.color import lay_on
from filmroll.engine.loaders import ANIMATED
from filmroll.instructions import Output
from filmroll.ports import Picture

_SAVERS: Mapping[str, str] = {
    "jpeg": "jpegsave_buffer",
    "png": "pngsave_buffer",
    "webp": "webpsave_buffer",
    "avif": "heifsave_buffer",
    "gif": "gifsave_buffer",
    "tiff": "tiffsave_buffer",
}
_QUALITY: Mapping[str, int] = {"jpeg": 80, "webp": 79, "avif": 63}
_WHITE = "ffffff"
_KEEP: Mapping[str, str] = {"none": "none", "copyright": "exif", "all": "all"}
_PREVIEW = ("jpeg-thumbnail-data", "exif-ifd1-")
_RIGHTS = frozenset({"exif-ifd0-Copyright", "exif-ifd0-Artist"})


def output(canvas: Canvas, op: Output, kind: str) -> Picture:
    """Encode; ``kind`` is the format, after ``same`` was looked up."""
    image = _joined(canvas) if kind in ANIMATED else canvas.pixels()[0]
    if kind == "jpeg":
        image = lay_on(image, _WHITE)
    if op.metadata != "none":
        image = _described(image, op.metadata)
    data = getattr(image, _SAVERS[kind])(keep=_KEEP[op.metadata], **_options(kind, op))
    size, frames = canvas.size, len(canvas.frames) if kind in ANIMATED else 1
    return Picture(data=data, format=kind, width=size.width, height=size.height, frames=frames)


def _options(kind: str, op: Output) -> dict[str, Any]:
    """Return the encoder's settings: small files at a speed that someone can wait for."""
    quality = op.quality or _QUALITY.get(kind)
    match kind:
        case "jpeg":
            return {"Q": quality, "optimize_coding": True, "interlace": op.progressive}
        case "png":
            return {"compression": _effort(op, 6, 9), "interlace": op.progressive}
        case "webp":
            return {"Q": quality, "lossless": op.lossless, "effort": _effort(op, 4, 6)}
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
