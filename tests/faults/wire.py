"""A line to a store that counts what goes over it, and harms it as it is told.

Requests are forwarded as they are, headers and all, so their signatures hold. What a test decides
of one is a ``Harm``; with None it passes.
"""

import asyncio
import enum
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import urlsplit

LATENCY_SECONDS = 2.0
_HEAD_END = b"\r\n\r\n"
_JSON = "application/x-amz-json-1.0"


class Harm(enum.Enum):
    BUSY = "503 before anything is done"
    THROTTLED = "400 with AWS's word for too much, before anything is done"
    LOST = "done, but the answer never comes"
    RESET = "the connection ends before anything is done"
    SLOW = "done after two seconds"
    CUT = "done, but the answer ends in the middle"
    AHEAD = "done, by a clock that is a minute ahead"


@dataclass(frozen=True, slots=True)
class Request:
    """What went over the line; ``operation`` as in PutItem or SendMessageBatch, else the method."""

    method: str
    target: str
    operation: str
    body: bytes

    def names(self, text: str) -> bool:
        return text in self.target or text.encode() in self.body


class Wire:
    """Listens where a service believes its store to be."""

    def __init__(self, endpoint: str) -> None:
        self._far = urlsplit(endpoint)
        self.requests: list[Request] = []
        self.harm: Callable[[Request], Harm | None] = lambda _: None
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @contextmanager
    def counting(self) -> Iterator[list[Request]]:
        """Yield the requests of a while."""
        self.requests = found = []
        yield found

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(near, back):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            back.close()

    async def _exchange(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> bool:
        """Pass one request and its answer on; False if the connection is to end."""
        head = await near.readuntil(_HEAD_END)
        if _header(head, b"expect"):
            back.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await _body(near, head)
        request = _request(head, body)
        self.requests.append(request)
        harm = self.harm(request)
        if harm is Harm.RESET:
            back.transport.abort()
            return False
        if harm in {Harm.BUSY, Harm.THROTTLED}:
            back.write(_refusal(request, throttled=harm is Harm.THROTTLED))
            await back.drain()
            return True
        if harm is Harm.SLOW:
            await asyncio.sleep(LATENCY_SECONDS)
        answer = await self._ask(head, body, request.method)
        if harm is Harm.LOST:
            back.transport.abort()
            return False
        if harm is Harm.AHEAD:
            answer = _postdated(answer)
        if harm is Harm.CUT:
            back.write(answer[: answer.index(_HEAD_END) + 4 + len(answer) // 4])
            await back.drain()
            return False
        back.write(answer)
        await back.drain()
        return True

    async def _ask(self, head: bytes, body: bytes, method: str) -> bytes:
        assert self._far.hostname is not None
        reader, writer = await asyncio.open_connection(self._far.hostname, self._far.port)
        head = b"\r\n".join(
            line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:")
        )
        writer.write(head + body)
        await writer.drain()
        answer = await reader.readuntil(_HEAD_END)
        if method != "HEAD" and answer[9:12] not in {b"204", b"304"}:
            answer += await _body(reader, answer)
        writer.close()
        return answer


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """Return a body as it came, chunks and all."""
    if b"chunked" in _header(head, b"transfer-encoding").lower():
        found = b""
        while True:
            line = await reader.readuntil(b"\r\n")
            found += line + await reader.readexactly(int(line, 16) + 2)
            if int(line, 16) == 0:
                return found
    return await reader.readexactly(int(_header(head, b"content-length") or 0))


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return b""


def _request(head: bytes, body: bytes) -> Request:
    method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
    operation = _header(head, b"x-amz-target").decode().rpartition(".")[2]
    return Request(method, target, operation or method, body)


def _postdated(answer: bytes) -> bytes:
    date = _header(answer, b"date")
    later = parsedate_to_datetime(date.decode()) + timedelta(minutes=1)
    return answer.replace(date, format_datetime(later, usegmt=True).encode(), 1)


def _refusal(request: Request, *, throttled: bool) -> bytes:
    if request.operation == request.method:  # S3 speaks XML
        code = "SlowDown" if throttled else "ServiceUnavailable"
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
        return _answer("503 Slow Down", "application/xml", body)
    if throttled:
        kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
        return _answer(
            "400 Bad Request", "application/x-amz-json-1.0", json.dumps({"__type": kind})
        )
    return _answer("503 Service Unavailable", "application/x-amz-json-1.0", "{}")


def _answer(status: str, kind: str, body: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()
