"""A closed loop of a few connections that keeps every answer, to be looked at afterwards."""

import http.client
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.missing import Wrong
from benchmarks.processes import processor_seconds
from benchmarks.servers import Server


@dataclass(frozen=True, slots=True)
class Burst:
    """The answers to some paths, in their order; how many came per second; what each cost."""

    bodies: Sequence[bytes]
    rate: float
    processor_ms: float  # of the server's processes, for one answer


def connect(server: Server) -> http.client.HTTPConnection:
    """Return a connection that stays open."""
    return http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    expected: int = 200,
    *,
    media_type: str = "application/octet-stream",
) -> bytes:
    """Send one request and return the body of its answer; raises Wrong at another status."""
    headers = {} if body is None else {"Content-Type": media_type}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != expected:
        raise Wrong(f"{method} {path}: {answer.status} {content[:500]!r}")
    return content


def fetch(server: Server, paths: Sequence[str], connections: int) -> Burst:
    """GET all paths once, each connection taking the next one when it is free."""
    bodies = [b""] * len(paths)
    waiting = iter(enumerate(paths))  # shared: next() of it is atomic

    def work(_: int) -> None:
        with closing(connect(server)) as connection:
            for number, path in waiting:
                bodies[number] = ask(connection, "GET", path)

    used = sum(map(processor_seconds, server.pids))
    start = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(work, range(connections)))
    seconds = time.perf_counter() - start
    used = sum(map(processor_seconds, server.pids)) - used
    return Burst(bodies, len(paths) / seconds, used / len(paths) * 1e3)


def upload(server: Server, files: Iterable[Path]) -> list[str]:
    """Upload files to Filmroll, one after the other; return the ids."""
    with closing(connect(server)) as connection:
        answers = [ask(connection, "POST", "/v1/images", f.read_bytes(), 201) for f in files]
    return [str(json.loads(answer)["id"]) for answer in answers]


def catalogue(server: Server) -> Iterator[dict[str, object]]:
    """Yield all images that Filmroll lists."""
    with closing(connect(server)) as connection:
        cursor = ""
        while cursor is not None:
            query = f"&cursor={cursor}" if cursor else ""
            page = json.loads(ask(connection, "GET", f"/v1/images?limit=200{query}"))
            yield from page["items"]
            cursor = page["next_cursor"]
