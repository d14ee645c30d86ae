"""``format=auto`` at delivery: what a client gets, now and later.

AVIF takes ten times as long as anything else. Where someone waits, it is made up to AVIF_PIXELS
only: above, the best of the other formats is served meanwhile, and a job of the bulk lane makes
what is served from then on.
"""

from collections import OrderedDict
from typing import NamedTuple

from filmroll.geometry import Size, size_after
from filmroll.instructions import AUTO, Instructions, Output
from filmroll.model import Image, Lane, VariantState, derived_id
from filmroll.ports import Catalog
from filmroll.usecases.jobs import Jobs
from filmroll.usecases.outbox import Outbox

# About a second of one core for the roughest photographs at the encoder's usual effort.
AVIF_PIXELS = 1_500_000
# About 20 seconds, of the 30 that an engine has for a picture: more would be tried in vain.
_MOST_AVIF_PIXELS = 20 * AVIF_PIXELS
_USUAL_EFFORT = 3
_SEARCH = 5  # encodings, at most, that a search for the right quality adds
_WITHOUT_AVIF = {"auto-avif-webp": "auto-webp", "auto-avif": "auto-basic"}
_ANIMATED = frozenset({"gif", "webp"})
_REMEMBERED = 10_000


class Choice(NamedTuple):
    """What to serve; ``settled``: it will not be something else later on."""

    instructions: Instructions
    settled: bool


class Formats:
    """Decides on formats."""

    def __init__(self, *, catalog: Catalog, jobs: Jobs, outbox: Outbox) -> None:
        self._catalog = catalog
        self._jobs = jobs
        self._outbox = outbox
        self._asked: OrderedDict[str, None] = OrderedDict()  # jobs known to be written down

    async def choose(self, image: Image, instructions: Instructions, shown: str) -> Choice:
        """Return what a client gets that shows ``shown``, one of AUTO_FORMATS."""
        if not instructions.automatic:
            return Choice(instructions, settled=True)
        meanwhile = instructions.resolved(_WITHOUT_AVIF.get(shown, shown))
        if not _may_be_avif(image, instructions.output):
            return Choice(meanwhile, settled=True)
        best = instructions.resolved(shown)
        effort = _effort(image, instructions)
        if best == meanwhile or effort <= AVIF_PIXELS:
            return Choice(best, settled=True)
        if effort > _MOST_AVIF_PIXELS:
            return Choice(meanwhile, settled=True)
        kept = await self._catalog.get_variant(image.id, best.recipe())
        if kept is not None and kept.state is VariantState.READY:
            return Choice(best, settled=True)
        await self._ask_for(image, best)
        return Choice(meanwhile, settled=False)

    async def _ask_for(self, image: Image, instructions: Instructions) -> None:
        """Have it made once, whatever happens to this process; a failure stays one."""
        job_id = derived_id("avif", image.id, instructions.recipe())
        if job_id in self._asked:
            return
        if await self._catalog.get_job(job_id) is None:
            job = await self._jobs.add(image, [instructions], job_id, lane=Lane.BULK)
            self._outbox.enqueue_all([job])
        self._asked[job_id] = None
        if len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)


def _may_be_avif(image: Image, output: Output) -> bool:
    """Whether AVIF is tried at all: it has no animations, and is no match for lossless WebP."""
    return not output.lossless and (image.frames == 1 or image.format not in _ANIMATED)


def _effort(image: Image, instructions: Instructions) -> int:
    """Return how many pixels' worth of work the AVIF is."""
    size = size_after(instructions, Size(image.width, image.height))
    asked = instructions.output
    searches = (asked.quality == AUTO) + (asked.max_bytes is not None)
    more = max(0, (asked.effort or 0) - _USUAL_EFFORT)
    return size.width * size.height * (1 + _SEARCH * searches) << more
