"""GIF: the blocks from the screen to the trailer, one frame per image block."""

from collections.abc import Iterator

from filmroll.errors import CorruptImage
from filmroll.limits import Limits
from filmroll.model import Header
from filmroll.probe.source import Source

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_HAS_COLORS, _COLORS = 0x80, 0x07  # flags: a table of colours follows, of 2 ** (n + 1)

# Screens of old monitors that careless programs wrote instead of the picture's size. libvips goes
# by the first frame then, and so it does with screens over 2,048 pixels; a probe that differed
# would promise sizes that the engine does not deliver.
_MONITORS = {(640, 480), (640, 512), (800, 600), (1024, 768), (1280, 1024), (1600, 1200)}
_LARGEST_SCREEN = 2048


def read(source: Source, limits: Limits) -> Header:
    """Read a GIF."""
    size: tuple[int, int] | None = None
    frames = 0
    for at in _images(source):
        size = size or _size(source, at)
        frames += 1
        if frames > limits.max_frames:
            break
    if size is None:
        raise CorruptImage("The GIF has no frame.")
    return limits.admit(Header(format="gif", width=size[0], height=size[1], frames=frames))


def _images(source: Source) -> Iterator[int]:
    """Yield where the description of each image lies, once its data were seen to be whole.

    The trailer may be missing, as it is in many old files, but no block may be cut.
    """
    at = 13 + _color_bytes(source.big(10, 1))
    while at < source.size and (block := source.big(at, 1)) != _TRAILER:
        at += 1
        if block == _EXTENSION:
            at = _behind_blocks(source, at + 1)
        elif block == _IMAGE:
            colors = _color_bytes(source.big(at + 8, 1))
            behind = _behind_blocks(source, at + 9 + colors + 1)
            yield at
            at = behind
        elif block:
            raise CorruptImage(f"The GIF has no block at byte {at - 1}, where one should be.")
        else:  # zeros between blocks are common and harmless
            at = source.skip(at, b"\0")


def _behind_blocks(source: Source, at: int) -> int:
    """Return the offset behind a row of data blocks."""
    while length := source.big(at, 1):
        at += 1 + length
    return at + 1


def _color_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & _COLORS) + 1) if flags & _HAS_COLORS else 0


def _size(source: Source, at: int) -> tuple[int, int]:
    """Return the size of the screen, or of the first frame (at ``at``) if that is larger."""
    screen = source.little(6, 2), source.little(8, 2)
    if screen in _MONITORS or 0 in screen or max(screen) > _LARGEST_SCREEN:
        screen = 1, 1
    x, y, width, height = (source.little(at + place, 2) for place in (0, 2, 4, 6))
    return max(screen[0], x + width), max(screen[1], y + height)
