"""Sending one large file in parts, several at once, as plain HTTP: eight threads and a map."""

import http.client
import json
import mmap
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from benchmarks.client import ask, connect
from benchmarks.missing import Wrong
from benchmarks.servers import Server

PART_BYTES = 64 << 20
AT_ONCE = 8
_JSON = "application/json"


def begin(server: Server, **wishes: object) -> str:
    """Begin an upload; return its id."""
    body = json.dumps({"part_bytes": PART_BYTES, **wishes}).encode()
    with closing(connect(server)) as connection:
        return str(
            json.loads(ask(connection, "POST", "/v1/uploads", body, 201, media_type=_JSON))["id"]
        )


def look(server: Server, upload: str) -> dict[str, object]:
    """Return an upload as it stands, with its parts."""
    with closing(connect(server)) as connection:
        return dict(json.loads(ask(connection, "GET", f"/v1/uploads/{upload}")))


def send(server: Server, upload: str, file: Path, numbers: Sequence[int]) -> None:
    """Send some parts of a file; raises OSError or HTTPException when the line breaks."""
    waiting = iter(numbers)  # shared: next() of it is atomic

    def work(whole: memoryview) -> None:
        with closing(connect(server)) as connection:
            for number in waiting:
                part = whole[(number - 1) * PART_BYTES : number * PART_BYTES]
                _put(connection, f"/v1/uploads/{upload}/parts/{number}", part)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, [_mapped(file)] * AT_ONCE))


def complete(server: Server, upload: str, etags: Mapping[int, str]) -> None:
    """Complete an upload for the service to go on by itself."""
    parts = [{"n": number, "etag": etags[number]} for number in sorted(etags)]
    body = json.dumps({"parts": parts}).encode()
    with closing(connect(server)) as connection:
        ask(connection, "POST", f"/v1/uploads/{upload}/complete", body, 202, media_type=_JSON)


def numbers(file: Path) -> range:
    """Return the numbers of a file's parts."""
    return range(1, -(-file.stat().st_size // PART_BYTES) + 1)


def _put(connection: http.client.HTTPConnection, path: str, part: memoryview) -> None:
    connection.request("PUT", path, part, {"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.client.OK:
        raise Wrong(f"PUT {path}: {answer.status} {content[:500]!r}")


def _mapped(file: Path) -> memoryview:
    with file.open("rb") as opened:
        return memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
