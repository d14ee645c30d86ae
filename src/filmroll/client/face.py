"""The synchronous face: every method is one of the asynchronous core, run on a loop of its own."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from threading import Thread
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Core = TypeVar("Core")


class Portal:
    """An event loop in a thread, to which other threads bring work."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon: a program that forgets to close its client can still end.
        self._thread = Thread(target=self._loop.run_forever, name="filmroll-client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work there and return what comes of it; Ctrl-C here cancels it there."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    @property
    def closed(self) -> bool:
        """Whether the loop has ended."""
        return self._loop.is_closed()

    def close(self) -> None:
        """End the loop."""
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Face(Generic[Core]):
    """A core, and where it runs."""

    def __init__(self, core: Core, portal: Portal) -> None:
        self.core = core
        self.portal = portal


def waits(
    method: Callable[Concatenate[Core, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Face[Core], P], T]:
    """Make a method that waits for one of the core."""

    def call(face: Face[Core], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return face.portal.run(method(face.core, *args, **kwargs))

    return named(call, method)


def yields(
    method: Callable[Concatenate[Core, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[Face[Core], P], Iterator[T]]:
    """Make a method that yields what one of the core yields."""

    def call(face: Face[Core], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        values = method(face.core, *args, **kwargs)
        try:
            while (value := face.portal.run(_next(values))) is not None:
                yield value
        finally:
            face.portal.run(values.aclose())

    return named(call, method)


async def _next(values: AsyncGenerator[T, None]) -> T | None:
    return await anext(values, None)


def named(call: Callable[P, T], method: Callable[..., Any]) -> Callable[P, T]:
    """Give a method the name and the docstring of the one it calls."""
    functools.update_wrapper(call, method)
    return call
