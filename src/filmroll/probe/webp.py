"""WebP: the RIFF chunks, of one picture or of the frames of an animation."""

from collections.abc import Iterator

from filmroll.errors import CorruptImage
from filmroll.limits import Limits
from filmroll.model import Header
from filmroll.probe.exif import orientation_in, turned
from filmroll.probe.source import Source

_ANIMATED = 0x02  # flag in VP8X
_START = b"\x9d\x01\x2a"  # of a VP8 key frame, behind its tag of three bytes
_LOSSLESS = 0x2F  # what VP8L data begin with
_PREFIX = b"Exif\0\0"  # some writers leave JPEG's there
_MOST_EXIF = 64 * 1024  # bytes; cameras write less


def read(source: Source, limits: Limits) -> Header:
    """Read a WebP."""
    size: tuple[int, int] | None = None
    animated, orientation, frames, pictures = False, 0, 0, 0
    for name, at, length in _chunks(source):
        if name == b"VP8X" and size is None:
            animated, size = _extended(source, at)
        elif name in {b"VP8 ", b"VP8L"}:
            own = _lossy(source, at) if name == b"VP8 " else _lossless(source, at)
            size, pictures = size or own, pictures + 1
        elif name == b"ANMF":
            frames += 1
            if frames > limits.max_frames:
                break
        elif name == b"EXIF" and not orientation:  # later ones are not seen by libvips
            exif = source.read(at, min(length, _MOST_EXIF))
            orientation = orientation_in(exif.removeprefix(_PREFIX))
    if size is None or not (frames if animated else pictures):
        raise CorruptImage("The WebP has no picture data.")
    width, height = turned(orientation, *size)
    frames = frames if animated else 1
    return limits.admit(Header(format="webp", width=width, height=height, frames=frames))


def _chunks(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, offset and length of what each chunk holds."""
    end = 8 + source.little(4, 4)
    source.hold(end, 0, "the WebP")
    at = 12
    while at + 8 <= end:
        name, length = source.read(at, 4), source.little(at + 4, 4)
        at += 8
        if at + length > end:
            raise CorruptImage(f"The WebP has a chunk at byte {at} that runs past its end.")
        yield name, at, length
        at += length + length % 2


def _extended(source: Source, at: int) -> tuple[bool, tuple[int, int]]:
    """Return whether there is an animation, and the size of the canvas."""
    size = source.little(at + 4, 3) + 1, source.little(at + 7, 3) + 1
    return bool(source.big(at, 1) & _ANIMATED), size


def _lossy(source: Source, at: int) -> tuple[int, int]:
    if source.read(at + 3, 3) != _START:
        raise CorruptImage("The WebP's picture does not begin with a key frame.")
    width, height = source.little(at + 6, 2) & 0x3FFF, source.little(at + 8, 2) & 0x3FFF
    if not width or not height:
        raise CorruptImage(f"The WebP states a size of {width} × {height} pixels.")
    return width, height


def _lossless(source: Source, at: int) -> tuple[int, int]:
    if source.big(at, 1) != _LOSSLESS:
        raise CorruptImage("The WebP's picture does not begin as lossless data do.")
    bits = source.little(at + 1, 4)
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
