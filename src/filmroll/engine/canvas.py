"""The picture on its way through the steps: its frames, and what is seen of them.

A decoder that shrinks leaves fewer pixels than the instructions speak of. The canvas keeps
both: ``box`` counts the picture's own pixels, ``grain`` says how many of them one stored pixel
stands for. Crops only narrow the box; the resize that follows takes exactly that part, to a
fraction of a pixel, so a shrunk decode ends where a full one would.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import pyvips

from filmroll.engine.color import on_visible
from filmroll.geometry import Box, Size

# A result displaced by less, in px, is left so. In small pictures the eye, and the decibels, are
# stricter, and to shift them costs little; in large ones it would cost a tenth of all the time.
_SEEN, _SEEN_IN_SMALL = 0.13, 0.06
_SMALL = 256 * 256  # px


@dataclass(frozen=True, slots=True)
class Canvas:
    """Frames of equal size, 8-bit sRGB with or without alpha; a still picture has one."""

    frames: tuple[pyvips.Image, ...]
    box: Box
    grain: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def of(cls, frames: tuple[pyvips.Image, ...]) -> "Canvas":
        """Return a canvas that shows all of ``frames``."""
        return cls(frames, Box(0, 0, frames[0].width, frames[0].height))

    @property
    def size(self) -> Size:
        """What is seen, in pixels of the picture."""
        return Size(self.box.width, self.box.height)

    def first(self) -> "Canvas":
        """Return the first frame alone."""
        return replace(self, frames=self.frames[:1])

    def narrowed(self, part: Box) -> "Canvas":
        """Return a canvas that shows a part of what is seen now."""
        moved = Box(self.box.x + part.x, self.box.y + part.y, part.width, part.height)
        return replace(self, box=moved)

    def pixels(self) -> tuple[pyvips.Image, ...]:
        """Return what is seen, frame by frame. Only for a picture that was decoded in full."""
        assert self.grain == (1.0, 1.0)
        box = self.box
        if (box.width, box.height) == (self.frames[0].width, self.frames[0].height):
            return self.frames
        return tuple(frame.crop(box.x, box.y, box.width, box.height) for frame in self.frames)

    def map(self, step: Callable[[pyvips.Image], pyvips.Image]) -> "Canvas":
        """Return the canvas with ``step`` done to what is seen of every frame."""
        return Canvas.of(tuple(self._settled(step(frame)) for frame in self.pixels()))

    def scaled(self, target: Size) -> "Canvas":
        """Return what is seen, scaled to ``target`` pixels."""
        if target == self.size and self.grain == (1.0, 1.0):
            return self
        seen = _SEEN if target.width * target.height > _SMALL else _SEEN_IN_SMALL
        columns = _reach(self.box.x, self.box.width, self.grain[0], target.width, seen)
        rows = _reach(self.box.y, self.box.height, self.grain[1], target.height, seen)
        scaled = (self._settled(_scale(frame, columns, rows)) for frame in self.frames)
        return Canvas.of(tuple(scaled))

    def in_memory(self) -> "Canvas":
        """Return what is seen, worked out: whoever reads it twice does not have it made twice."""
        return Canvas.of(tuple(frame.copy_memory() for frame in self.pixels()))

    def _settled(self, frame: pyvips.Image) -> pyvips.Image:
        """Work out a frame of an animation at once.

        Unfinished, each of the many would keep the buffers of all its steps until the last is
        written; one picture is better never held as a whole.
        """
        return frame if len(self.frames) == 1 else frame.copy_memory()


@dataclass(frozen=True, slots=True)
class _Reach:
    """Along one side: which stored pixels to scale, by how much, and how far they are off."""

    start: int
    length: int
    factor: float
    off: float  # stored pixels by which to shift back, below 1


def _reach(start: int, length: int, grain: float, target: int, seen: float) -> _Reach:
    """Find the whole pixels whose scaling shows ``length`` from ``start`` best.

    libvips lays the middle of the result on the middle of its source, so what a whole number of
    pixels adds at one end it also adds at the other.
    """
    first, span = start / grain, length / grain
    count = max(1, math.ceil(span - 0.5))
    begin = max(0, round(first - (count - span) / 2))
    off = begin + (count - span) / 2 - first
    return _Reach(begin, count, target / span, off if abs(off) * target / span > seen else 0.0)


def _scale(image: pyvips.Image, columns: _Reach, rows: _Reach) -> pyvips.Image:
    part = _part(image, columns, rows)
    return on_visible(part, lambda seen: _resampled(seen, columns, rows))


def _part(image: pyvips.Image, columns: _Reach, rows: _Reach) -> pyvips.Image:
    right, bottom = columns.start + columns.length, rows.start + rows.length
    if right > image.width or bottom > image.height:  # what a decoder cut off: part of a pixel
        image = image.embed(0, 0, max(right, image.width), max(bottom, image.height), extend="copy")
    if (columns.length, rows.length) == (image.width, image.height):
        return image
    return image.crop(columns.start, rows.start, columns.length, rows.length)


def _resampled(image: pyvips.Image, columns: _Reach, rows: _Reach) -> pyvips.Image:
    if columns.off:
        image = _shifted(image, -columns.off, down=False)
    if rows.off:
        image = _shifted(image, -rows.off, down=True)
    return image.resize(columns.factor, vscale=rows.factor)


def _shifted(image: pyvips.Image, by: float, *, down: bool) -> pyvips.Image:
    """Read the picture ``by`` of a pixel (under 1) further right or down, by a cubic."""
    whole, t = math.floor(by), by - math.floor(by)
    taps = [
        (-t + 2 * t**2 - t**3) / 2,
        (2 - 5 * t**2 + 3 * t**3) / 2,
        (t + 4 * t**2 - 3 * t**3) / 2,
        (t**3 - t**2) / 2,
    ]
    weights = [round(64 * tap) for tap in taps]
    weights[1] += 64 - sum(weights)
    row = [0.0] * 7
    row[2 + whole : 6 + whole] = weights  # the middle of the 7 is the pixel itself
    mask = pyvips.Image.new_from_list([[tap] for tap in row] if down else [row], scale=64)
    return image.conv(mask, precision="integer" if image.format == "uchar" else "float")
