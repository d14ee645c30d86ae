"""Liveness: the proof that an image can pass through an engine."""

import asyncio
import logging

from filmroll.model import Lane, now
from filmroll.ports import Engine
from filmroll.usecases.admission import Admission

PERIOD_SECONDS = 15.0
PATIENCE_SECONDS = 60.0

log = logging.getLogger(__name__)


class Liveness:
    """Passes a small image through an engine every few seconds."""

    def __init__(self, engine: Engine, admission: Admission) -> None:
        self._engine = engine
        self._admission = admission
        self._passed_at = now()  # a service that just starts gets the benefit of the doubt

    def alive(self) -> bool:
        """Whether an image passed within the last minute."""
        return now() - self._passed_at < PATIENCE_SECONDS

    async def watch(self) -> None:
        """Keep looking, for ever."""
        while True:
            try:
                async with self._admission.slot(Lane.INTERACTIVE):
                    await self._engine.check()
                self._passed_at = now()
            except Exception:
                log.exception("no image passes through an engine")
            await asyncio.sleep(PERIOD_SECONDS)
