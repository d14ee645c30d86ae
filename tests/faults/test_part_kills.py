"""kill -9 of a service between parts, within parts, while it completes and while it unpacks.

The client sends again what is missing. In the end everything is there once, and no part is left.
"""

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from tests.e2e.parts import (
    archive,
    batch_ended,
    begin,
    complete,
    cut,
    ended,
    heavy_png,
    kept,
    put,
    until,
)
from tests.e2e.service import IMPATIENT, Service
from tests.faults.test_bulk_kills import assert_nothing_left_over, listed, results
from tests.samples import tiny_jpeg

pytestmark = pytest.mark.slow

T = TypeVar("T")

SMALL = 3_000
LARGE = 4
AT_ONCE = 8
KILLS = 6
SWEPT_SECONDS = 20


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path / "data", module=IMPATIENT) as running:
        yield running


def members() -> dict[str, bytes]:
    small = {f"{number % 10}/{number}.jpg": tiny_jpeg(number) for number in range(SMALL)}
    return small | {f"large/{seed}.png": heavy_png(seed) for seed in range(LARGE)}


@contextmanager
def killed_now_and_then(service: Service, seconds: tuple[float, float]) -> Iterator[list[float]]:
    """Kill and restart a service again and again; yields the times of its deaths."""
    deaths: list[float] = []
    over = threading.Event()
    chance = random.Random(7)

    def kill() -> None:
        while not over.wait(chance.uniform(*seconds)):
            service.kill()
            deaths.append(time.monotonic())
            service.start()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield deaths
    finally:
        over.set()
        killer.join()


def persistent(call: Callable[..., T], *arguments: object) -> T:
    """Call until there is an answer."""
    while True:
        with suppress(httpx.TransportError):
            return call(*arguments)
        time.sleep(0.05)


def send_through(http: httpx.Client, upload: str, parts: dict[int, bytes]) -> list[dict]:
    """Send parts until all are there, and return the list that completes them."""

    def attempt(number: int) -> None:
        with suppress(httpx.TransportError):
            put(http, upload, number, parts[number])

    while True:
        here = persistent(kept, http, upload)
        missing = sorted(set(parts) - {one["n"] for one in here})
        if not missing:
            return here
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(attempt, missing))


def assert_no_part_left(service: Service) -> None:
    deadline = time.monotonic() + SWEPT_SECONDS
    while left := [path for path in (service.data / "blobs" / "p").rglob("*-*") if path.is_file()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def test_parts_survive_kills_and_become_images_once(service: Service) -> None:
    with service.client() as http:
        images: dict[str, str] = {}
        with killed_now_and_then(service, (0.2, 0.8)) as deaths:
            while len(deaths) < KILLS:
                body = heavy_png(len(images) % LARGE)
                upload = persistent(begin, http)
                here = send_through(http, upload, cut(body))
                answer = persistent(complete, http, upload, here)
                if answer.status_code == 202:  # the job of a process that died is waited for
                    found = persistent(until, http, f"/v1/uploads/{upload}", "completed")
                    image = str(found["image"])
                else:
                    image = answer.json()["id"]
                images[image] = hashlib.sha256(body).hexdigest()
        assert {one["id"]: one["sha256"] for one in listed(http)} == images


def test_an_archive_survives_kills_of_who_unpacks_it(service: Service) -> None:
    files = members()
    with service.client() as http:
        upload = begin(http, purpose="archive")
        here = send_through(http, upload, cut(archive(files)))
        batch = complete(http, upload, here).json()["id"]
        for share in (0.1, 0.3, 0.5, 0.7):
            while http.get(f"/v1/batches/{batch}").json()["counts"]["received"] < share * SMALL:
                time.sleep(0.02)
            service.kill()
            service.start()
        found = batch_ended(http, batch)
        assert found["state"] == "completed"
        held = {line["ref"]: line["sha256"] for line in results(http, batch)}
        assert held == {ref: hashlib.sha256(body).hexdigest() for ref, body in files.items()}
        assert len(listed(http)) == len(files)
        assert ended(http, upload)["state"] == "completed"
        assert_no_part_left(service)
    assert_nothing_left_over(service.data)
