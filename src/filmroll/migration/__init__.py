"""Migration: URLs of thumbor and of imgproxy, read as instructions of Filmroll.

Pure values: what a URL asks for, which image it names, whether its signature is right. Nothing
here fetches or delivers.
"""

from typing import Protocol

from filmroll.instructions import Instructions
from filmroll.migration import thumbor
from filmroll.migration.imgproxy import Imgproxy, parse_presets
from filmroll.migration.plan import Mark, Overlay
from filmroll.migration.signatures import ImgproxyKeys, imgproxy_keys, verify_thumbor
from filmroll.migration.sources import Source, Sources
from filmroll.model import Header

__all__ = [
    "Foreign",
    "Imgproxy",
    "ImgproxyKeys",
    "Overlay",
    "Source",
    "Sources",
    "imgproxy_keys",
    "parse_presets",
    "thumbor",
    "verify_thumbor",
]


class Foreign(Protocol):
    """What a URL of another server's asks for."""

    @property
    def source(self) -> str:
        """The image, as the URL names it."""

    @property
    def expires(self) -> int | None:
        """When the URL's time is over, in seconds since the epoch."""

    @property
    def attachment(self) -> str | None:
        """Under which name to save the picture; None to show it."""

    @property
    def lasting(self) -> bool:
        """Whether the URL means the same under whatever settings."""

    @property
    def perhaps_whole(self) -> bool:
        """Whether it may ask for the source as it is."""

    def instructions(self, header: Header | None, mark: Mark) -> Instructions | None:
        """Return what to do with the source; None for the source as it is.

        Without a header, what depends on the source is refused. Raises Untranslatable,
        UnknownSource for a watermark, TooManyPixels.
        """
