"""``format=auto``: what a client gets at delivery, and what is made of it, now and later.

An AVIF for which nobody should wait (see ``avif``) is made by a job of the bulk lane: the best of
the other formats is served meanwhile.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from filmroll.instructions import Instructions
from filmroll.model import Image, VariantState, now
from filmroll.ports import Catalog
from filmroll.usecases.avif import When, avif_job, of_auto, when_made, without_avif
from filmroll.usecases.images import header_of
from filmroll.usecases.outbox import OVERDUE_SECONDS, Outbox

_REMEMBERED = 10_000


class Choice(NamedTuple):
    """What to serve; ``settled``: it will not be something else later on."""

    instructions: Instructions
    settled: bool


class Formats:
    """Decides on formats."""

    def __init__(self, *, catalog: Catalog, outbox: Outbox) -> None:
        self._catalog = catalog
        self._outbox = outbox
        self._asked: OrderedDict[str, None] = OrderedDict()  # jobs known to be written down

    async def choose(self, image: Image, instructions: Instructions, shown: str) -> Choice:
        """Return what a client gets that shows ``shown``, one of AUTO_FORMATS."""
        if not instructions.automatic:
            return Choice(instructions, settled=True)
        best = instructions.resolved(shown)
        when = when_made(best, header_of(image))
        if when is When.NOW:
            return Choice(best, settled=True)
        if when is When.NEVER:
            return Choice(without_avif(best), settled=True)
        kept = await self._catalog.get_variant(image.id, best.recipe())
        if kept is not None and kept.state is VariantState.READY:
            return Choice(best, settled=True)
        await self._ask_for(image, best)
        return Choice(without_avif(best), settled=False)

    async def _ask_for(self, image: Image, instructions: Instructions) -> None:
        """Have it made once, whatever happens to this process; a failure stays one."""
        job = avif_job(image.id, instructions, now() + OVERDUE_SECONDS)
        if job.id in self._asked:
            return
        if await self._catalog.get_job(job.id) is None:
            await self._catalog.add_job(job)
            self._outbox.enqueue_all([job])
        self._asked[job.id] = None
        if len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)


async def set_apart(
    catalog: Catalog, image: str, wanted: Sequence[Instructions]
) -> Collection[Instructions]:
    """Return the AVIFs that are not made along with the rest of what is wanted of an image.

    Those that are to be served have a job of their own then, which the sweeper sends.
    """
    avifs = of_auto(wanted)
    found = await catalog.get_image(image) if avifs else None
    if found is None:
        return ()
    when = {one: when_made(one, header_of(found)) for one in avifs}
    for one in avifs:
        if when[one] is When.LATER:
            await _leave(catalog, image, one)
    return [one for one in avifs if when[one] is not When.NOW]


async def _leave(catalog: Catalog, image: str, instructions: Instructions) -> None:
    """Leave an AVIF to its job, if it is not there; one that has failed is not tried again."""
    kept = await catalog.get_variant(image, instructions.recipe())
    if kept is None or kept.state is not VariantState.READY:
        await catalog.add_job(avif_job(image, instructions, due_at=now()))
