"""Pixels, and the role that works on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from filmroll.instructions import Instructions
from filmroll.model import Header, Info, Job, Problem, Variant


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A finished variant, in memory."""

    data: bytes
    format: str
    width: int
    height: int
    frames: int
    spent: Mapping[str, float] = field(default_factory=dict)  # seconds: decode, encode; in common


@dataclass(frozen=True, kw_only=True, slots=True)
class Fresh:
    """A variant that somebody waits for; ``spent``: seconds by step, empty if it was kept."""

    variant: Variant
    spent: Mapping[str, float] = field(default_factory=dict)


class Engine(Protocol):
    """Makes pictures out of an original, in child processes that may die without harm."""

    async def make(
        self,
        source: BinaryIO,
        wanted: Sequence[Instructions],
        overlays: Mapping[str, BinaryIO],
    ) -> Sequence[Picture | Problem]:
        """Decode ``source`` once and return one result for each of ``wanted``, in order.

        Files are read from their start by descriptor and left open. ``overlays`` holds the
        watermark images by id. A fault of one variant is a Problem in its place; a fault of the
        source raises CorruptImage, UnsupportedMedia, TooManyPixels, TooManyFrames or
        ProcessingLimit. Raises EngineCrashed when the child died of it, Overloaded at once when
        the waiting line is full, or late when the machine had no time for the job.
        """

    async def describe(self, source: BinaryIO) -> Info:
        """Decode ``source`` once, as small as will do, and return what there is to tell of it.

        Raises what a fault of the source raises in ``make``, EngineCrashed and Overloaded, too.
        """

    async def check(self) -> Mapping[str, str]:
        """Pass a small image through a child; return the formats in and out, and versions."""

    async def close(self) -> None:
        """End all children."""


class Processor(Protocol):
    """The processing role, called directly for work that someone waits for."""

    async def run_job(self, job: str) -> Job | None:
        """Run a job now, unless another does; return it as it stands then. None if unknown.

        Raises Overloaded at once when the waiting line is full.
        """

    async def make_variant(
        self, image: str, instructions: Instructions, *, again: bool = False
    ) -> Fresh:
        """Make and keep one variant, or return the one that is kept; the same for all who ask.

        ``again``: the kept one's bytes are lost or damaged; make them anew.
        Raises NotFound or Deleted for the image, Overloaded, and what the engine refuses with.
        """

    async def make_info(self, image: str) -> Info:
        """Describe an image and keep that, or return what is kept; the same for all who ask.

        Raises what ``make_variant`` raises.
        """


class Probe(Protocol):
    """Reads an image's header and walks its structure, without decoding a pixel."""

    def __call__(self, file: BinaryIO, size: int) -> Header:
        """Return what the image says of itself.

        Raises UnsupportedMedia if it is none of the formats, CorruptImage if it is cut short or
        its structure is broken, TooManyPixels and TooManyFrames over the limits.
        """


class Epochs(Protocol):
    """Tells caches in memory, in whatever process of this machine, that an image has changed."""

    def stamp(self, image: str) -> int:
        """Return the image's stamp; what was cached under an older one is stale. Very cheap."""

    def bump(self, image: str) -> None:
        """Make everything stale that any process has cached of the image."""
