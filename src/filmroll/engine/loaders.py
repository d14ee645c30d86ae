"""Opening a source: which loaders may run, what its header says, and the one decode.

A TIFF may hold many pages and an AVIF many images; neither is an animation. Variants are made of
page 1 and of the primary image; ``Header.frames`` says how many there are.
"""

import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pyvips

from filmroll.engine import plain
from filmroll.engine.canvas import Canvas
from filmroll.engine.color import to_srgb, without_idle_alpha
from filmroll.engine.faults import too_much_memory
from filmroll.errors import CorruptImage, FilmrollError, UnsupportedMedia
from filmroll.geometry import Box, Size
from filmroll.limits import Limits
from filmroll.model import Header

ANIMATED = frozenset({"gif", "webp"})

_LOADERS: Mapping[str, str] = {
    "jpegload_source": "jpeg",
    "pngload_source": "png",
    "webpload_source": "webp",
    "gifload_source": "gif",
    "heifload_source": "avif",
    "tiffload_source": "tiff",
}
_CLASSES = ("Jpeg", "Png", "Webp", "Nsgif", "Heif", "Tiff")
_UNKNOWN = "not in a known format"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # libvips does not know one that lost its end
# How much of a reduction is left to Lanczos at least: with less, the decoder's own averaging would
# show. JPEG (47 dB at this factor) shrinks by some numbers only, WebP (48 dB) by any.
_JPEG_SHRINKS = (8, 4, 2)
_LEFT_BY_JPEG, _LEFT_BY_WEBP = 1.5, 1.25
_TURNED = 5  # EXIF orientations from here on swap width and height


@dataclass(frozen=True, slots=True)
class Source:
    """An opened original, of which only the header was read."""

    data: mmap.mmap | bytes
    header: Header
    stored: Size  # before the EXIF orientation
    orientation: int
    primary: int  # the image that an AVIF means to be shown
    alpha: bool

    @property
    def size(self) -> Size:
        """Width and height as a viewer sees them."""
        return Size(self.header.width, self.header.height)


def restrict() -> None:
    """Leave only the loaders of the formats we take; keep nothing between pictures.

    libvips chooses its loader by the bytes, so no check of names or types does this job.
    """
    pyvips.cache_set_max(0)
    pyvips.operation_block_set("VipsForeignLoad", True)  # noqa: FBT003 -- libvips' signature
    for name in _CLASSES:
        pyvips.operation_block_set(f"VipsForeignLoad{name}", False)  # noqa: FBT003 -- as above


def open_source(data: mmap.mmap | bytes, limits: Limits) -> Source:
    """Read the header and hold it against the limits; no pixel is decoded.

    Raises UnsupportedMedia, CorruptImage, TooManyPixels or TooManyFrames.
    """
    with _damage_named(data):
        image = _opened(data, access="sequential")
        kind = _LOADERS[image.get("vips-loader")]
        primary = image.get("heif-primary") if kind == "avif" else 0
        if primary:
            image = _opened(data, access="sequential", page=primary)
    if kind == "avif" and image.get("heif-compression") != "av1":
        raise _heic()
    orientation = image.get("orientation") if image.get_typeof("orientation") else 1
    stored = Size(image.width, image.height)
    width, height = stored.width, stored.height
    if orientation >= _TURNED:
        width, height = height, width
    frames = image.get("n-pages") if image.get_typeof("n-pages") else 1
    header = Header(format=kind, width=width, height=height, frames=frames)
    limits.admit(header if kind in ANIMATED else replace(header, frames=1))
    return Source(data, header, stored, orientation, primary, alpha=bool(image.hasalpha()))


def header_of(source: Source) -> pyvips.Image:
    """Return the picture that is meant to be shown, undecoded and as it is stored."""
    with _damage_named(source.data):
        return _load(source, 1, animated=False)


