"""The body of a request on its way in: never waited for without end, and known to be all there."""

import asyncio
import time
from contextlib import suppress
from typing import Any

from starlette.types import Message, Receive, Scope

from filmroll.errors import IncompleteBody, TooLarge

STALL_SECONDS = 60.0  # without a byte
SLOWEST_BYTES_PER_SECOND = 200  # on average, once a body has taken longer than STALL_SECONDS
LARGEST_JSON_BYTES = 1 << 20
_DRAINED_BYTES = 1 << 20
_DRAIN_SECONDS = 2.0


class Incoming:
    """An ASGI ``receive`` that knows how much of the body is still to come."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        """``limit`` may be set, in bytes, for a body that is held in memory."""
        headers = dict(scope["headers"])
        self._receive = receive
        # Whether nothing will come by itself: the client asked whether it should, or it stalled.
        self._silent = headers.get(b"expect", b"").lower() == b"100-continue"
        self._received = 0
        self._waited = 0.0  # seconds
        self._stalled = False
        self._waiting: asyncio.Task[Any] | None = None
        self._unwanted = False
        self.limit: int | None = None
        self.answered_early = False  # the answer begins while the body is read on to its end
        self.pending = (
            b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
        )

    async def __call__(self) -> Message:
        """Return the next message; raise IncompleteBody if none comes, TooLarge over the limit."""
        if self._unwanted:
            raise self._too_late()
        started = time.monotonic()
        message = await self._next()
        self._waited += time.monotonic() - started
        self._refuse_if_trickling()
        self._silent = False
        self.pending = message.get("more_body", False)
        self._received += len(message.get("body", b""))
        if self.limit is not None and self._received > self.limit:
            raise TooLarge(f"This takes at most {self.limit} bytes.", limit=self.limit)
        return message

    def end(self) -> None:
        """Let go of the connection: what an error's traceback still holds must not keep it open."""
        self._receive = _ended

    def stop(self) -> None:
        """Let whoever reads the body hear, now or at the next read, that it has ended."""
        self._unwanted = self._silent = True
        self._give_up()

    def excuse(self, seconds: float) -> None:
        """Do not hold against the client that nothing came while it was kept waiting itself."""
        self._waited -= seconds

    async def left(self) -> None:
        """Return once the client has left; for an answer that is sent while nobody reads on."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next(self) -> Message:
        """Wait for a message, but not for ever: as asyncio.timeout does, at a third of its cost."""
        task = asyncio.current_task()
        assert task is not None
        alarm = asyncio.get_running_loop().call_later(STALL_SECONDS, self._give_up)
        self._waiting = task
        try:
            return await self._receive()
        except asyncio.CancelledError:
            if not self._stalled or task.uncancel() > 0:
                raise
            raise self._too_late() from None
        finally:
            alarm.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        """Wake who waits; once only, for he takes back one cancellation."""
        if self._waiting is not None:
            self._stalled = self._silent = True
            self._waiting.cancel()
            self._waiting = None

    def _too_late(self) -> IncompleteBody:
        if self._unwanted:
            return IncompleteBody("Another request goes on in the place of this one.")
        return IncompleteBody(
            f"No byte of the body came for {STALL_SECONDS:g} seconds. Nothing was kept."
        )

    def _refuse_if_trickling(self) -> None:
        """A few bytes a minute would hold a connection, and a place, for ever."""
        late = self._waited > STALL_SECONDS
        if late and self._received < self._waited * SLOWEST_BYTES_PER_SECOND:
            raise IncompleteBody(
                f"The body comes at less than {SLOWEST_BYTES_PER_SECOND} bytes a second. "
                "Nothing was kept."
            )

    async def drain(self) -> None:
        """Read a refused body on a little: a client that is still writing hears the answer then.

        One that waits for ``100 Continue`` is not told to go on.
        """
        self.limit = self._received + _DRAINED_BYTES
        with suppress(TimeoutError, IncompleteBody, TooLarge):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self.pending and not self._silent:
                    await self()


async def _ended() -> Message:
    return {"type": "http.disconnect"}
