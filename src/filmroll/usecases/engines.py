"""The engines of all lanes, each behind the admission to it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from filmroll.instructions import Instructions
from filmroll.model import Lane, Problem
from filmroll.ports import Engine, Picture
from filmroll.usecases.admission import Admission
from filmroll.usecases.liveness import Liveness
from filmroll.usecases.spreading import spread

# At most so many engines work on one original. With the second the largest variant is parted from
# the others, which are decoded the faster for it; a third would mostly decode.
_SHARING = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Engines:
    """Gives out an engine for one original at a time."""

    engines: Mapping[Lane, Engine]
    admission: Admission
    liveness: Liveness

    @asynccontextmanager
    async def engine(self, lane: Lane, source: BinaryIO) -> AsyncIterator[Engine]:
        """Wait until an original may be worked on; what people wait for then proves life."""
        async with self.admission.slots(lane, source):
            yield self.engines[lane]
        self._prove_life(lane)

    async def make(
        self,
        lane: Lane,
        source: BinaryIO,
        wanted: Sequence[Instructions],
        overlays: Mapping[str, BinaryIO],
    ) -> Mapping[Instructions, Picture | Problem]:
        """Have variants made as ``ports.Engine`` does, where people wait by idle engines, too.

        Bulk work is not shared: there is more to do than engines, and one decode costs least.
        Nothing is under way any more when a fault is raised.
        """
        most = _SHARING if lane is Lane.INTERACTIVE else 1
        async with self.admission.slots(lane, source, min(most, len(wanted))) as engines:
            parts = spread(wanted, engines)
            making = (self.engines[lane].make(source, part, overlays) for part in parts)
            made = await asyncio.gather(*making, return_exceptions=True)
        results: dict[Instructions, Picture | Problem] = {}
        for part, pictures in zip(parts, made, strict=True):
            if isinstance(pictures, BaseException):
                raise pictures
            results |= zip(part, pictures, strict=True)
        self._prove_life(lane)
        return results

    def _prove_life(self, lane: Lane) -> None:
        if lane is Lane.INTERACTIVE:
            self.liveness.note()
