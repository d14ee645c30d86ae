"""An original described: its header read, and its picture decoded once, as small as will do."""

import mmap
from collections.abc import Mapping

import pyvips

from filmroll.engine import loaders, plain
from filmroll.engine.canvas import Canvas
from filmroll.engine.color import lay_on
from filmroll.engine.faults import too_much_memory
from filmroll.engine.info.blurhash import blurhash
from filmroll.engine.info.exif import exif_of
from filmroll.engine.info.icc import profile_name
from filmroll.engine.info.palette import palette
from filmroll.engine.info.phash import SIDE, phash
from filmroll.engine.info.thumb import Thumb
from filmroll.engine.info.thumbhash import thumbhash
from filmroll.engine.loaders import Source
from filmroll.errors import InternalError
from filmroll.geometry import Size
from filmroll.limits import Limits
from filmroll.model import Info

_SMALL, _THUMB = 128, 64  # px of the longer side
_BEHIND = "ffffff"  # what the hashes without alpha see behind a transparent picture
_SPACES: Mapping[str, str] = {
    "b-w": "gray",
    "grey16": "gray",
    "cmyk": "cmyk",
    "lab": "lab",
    "labq": "lab",
    "labs": "lab",
}
_DEPTHS = {"uchar": 8, "char": 8, "ushort": 16, "short": 16}  # else 32


def describe(data: mmap.mmap | bytes, limits: Limits) -> Info:
    """Return what there is to tell.

    Raises CorruptImage, UnsupportedMedia, TooManyPixels, TooManyFrames or ProcessingLimit.
    """
    source = loaders.open_source(data, limits)
    header = loaders.header_of(source)
    try:
        small = _small(source)
        thumb = _scaled(small, _within(source.size, _THUMB))
        square = _scaled(small, Size(SIDE, SIDE))
    except pyvips.Error as error:
        if plain.memory_ran_out(error):
            raise too_much_memory() from error
        fault = f"The picture could not be looked at: {plain.words(error)}."
        raise InternalError(fault) from error
    return Info(
        format=source.header.format,
        width=source.header.width,
        height=source.header.height,
        frames=source.header.frames,
        orientation=source.orientation,
        color_space=_SPACES.get(header.interpretation, "rgb"),
        bit_depth=_DEPTHS.get(header.format, 32),
        alpha=bool(header.hasalpha()),
        icc_profile=_profile(header),
        exif=exif_of(header),
        palette=palette(Thumb.of(thumb)),
        blurhash=blurhash(Thumb.of(lay_on(thumb, _BEHIND))),
        thumbhash=thumbhash(Thumb.of(thumb)),
        phash=phash(Thumb.of(lay_on(square, _BEHIND))),
    )


def _small(source: Source) -> pyvips.Image:
    target = _within(source.size, _SMALL)
    reduction = min(source.size.width / target.width, source.size.height / target.height)
    canvas = loaders.decode(source, loaders.shrink_for(source, reduction), animated=False)
    return canvas.first().scaled(target).frames[0].copy_memory()


def _scaled(image: pyvips.Image, target: Size) -> pyvips.Image:
    return Canvas.of((image,)).scaled(target).frames[0]


def _within(size: Size, side: int) -> Size:
    """Return a size of the same shape whose sides have ``side`` pixels at most."""
    factor = min(1.0, side / max(size.width, size.height))
    return Size(max(1, round(size.width * factor)), max(1, round(size.height * factor)))


def _profile(header: pyvips.Image) -> str | None:
    if not header.get_typeof("icc-profile-data"):
        return None
    return profile_name(bytes(header.get("icc-profile-data")))
