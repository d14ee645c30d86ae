"""Answers that are written while they are made, and bodies that are read line by line."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import structlog
from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from filmroll.archives import ArchiveLimits
from filmroll.archives.feed import Feed
from filmroll.archives.trail import Trail
from filmroll.archives.unpack import GZIP, ZSTD, Frames
from filmroll.errors import UnsupportedMedia
from filmroll.web.incoming import Incoming

INCOMING = "filmroll.incoming"  # where a scope holds the request's Incoming
NDJSON = "application/x-ndjson"
_IN_MEMORY_BYTES = 1 << 20
_ENCODINGS = {"gzip": GZIP, "x-gzip": GZIP, "zstd": ZSTD}
_CHUNK_BYTES = 64 << 10
_AHEAD_BYTES = 256 << 10  # of a body, read while those before are worked on
PATIENCE_SECONDS = 60.0  # with a client that does not read its answer

log = structlog.get_logger()


class Streamed(Response):
    """An answer whose chunks are made as they are sent."""

    def __init__(
        self,
        chunks: AsyncGenerator[bytes],
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(None, 200, {"Cache-Control": "no-store", **(headers or {})}, media_type)
        del self.headers["content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- ASGI's form
        """Send it."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await deliver(start, self._chunks, scope[INCOMING], send)


async def deliver(
    start: Message, chunks: AsyncGenerator[bytes], incoming: Incoming, send: Send
) -> None:
    """Send an answer; give up, without an end to it, on a client that left or reads no more.

    The server drops what is sent to a client that has left, and says nothing.
    """
    left = asyncio.create_task(incoming.left())
    begun = False  # what fails before the first chunk can be told as anywhere else
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                if not begun:
                    await send(start)
                    begun = True
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if left.done():
                    return
        if not begun:
            await send(start)
        await send({"type": "http.response.body"})
    except TimeoutError:
        log.info("answer given up", reason=f"no chunk was taken for {PATIENCE_SECONDS:g} s")
    finally:
        left.cancel()


def ndjson(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Return one JSON object a line."""
    return b"".join(to_json(record) + b"\n" for record in records)


def decoded(chunks: AsyncIterator[bytes], encoding: str | None) -> AsyncIterator[bytes]:
    """Undo a body's Content-Encoding, gzip or zstd; raise UnsupportedMedia for another.

    What is damaged, or unpacks to far more than it should, raises BrokenArchive on the way.
    """
    if encoding is None or encoding.strip().lower() == "identity":
        return chunks
    compression = _ENCODINGS.get(encoding.strip().lower())
    if compression is None:
        raise UnsupportedMedia("A Content-Encoding is gzip or zstd here.")
    trail = Trail(ArchiveLimits())
    return Frames(Feed(chunks, trail), compression, trail)


async def gathered(chunks: AsyncIterator[bytes], incoming: Incoming) -> AsyncGenerator[bytes]:
    """Yield what has come of a body since the last time, in one; to be closed.

    Clients may send each line by itself. Whoever takes long over one, since a store is far away,
    gets all those that came meanwhile next, and not as many turns. ``incoming`` is where the chunks
    come from: the client may wait for an answer before it goes on, which is not its fault.
    """
    come = bytearray()
    arrived, room = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        try:
            async for chunk in chunks:
                come.extend(chunk)
                arrived.set()
                if len(come) >= _AHEAD_BYTES:
                    room.clear()
                    await room.wait()
        finally:
            arrived.set()

    reading = asyncio.create_task(read())
    try:
        while True:
            await arrived.wait()
            if not reading.done():
                arrived.clear()
            elif not come:
                break
            if piece := bytes(come):
                come.clear()
                room.set()
                began = time.monotonic()
                yield piece
                incoming.excuse(time.monotonic() - began)
        await reading  # which raises what was wrong with the body
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def lines_of(
    chunks: AsyncIterator[bytes], longest: int
) -> AsyncIterator[list[tuple[int, bytes]]]:
    """Yield the lines that each chunk completes with their numbers, which begin with 1.

    Blank ones are left out. Of a line that is too long come the first ``longest + 1`` bytes. The
    last one needs no line end.
    """
    most = longest + 1
    rest, number = b"", 1
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest += first[: most - len(rest)]
        if others:
            lines = [rest, *(line[:most] for line in others[:-1])]
            yield [(at, line) for at, line in enumerate(lines, number) if line.strip()]
            number += len(lines)
            rest = others[-1][:most]
    if rest.strip():
        yield [(number, rest)]


class Answers:
    """An answer that is sent while the request is still being read.

    Many clients write their whole body before they read a byte. So what they do not read yet is
    put by, in memory and then in a file, and never keeps the body from being read on.
    """

    def __init__(self, send: Send, folder: Path) -> None:
        """``folder`` is where the file lies."""
        folder.mkdir(parents=True, exist_ok=True)
        self._send = send
        self._store = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115 -- closed by ``finish``
        self._written = 0
        self._sent = 0
        self._more = asyncio.Event()
        self._ended = False
        self._sender: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        """Whether the answer is on its way: an error can no more take its place."""
        return self._sender is not None

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Put lines into the answer; never waits."""
        self._store.seek(self._written)
        self._written += self._store.write(ndjson(records))
        if self._sender is None:
            self._sender = asyncio.create_task(self._run())
        self._more.set()

    async def finish(self) -> None:
        """Send the rest; give up on a client that does not read on."""
        self._ended = True
        self._more.set()
        if self._sender is None:
            self._sender = asyncio.create_task(self._run())
        while not self._sender.done():
            sent = self._sent
            await asyncio.wait({self._sender}, timeout=PATIENCE_SECONDS)
            if self._sent == sent and not self._sender.done():
                self._sender.cancel()
                with suppress(asyncio.CancelledError):
                    await self._sender
        self._store.close()

    def discard(self) -> None:
        """Send nothing more: an error takes the answer's place, or breaks it off."""
        if self._sender is not None:
            self._sender.cancel()
        self._store.close()

    async def _run(self) -> None:
        headers = [(b"content-type", NDJSON.encode()), (b"cache-control", b"no-store")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        while True:
            await self._more.wait()
            self._more.clear()
            while self._sent < self._written:
                await self._send_some()
            if self._ended:
                break
        await self._send({"type": "http.response.body", "body": b""})

    async def _send_some(self) -> None:
        self._store.seek(self._sent)
        chunk = self._store.read(_CHUNK_BYTES)
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._sent += len(chunk)
        if self._sent == self._written:  # all is read: begin the store anew
            self._store.seek(0)
            self._store.truncate()
            self._sent = self._written = 0
