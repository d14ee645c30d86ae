"""The limits that one image has to keep, checked on its header before a pixel is decoded."""

from dataclasses import dataclass

from filmroll.errors import TooManyFrames, TooManyPixels
from filmroll.model import Header


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What an original may hold at most."""

    max_pixels: int = 100_000_000  # over all frames
    max_side: int = 65_535  # px
    max_frames: int = 1_000

    def admit(self, header: Header) -> Header:
        """Return the header if it keeps the limits; raise TooManyPixels or TooManyFrames."""
        if header.frames > self.max_frames:
            raise TooManyFrames(
                f"The animation has {header.frames} frames; at most {self.max_frames} are taken.",
                limit=self.max_frames,
                actual=header.frames,
            )
        side = max(header.width, header.height)
        if side > self.max_side:
            raise TooManyPixels(
                f"A side may have at most {self.max_side} pixels; this one has {side}.",
                limit=self.max_side,
                actual=side,
            )
        pixels = header.width * header.height * header.frames
        if pixels > self.max_pixels:
            kind = TooManyFrames if header.frames > 1 else TooManyPixels
            raise kind(
                f"{header.width} × {header.height} pixels × {header.frames} frame(s) are {pixels}; "
                f"at most {self.max_pixels} are taken in all. Send a smaller one.",
                limit=self.max_pixels,
                actual=pixels,
            )
        return header
