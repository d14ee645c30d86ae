"""The engine as the rest of Filmroll sees it: a bounded line before a few children."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, BinaryIO

from pydantic import TypeAdapter

from filmroll.engine.process import Bounds
from filmroll.engine.supervisor import Supervisor
from filmroll.engine.wire import MAX_FILES
from filmroll.errors import InternalError, InvalidInstructions, Overloaded
from filmroll.instructions import Instructions
from filmroll.model import Info, Problem
from filmroll.ports import Picture

_LINE_PER_CHILD = 4
_INFO = TypeAdapter(Info)
_LAPS = ("decode", "encode")


class EnginePool:
    """``ports.Engine`` over ``size`` child processes (one per processor if not given).

    ``line`` is how many jobs may wait for a child; one more is refused at once. A child that has
    had nothing to do for ``idle_seconds`` is ended, if any are given; the next job starts another.
    """

    def __init__(
        self,
        size: int | None = None,
        line: int | None = None,
        bounds: Bounds | None = None,
        idle_seconds: float | None = None,
    ) -> None:
        size = size or os.cpu_count() or 1
        self._line = _LINE_PER_CHILD * size if line is None else line
        self._waiting = 0
        self._idle_seconds = idle_seconds
        bounds = bounds or Bounds()
        self._supervisors = [Supervisor(bounds) for _ in range(size)]
        self._free: asyncio.LifoQueue[Supervisor] = asyncio.LifoQueue()
        for supervisor in self._supervisors:
            self._free.put_nowait(supervisor)

    async def start(self) -> None:
        """Start all children now; without it each starts with its first job."""
        await asyncio.gather(*(supervisor.start() for supervisor in self._supervisors))

    async def make(
        self,
        source: BinaryIO,
        wanted: Sequence[Instructions],
        overlays: Mapping[str, BinaryIO],
    ) -> Sequence[Picture | Problem]:
        """Decode ``source`` once and return one result for each of ``wanted``, in order.

        The promise, and what it raises, stand in ``ports.Engine``.
        """
        descriptors = [file.fileno() for file in (source, *overlays.values())]
        if len(descriptors) > MAX_FILES:
            raise InvalidInstructions(
                f"At most {MAX_FILES - 1} different watermark images at once.",
                pointer="",
                limit=MAX_FILES - 1,
                actual=len(overlays),
            )
        request = {"wanted": [item.canonical() for item in wanted], "overlays": list(overlays)}
        async with self._child() as child:
            message, blobs = await child.run(request, descriptors)
        return _results(message, blobs)

    async def describe(self, source: BinaryIO) -> Info:
        """Return what there is to tell of ``source``. The promise stands in ``ports.Engine``."""
        async with self._child() as child:
            message, _blobs = await child.run({"info": True}, [source.fileno()])
        return _info(message)

    async def check(self) -> Mapping[str, str]:
        """Pass a small image through a child; return the formats in and out, and versions."""
        async with self._child() as child:
            message, _blobs = await child.run({"check": True}, [])
        return message["check"]  # type: ignore[no-any-return]  # JSON of our own child

    def pids(self) -> list[int]:
        """Return the process ids of the living children."""
        return [child.pid for child in self._supervisors if child.pid is not None]

    async def close(self) -> None:
        """End all children and leave no zombie."""
        await asyncio.gather(*(supervisor.close() for supervisor in self._supervisors))

    @asynccontextmanager
    async def _child(self) -> AsyncIterator[Supervisor]:
        if self._free.empty() and self._waiting >= self._line:
            raise Overloaded(
                f"{self._waiting} jobs are waiting for the engine already. Retry in a second.",
                retry_after=1,
                limit=self._line,
            )
        self._waiting += 1
        try:
            supervisor = await self._free.get()
        finally:
            self._waiting -= 1
        try:
            yield supervisor
        finally:
            self._free.put_nowait(supervisor)
            if self._idle_seconds is not None:
                loop = asyncio.get_running_loop()
                loop.call_later(self._idle_seconds, supervisor.retire_unless_used, supervisor.uses)


def _results(message: dict[str, Any], blobs: list[bytes]) -> list[Picture | Problem]:
    """Pair what the child says of each variant with its bytes; raise what it says of the source."""
    data = iter(blobs)
    with _sense_made():
        _raise_problem(message)
        # A child may be in foreign hands: of what it says, figures under names that we know.
        spent = {name: float(message["spent"][name]) for name in _LAPS if name in message["spent"]}
        return [
            Problem(**entry["problem"])
            if "problem" in entry
            else Picture(data=next(data), spent=spent, **entry)
            for entry in message["results"]
        ]


def _info(message: dict[str, Any]) -> Info:
    """Return what the child says of the source, if that is what a description is made of."""
    with _sense_made():
        _raise_problem(message)
        return _INFO.validate_python(message["info"])


def _raise_problem(message: dict[str, Any]) -> None:
    if "problem" in message:
        raise Problem(**message["problem"]).error()


@contextmanager
def _sense_made() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise InternalError("The engine gave an answer that makes no sense.") from error
