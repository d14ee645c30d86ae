"""Is the engine alive? Every format is written and read back, with what is installed here."""

from collections.abc import Mapping

import pyvips

from filmroll.engine import loaders
from filmroll.engine.canvas import Canvas
from filmroll.engine.steps.output import output
from filmroll.engine.steps.text import text_image
from filmroll.errors import FilmrollError
from filmroll.geometry import Size
from filmroll.instructions import Output, Watermark
from filmroll.limits import Limits

_FORMATS = ("jpeg", "png", "webp", "gif", "avif", "tiff")


def report() -> Mapping[str, str]:
    """Return which formats go in and out, and the versions that do it."""
    picture = Canvas.of((_ramp(),))
    readable, writable = [], []
    for kind in _FORMATS:
        try:
            data = output(picture, Output(), kind).data
            writable.append(kind)
            source = loaders.open_source(data, Limits())
            loaders.decode(source, 1, animated=False)
            readable.append(kind)
        except (FilmrollError, pyvips.Error):
            continue
    text_image(Watermark(text="ok"), Size(32, 32))
    return {
        "formats_in": ", ".join(readable),
        "formats_out": ", ".join(writable),
        "libvips": ".".join(str(pyvips.version(part)) for part in range(3)),
        "pyvips": pyvips.__version__,
    }


def _ramp() -> pyvips.Image:
    """Return a small picture with colours in it."""
    place = pyvips.Image.xyz(16, 16)
    return (place.bandjoin(128) * [8, 8, 1]).cast("uchar").copy(interpretation="srgb")
