"""The probe: what format an upload is, how large, how many frames, and whether it is whole.

Pure Python on purpose: it runs in the API process, on bytes from strangers, where a decoder written
in C has no business. No pixel is decoded. One module per format; the first bytes decide which.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from filmroll.errors import EmptyBody, UnsupportedMedia
from filmroll.limits import Limits
from filmroll.model import Header
from filmroll.probe import avif, gif, jpeg, png, tiff, webp
from filmroll.probe.lookalikes import instead_of, looks_like
from filmroll.probe.source import Source

__all__ = ["HeaderProbe"]

_HEAD = 1024  # bytes; enough to tell what a file is, SVG with comments included

_READERS: tuple[tuple[re.Pattern[bytes], Callable[[Source, Limits], Header]], ...] = tuple(
    (re.compile(magic, re.DOTALL), read)
    for magic, read in (
        (rb"\xff\xd8\xff", jpeg.read),
        (rb"\x89PNG\r\n\x1a\n", png.read),
        (rb"RIFF.{4}WEBP", webp.read),
        (rb"GIF8[79]a", gif.read),
        # Some writers name AVIF only among the brands that their file is compatible with.
        (rb".{4}ftyp(avi[fs]|(mif1|msf1|miaf).{4}(.{4}){0,8}?avi[fs])", avif.read),
        (rb"II[*+]\0(?!.{4}CR)|MM\0[*+]", tiff.read),  # CR: Canon's raw files
    )
)


@dataclass(frozen=True, slots=True)
class HeaderProbe:
    """Reads headers under limits; see ``ports.Probe``. One serves all threads."""

    limits: Limits

    def __call__(self, file: BinaryIO, size: int) -> Header:
        """Return what the image of ``size`` bytes in a seekable file says of itself.

        Raises EmptyBody, UnsupportedMedia, CorruptImage, TooManyPixels or TooManyFrames.
        """
        if not size:
            raise EmptyBody("There are no bytes in this upload.")
        source = Source(file, size)
        head = source.read(0, min(size, _HEAD))
        for magic, read in _READERS:
            if magic.match(head):
                return read(source, self.limits)
        raise _unsupported(head)


def _unsupported(head: bytes) -> UnsupportedMedia:
    detail = "These bytes are not JPEG, PNG, WebP, GIF, AVIF or TIFF"
    found = looks_like(head)
    if found is None:
        return UnsupportedMedia(f"{detail}.")
    advice = instead_of(found)
    looks = f"{detail}; they look like {found}."
    return UnsupportedMedia(f"{looks} {advice}." if advice else looks)
