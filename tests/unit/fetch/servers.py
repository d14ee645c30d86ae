"""Servers on this machine that answer with exactly the bytes a test wants."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Handler = Callable[["Call", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Call:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A server that runs; ``calls`` is what it was asked for."""

    port: int
    calls: list[Call] = field(default_factory=list)

    @property
    def allow(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve until the end of the block; then drop every connection that is left."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                call = await _read(reader)
                running.calls.append(call)
                await handler(call, writer)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            await writer.wait_closed()

    # A client that is done hangs up without the farewell that TLS servers wait for.
    farewell = 0.1 if tls else None
    server = await asyncio.start_server(
        connected, "127.0.0.1", 0, ssl=tls, ssl_shutdown_timeout=farewell
    )
    running = Server(server.sockets[0].getsockname()[1])
    try:
        yield running
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers: dict[str, str] = {}
    for name, _, value in (line.partition(": ") for line in lines):
        before = headers.get(name.lower())
        headers[name.lower()] = value if before is None else f"{before}, {value}"
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = first.split(" ")
    return Call(method, path, headers, body)


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Handler:
    """Return a handler that always says the same; ``_`` in the name of a header is ``-``."""
    fields = {"content-length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()]
    return raw(f"HTTP/1.1 {status} Whatever\r\n{''.join(lines)}\r\n".encode() + body)


def raw(data: bytes, *, close: bool = False) -> Handler:
    """Return a handler that sends these bytes, and then hangs up or not."""

    async def handle(_: Call, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if close:
            await writer.drain()
            raise ConnectionResetError

    return handle


def paths(handlers: dict[str, Handler]) -> Handler:
    """Return a handler that hands a request to the one of its path."""

    async def handle(call: Call, writer: asyncio.StreamWriter) -> None:
        await handlers[call.path](call, writer)

    return handle


def drip(head: bytes, pause: float) -> Handler:
    """Return a handler that sends a byte every so many seconds after the head, for ever."""

    async def handle(_: Call, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(pause)

    return handle
