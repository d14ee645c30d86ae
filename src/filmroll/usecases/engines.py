"""The engines of all lanes, each behind the admission to it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from filmroll.model import Lane
from filmroll.ports import Engine
from filmroll.usecases.admission import Admission
from filmroll.usecases.liveness import Liveness


@dataclass(frozen=True, kw_only=True, slots=True)
class Engines:
    """Gives out an engine for one original at a time."""

    engines: Mapping[Lane, Engine]
    admission: Admission
    liveness: Liveness

    def spare(self, lane: Lane) -> int:
        """Return how many engines may share the work on one original: half of the idle ones.

        The others are for whoever comes next. Bulk work needs none: there is more to do than
        engines, and a picture that is decoded once costs least.
        """
        return (self.admission.idle(lane) + 1) // 2 if lane is Lane.INTERACTIVE else 1

    @asynccontextmanager
    async def engine(self, lane: Lane, source: BinaryIO) -> AsyncIterator[Engine]:
        """Wait until an original may be worked on; what people wait for then proves life."""
        async with self.admission.slot(lane, source):
            yield self.engines[lane]
        if lane is Lane.INTERACTIVE:
            self.liveness.note()
