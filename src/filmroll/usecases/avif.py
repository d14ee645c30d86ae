"""AVIF, which takes ten times as long as anything else: when it is made for ``format=auto``.

Up to AVIF_PIXELS at once, with everything else. Above, by a job of its own in the bulk lane, so
that neither someone who waits nor the other variants of an upload wait for it. Where an engine
would not have the time, or the format is no gain, never. Who names AVIF means it: that is made
like any other format.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto

from filmroll.geometry import Size, size_after
from filmroll.instructions import AUTO, Instructions, Output, recipe_of
from filmroll.model import Header, Job, Lane, derived_id, now

# About a second of one core for the roughest photographs at the encoder's usual effort.
AVIF_PIXELS = 1_500_000
# About 20 seconds, of the 30 that an engine has for a picture: more would be tried in vain.
_MOST_AVIF_PIXELS = 20 * AVIF_PIXELS
_USUAL_EFFORT = 3
_SEARCH = 5  # encodings, at most, that a search for the right quality adds
_WITHOUT_AVIF = {"auto-avif-webp": "auto-webp", "auto-avif": "auto-basic"}
_ANIMATED = frozenset({"gif", "webp"})


class When(Enum):
    """When a format is made."""

    NOW = auto()
    LATER = auto()
    NEVER = auto()


def when_made(instructions: Instructions, header: Header) -> When:
    """Return when what ``format=auto`` has come to is made of a picture."""
    if instructions.output.format not in _WITHOUT_AVIF:
        return When.NOW
    effort = _effort(instructions, header)
    if not _may_be_avif(instructions.output, header) or effort > _MOST_AVIF_PIXELS:
        return When.NEVER
    return When.NOW if effort <= AVIF_PIXELS else When.LATER


def without_avif(instructions: Instructions) -> Instructions:
    """Return what is served in the place of an AVIF, to those who show the same formats else."""
    output = instructions.output
    plain = _WITHOUT_AVIF.get(output.format, output.format)
    return instructions.written(replace(output, format=plain))


def of_auto(wanted: Sequence[Instructions]) -> Sequence[Instructions]:
    """Return the AVIFs that stand beside what can be served in their place.

    So it is where ``format=auto`` was asked for; an AVIF that stands alone was named.
    """
    avifs = [one for one in wanted if one.output.format in _WITHOUT_AVIF]
    return [one for one in avifs if without_avif(one) in wanted]


def useful(wanted: Sequence[Instructions], header: Header) -> tuple[Instructions, ...]:
    """Leave out what is never served of this picture."""
    vain = {one for one in of_auto(wanted) if when_made(one, header) is When.NEVER}
    return tuple(one for one in wanted if one not in vain)


def avif_job(image: str, instructions: Instructions, due_at: float) -> Job:
    """Return the job that makes an AVIF later; however many ask for it, it has one id."""
    return Job(
        id=_job_id(image, instructions.canonical()),
        image=image,
        instructions=(instructions.canonical(),),
        lane=Lane.BULK,
        created_at=now(),
        due_at=due_at,
    )


def is_avif_job(job: Job) -> bool:
    """Whether this is such a job: no client knows of it."""
    return len(job.instructions) == 1 and job.id == _job_id(job.image, *job.instructions)


def _job_id(image: str, text: str) -> str:
    return derived_id("avif", image, recipe_of(text))


def _may_be_avif(output: Output, header: Header) -> bool:
    """Whether AVIF is tried at all: it has no animations, and is no match for lossless WebP."""
    return not output.lossless and (header.frames == 1 or header.format not in _ANIMATED)


def _effort(instructions: Instructions, header: Header) -> int:
    """Return how many pixels' worth of work the AVIF is."""
    size = size_after(instructions, Size(header.width, header.height))
    asked = instructions.output
    searches = (asked.quality == AUTO) + (asked.max_bytes is not None)
    more = max(0, (asked.effort or 0) - _USUAL_EFFORT)
    return size.width * size.height * (1 + _SEARCH * searches) << more
