"""Client hints: what a browser says of its screen and its line, where instructions leave it open.

There are few classes, each at least what was asked for: few variants are made and kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from filmroll.errors import FilmrollError
from filmroll.instructions import (
    Adjust,
    Flip,
    Grayscale,
    Instructions,
    Operation,
    Output,
    Resize,
    parse_canonical,
)
from filmroll.model import Image
from filmroll.usecases.images import header_of
from filmroll.usecases.resolve import require_possible

RATIOS = (1, 1.5, 2, 3)
WIDTHS = (160, 320, 480, 640, 800, 960, 1280, 1600, 1920, 2560, 3840)  # px
FRUGAL = {"jpeg": 60, "webp": 55, "avif": 45}  # quality, for who wants to save data

# What may follow a resize that makes more pixels, and mean the same.
_WITHOUT_SIZE = (Adjust, Flip, Grayscale)


class Hint(StrEnum):
    """What can be heeded."""

    RATIO = "dpr"
    WIDTH = "width"
    FRUGAL = "save-data"


@dataclass(frozen=True, slots=True)
class Hints:
    """What a client has said, by its class."""

    ratio: float = 1  # pixels of the screen for one of the page
    width: int | None = None  # of the place for the picture, px of the screen
    frugal: bool = False


def open_to(instructions: Instructions) -> frozenset[Hint]:
    """Return the hints on which it depends what these instructions come to."""
    heeded: set[Hint] = set()
    if _ratio_open(instructions.steps):
        heeded |= {Hint.RATIO, Hint.FRUGAL}
    if not any(isinstance(step, Resize) for step in instructions.steps):
        heeded.add(Hint.WIDTH)
    if _quality_open(instructions.output):
        heeded.add(Hint.FRUGAL)
    return frozenset(heeded)


def hinted(instructions: Instructions, hints: Hints, image: Image) -> Instructions:
    """Return what the instructions come to; they stay as they are where that is impossible."""
    heeded = open_to(instructions)
    steps = instructions.steps
    if Hint.RATIO in heeded and not hints.frugal:
        steps = tuple(_denser(step, hints.ratio) for step in steps)
    if Hint.WIDTH in heeded and hints.width is not None:
        steps = (*steps, Resize(width=hints.width))
    output = instructions.output
    if hints.frugal and _quality_open(output):
        kind = image.format if output.format == "same" else output.format
        output = replace(output, quality=FRUGAL.get(kind))
    changed = (*steps, output) if output != Output() else steps
    if not changed or changed == instructions.operations:
        return instructions
    try:
        # Read anew, they keep all the rules for what a client may write.
        result = parse_canonical(Instructions(changed).canonical())
        require_possible([result], header_of(image))
    except FilmrollError:
        return instructions
    return result


def _ratio_open(steps: Sequence[Operation]) -> bool:
    """Whether there is one resize, of which no ratio is said, and nothing in px behind it."""
    resizes = [at for at, step in enumerate(steps) if isinstance(step, Resize)]
    if len(resizes) != 1:
        return False
    resize, *behind = steps[resizes[0] :]
    plain = isinstance(resize, Resize) and resize.dpr == 1
    return plain and all(isinstance(step, _WITHOUT_SIZE) for step in behind)


def _quality_open(output: Output) -> bool:
    """Whether a lower quality may be chosen: neither that nor the size in bytes is given."""
    known = output.format == "same" or output.format in FRUGAL
    return known and output.quality is None and not output.lossless and output.max_bytes is None


def _denser(step: Operation, ratio: float) -> Operation:
    return replace(step, dpr=ratio) if isinstance(step, Resize) else step
