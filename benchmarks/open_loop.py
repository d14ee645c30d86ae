"""An open loop: requests leave when they are due, whatever became of those before.

Latency counts from the moment a request was due, so a server that stalls cannot hide it by
holding up the generator.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_GIVEN_UP = 60  # seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request; status 0: the connection ended, or nothing came in a minute."""

    seconds: float  # since it was due
    status: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles, in ms."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> "Latency":
        """Sum up those that succeeded."""
        took = sorted(one.seconds * 1000 for one in answers if one.status == 200)
        if not took:
            return cls(0.0, 0.0, 0.0)
        p50, p95, p99 = (took[min(int(len(took) * p), len(took) - 1)] for p in (0.5, 0.95, 0.99))
        return cls(p50, p95, p99)

    def __str__(self) -> str:
        return f"p50 {self.p50:.1f}, p95 {self.p95:.1f}, p99 {self.p99:.1f} ms"


class Generator:
    """Sends GETs to one server over connections that it keeps and shares out."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._host, self._port = where.hostname, where.port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, paths: Sequence[str], rate: float) -> list[Answer]:
        """Ask for each path, so many a second; return the answers in the order of the paths."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        asked = []
        for number, path in enumerate(paths):
            due = start + number / rate
            if (early := due - loop.time()) > 0:
                await asyncio.sleep(early)
            asked.append(asyncio.create_task(self._timed(path, due)))
        return await asyncio.gather(*asked)

    def close(self) -> None:
        """Let go of the connections."""
        for _, writer in self._idle:
            writer.close()

    async def _timed(self, path: str, due: float) -> Answer:
        try:
            status = await asyncio.wait_for(self._ask(path), _GIVEN_UP)
        except (OSError, EOFError, TimeoutError):
            status = 0
        return Answer(asyncio.get_running_loop().time() - due, status)

    async def _ask(self, path: str) -> int:
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
        self._idle.append((reader, writer))
        return int(head[9:12])
