"""Sending objects in parts, as a client does that keeps to the contract."""

import io
import random
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import httpx
import pyvips

from tests.samples import encoded

MIB = 1 << 20
LEAST = 5 * MIB
WAIT_SECONDS = 60

Send = Callable[[str, bytes], httpx.Response]


@cache
def heavy_png(seed: int = 0) -> bytes:
    """Return a picture of some 12 MB, quickly made: three parts of the least size."""
    noise = pyvips.Image.gaussnoise(4000, 3000, seed=seed).cast("uchar")
    return encoded(noise, ".png", compression=0)


def archive(members: Mapping[str, bytes]) -> bytes:
    """Return a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def cut(body: bytes, size: int = LEAST) -> dict[int, bytes]:
    """Return the parts of a whole by their numbers."""
    starts = range(0, len(body), size)
    return {at // size + 1: body[at : at + size] for at in starts}


def begin(http: httpx.Client, **fields: object) -> str:
    """Begin an upload; return its id."""
    answer = http.post("/v1/uploads", json=fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def put(
    http: httpx.Client, upload: str, number: int, body: bytes, **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.put(f"/v1/uploads/{upload}/parts/{number}", content=body, headers=named)


def send_all(
    http: httpx.Client, upload: str, parts: Mapping[int, bytes], at_once: int = 1
) -> list[dict[str, object]]:
    """Send parts in a random order; return the list that completes them."""
    numbers = random.Random(upload).sample(sorted(parts), len(parts))
    with ThreadPoolExecutor(at_once) as threads:
        answers = list(threads.map(lambda n: put(http, upload, n, parts[n]), numbers))
    for answer in answers:
        assert answer.status_code == 200, answer.text
    etags = dict(zip(numbers, (answer.headers["etag"] for answer in answers), strict=True))
    return listed(etags)


def listed(etags: Mapping[int, str]) -> list[dict[str, object]]:
    return [{"n": number, "etag": etags[number]} for number in sorted(etags)]


def kept(http: httpx.Client, upload: str) -> list[dict[str, object]]:
    """Return the list that completes what the service says it has."""
    items = http.get(f"/v1/uploads/{upload}").json()["items"]
    return listed({item["n"]: item["etag"] for item in items})


def complete(
    http: httpx.Client, upload: str, parts: Iterable[object], prefer: str = "", **fields: object
) -> httpx.Response:
    body = {"parts": list(parts), **fields}
    headers = {"Prefer": prefer} if prefer else {}
    return http.post(f"/v1/uploads/{upload}/complete", json=body, headers=headers)


def sent(http: httpx.Client, body: bytes, size: int = LEAST, **fields: object) -> httpx.Response:
    """Send a whole and complete it."""
    upload = begin(http, **fields)
    return complete(http, upload, send_all(http, upload, cut(body, size)))


def until(http: httpx.Client, path: str, *states: str) -> dict[str, object]:
    """Return a record once it is in one of the states."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = http.get(path).json()
        if found.get("state") in states:
            return dict(found)
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def ended(http: httpx.Client, upload: str) -> dict[str, object]:
    """Return an upload once it has ended."""
    return until(http, f"/v1/uploads/{upload}", "completed", "failed")


def batch_ended(http: httpx.Client, batch: str) -> dict[str, object]:
    """Return a batch once it has ended."""
    return until(http, f"/v1/batches/{batch}", "completed", "completed_with_errors")


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
