"""A place for one child: starts it when there is work, and puts a fresh one where it failed."""

import asyncio
from collections.abc import Sequence
from typing import Any

from filmroll.engine.faults import too_busy, too_slow
from filmroll.engine.process import Bounds, ChildProcess
from filmroll.engine.wire import Hangup
from filmroll.errors import InternalError, Overloaded

_START = 30.0  # seconds that a loaded machine may need to start Python
# A job that got so much of its CPU time by the end of its wall time took too long itself; what got
# less was kept from working by others.
_USED = 0.9


class Supervisor:
    """Keeps a child for one job at a time; a job's end, good or bad, leaves the place usable."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._child: ChildProcess | None = None
        self._closed = False
        self._ends: set[asyncio.Task[None]] = set()
        self.uses = 0  # jobs that were begun

    @property
    def pid(self) -> int | None:
        """Process id of the living child."""
        return self._child.pid if self._child else None

    async def start(self) -> ChildProcess:
        """Return a child that is ready. Raises InternalError if none can be started."""
        self._refuse_if_closed()
        if self._child is not None and self._child.alive:
            return self._child
        self.retire()  # one that died idle: no job has to answer for it
        child = self._child = ChildProcess(self._bounds)
        try:
            async with asyncio.timeout(_START):
                await child.ready()
        except (Hangup, TimeoutError):
            self._refuse_if_closed()
            self._child = None
            raise InternalError("The engine does not start.") from await child.autopsy()
        except BaseException:
            self.retire()
            raise
        return child

    async def run(
        self, request: dict[str, Any], descriptors: Sequence[int]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Have the child do a job.

        Raises ProcessingLimit if it took too much, EngineCrashed if the child died of it,
        InternalError if there is none, Overloaded if the engine is closed meanwhile or the machine
        has no time for it. Whoever is cancelled takes the child along: nobody wants its work any
        more.
        """
        self.uses += 1
        child = await self.start()
        before, wall = child.cpu_seconds(), self._bounds.seconds * self._bounds.stretch
        try:
            async with asyncio.timeout(wall):
                answer = await child.ask(request, descriptors)
        except TimeoutError:
            used = child.cpu_seconds() - before
            self.retire()
            if used < _USED * self._bounds.seconds:
                raise too_busy(wall, used) from None
            raise too_slow(self._bounds.seconds) from None
        except Hangup:
            self._refuse_if_closed()
            self._child = None
            raise await child.autopsy()  # noqa: B904 -- brings its cause along
        except BaseException:
            self.retire()
            raise
        if child.worn:
            self.retire()
        return answer

    def retire(self) -> None:
        """End the child at once; the next job gets a fresh one."""
        if self._child is not None:
            end = self._child.kill()
            self._child = None
            self._ends.add(end)
            end.add_done_callback(self._ends.discard)

    def retire_unless_used(self, uses: int) -> None:
        """End the child if no job has been begun since there had been so many."""
        if self.uses == uses and not self._closed:
            self.retire()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Overloaded("The engine is being stopped. Retry.", retry_after=1)

    async def close(self) -> None:
        """End the child and wait until nothing is left of it; a job in its hands is overloaded."""
        self._closed = True
        self.retire()
        await asyncio.gather(*self._ends)