def shrink_for(source: Source, reduction: float) -> float:
    """Return by how much the decoder itself should shrink when ``reduction`` is asked for."""
    match source.header.format:
        case "jpeg":
            fits = (n for n in _JPEG_SHRINKS if reduction / n >= _LEFT_BY_JPEG and _fits(source, n))
            return float(next(fits, 1))
        case "webp" if not source.alpha:  # it would mix what is transparent into what is not
            return max(1.0, reduction / _LEFT_BY_WEBP)
        case _:
            return 1.0


def decode(source: Source, shrink: float, *, animated: bool) -> Canvas:
    """Decode into memory: upright, 8-bit sRGB, all frames or the first.

    In memory, because several variants read it, and because a damaged source then shows here
    and not in the middle of a variant. Raises CorruptImage, UnsupportedMedia, ProcessingLimit.
    """
    with _damage_named(source.data):
        image = without_idle_alpha(to_srgb(_load(source, shrink, animated=animated)).copy_memory())
        return _canvas(tuple(_upright(frame, source) for frame in _frames(image)), source, shrink)


def stream(source: Source, shrink: float) -> Canvas:
    """Return the first frame undecoded: whoever reads it, once and from top to bottom, decodes.

    A tenth faster than ``decode``. Only for sources that stand upright.
    """
    with _damage_named(source.data):
        return _canvas((to_srgb(_load(source, shrink, animated=False)),), source, shrink)


def _canvas(frames: tuple[pyvips.Image, ...], source: Source, shrink: float) -> Canvas:
    box = Box(0, 0, source.size.width, source.size.height)
    if source.header.format == "jpeg":  # cuts off what is left at the edges, stretches nothing
        return Canvas(frames, box, (shrink, shrink))
    return Canvas(frames, box, (box.width / frames[0].width, box.height / frames[0].height))


def _load(source: Source, shrink: float, *, animated: bool) -> pyvips.Image:
    options: dict[str, object] = {"access": "sequential", "fail_on": "truncated"}
    if shrink > 1 and source.header.format == "jpeg":
        options["shrink"] = int(shrink)
    elif shrink > 1:
        options["scale"] = 1 / shrink
    if animated:
        options["n"] = -1
    elif source.primary:
        options["page"] = source.primary
    return _opened(source.data, **options)


def _opened(data: mmap.mmap | bytes, **options: object) -> pyvips.Image:
    return pyvips.Image.new_from_source(pyvips.Source.new_from_memory(data), "", **options)


def _frames(image: pyvips.Image) -> list[pyvips.Image]:
    """Cut the strip that libvips makes of an animation into its frames."""
    height = image.get_page_height()
    if height == image.height:
        return [image]
    strip = image.copy()
    strip.remove("page-height")
    return [strip.crop(0, y, strip.width, height) for y in range(0, strip.height, height)]


def _upright(frame: pyvips.Image, source: Source) -> pyvips.Image:
    return frame if source.orientation == 1 else frame.autorot().copy_memory()


def _fits(source: Source, shrink: int) -> bool:
    """Whether a turned JPEG stays where it is: the rest cut off at an edge must be none."""
    if source.orientation == 1:
        return True
    return source.stored.width % shrink == 0 and source.stored.height % shrink == 0


@contextmanager
def _damage_named(data: mmap.mmap | bytes) -> Iterator[None]:
    """Say in our own terms what libvips found wrong with a source."""
    try:
        yield
    except pyvips.Error as error:
        raise _refusal(data, error) from error


def _refusal(data: mmap.mmap | bytes, error: pyvips.Error) -> FilmrollError:
    if plain.memory_ran_out(error):
        return too_much_memory()
    if data[4:8] == b"ftyp" and b"avif" not in data[8:64]:
        return _heic()
    if _UNKNOWN in str(error.detail) and data[:4] not in _TIFF:
        return UnsupportedMedia("The bytes are not JPEG, PNG, WebP, GIF, AVIF or TIFF.")
    return CorruptImage(f"The image is damaged: {plain.words(error)}.")


def _heic() -> UnsupportedMedia:
    return UnsupportedMedia(
        "This is HEIC or another relative of AVIF whose codec is not AV1. Send AVIF or JPEG."
    )
