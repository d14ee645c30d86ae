"""Liveness: the proof that images pass through the engines."""

import asyncio
import logging
import time

from filmroll.ports import Engine

PERIOD_SECONDS = 15.0
PATIENCE_SECONDS = 60.0

log = logging.getLogger(__name__)


class Liveness:
    """Knows when an image passed last; where none has for a while, it sends a small one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._passed_at = time.monotonic()  # who just starts gets the benefit of the doubt

    def note(self) -> None:
        """Note that an image has just passed."""
        self._passed_at = time.monotonic()

    def alive(self) -> bool:
        """Whether an image passed within the last minute."""
        return self._age() < PATIENCE_SECONDS

    async def watch(self) -> None:
        """Keep looking, for ever."""
        while True:
            if self._age() >= PERIOD_SECONDS:
                await self._check()
            await asyncio.sleep(PERIOD_SECONDS)

    def _age(self) -> float:
        return time.monotonic() - self._passed_at

    async def _check(self) -> None:
        try:
            # Not behind those who wait for a slot: it gets the next engine that is free.
            await self._engine.check()
            self.note()
        except Exception:
            log.exception("no image passes through an engine")
