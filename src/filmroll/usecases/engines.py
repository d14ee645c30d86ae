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

    @asynccontextmanager
    async def engine(self, lane: Lane, source: BinaryIO) -> AsyncIterator[Engine]:
        """Wait until an original may be worked on; what people wait for then proves life."""
        async with self.admission.slot(lane, source):
            yield self.engines[lane]
        if lane is Lane.INTERACTIVE:
            self.liveness.note()
