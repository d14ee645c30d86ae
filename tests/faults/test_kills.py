"""kill -9, at random moments, of real processes: nothing acknowledged is lost, torn or doubled."""

import hashlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.e2e.service import Service, free_port
from tests.samples import jpeg, tiny_jpeg

pytestmark = pytest.mark.slow

UPLOADS = 2_000
CLIENTS = 8
JOBS = 40


def test_uploads_survive_kills_of_the_service(tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}  # id → sha256
    seeds = iter(range(UPLOADS))
    kills = 0
    with Service(tmp_path / "data") as service:

        def upload_all() -> None:
            with service.client() as http:
                for seed in seeds_of(seeds):
                    body = tiny_jpeg(seed)
                    image = persist(lambda body=body: http.post("/v1/images", content=body))
                    acknowledged[image["id"]] = hashlib.sha256(body).hexdigest()

        clients = [threading.Thread(target=upload_all) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        chance = random.Random(7)
        while any(client.is_alive() for client in clients):
            time.sleep(chance.uniform(0.05, 1.0))
            service.kill()
            kills += 1
            service.start()
        for client in clients:
            client.join()
        assert kills >= 2
        assert len(acknowledged) == UPLOADS
        assert_all_there(service, acknowledged)


def seeds_of(seeds):  # noqa: ANN201 -- an iterator shared by threads
    lock = _LOCK
    while True:
        with lock:
            seed = next(seeds, None)
        if seed is None:
            return
        yield seed


_LOCK = threading.Lock()


def persist(send: Callable[[], httpx.Response]) -> dict:
    """Send until it is acknowledged, as a client does whose server restarts."""
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = send()
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
            continue
        assert answer.status_code in {201, 202}, answer.text
        return dict(answer.json())


def assert_all_there(service: Service, acknowledged: dict[str, str]) -> None:
    """Every acknowledged image is listed with its digest, and every listed one has its bytes."""
    listed: dict[str, str] = {}
    cursor = None
    with service.client() as http:
        while True:
            params = {"limit": 1000} | ({"cursor": cursor} if cursor else {})
            page = http.get("/v1/images", params=params).json()
            listed |= {image["id"]: image["sha256"] for image in page["items"]}
            cursor = page["next_cursor"]
            if cursor is None:
                break
    assert {key: listed.get(key) for key in acknowledged} == acknowledged
    for image, sha256 in listed.items():
        blob = service.data / "blobs" / "o" / image[:2] / image
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == sha256


def test_jobs_survive_kills_of_engines(tmp_path: Path) -> None:
    with Service(tmp_path / "data") as service, service.client() as http:
        jobs = [start_job(http, seed) for seed in range(JOBS)]
        chance = random.Random(11)
        for _ in range(12):
            time.sleep(chance.uniform(0.01, 0.15))
            children = children_of(service.process.pid)
            if children:
                os.kill(chance.choice(children), signal.SIGKILL)
        assert_all_succeed(service, http, jobs)


def test_jobs_survive_kills_of_the_worker(tmp_path: Path) -> None:
    data = tmp_path / "data"
    port = free_port()
    url = {"FILMROLL_WORKER_URL": f"http://127.0.0.1:{port}"}
    with (
        Service(data, "worker", port=port, **url) as worker,
        Service(data, "upload-api", **url) as uploads,
        uploads.client() as http,
    ):
        jobs = [start_job(http, seed) for seed in range(JOBS)]
        chance = random.Random(13)
        for _ in range(3):
            time.sleep(chance.uniform(0.1, 0.6))
            worker.kill()
            worker.start()
        # What a killed worker held comes back when its lease is over: a minute at most.
        assert_all_succeed(uploads, http, jobs, patience=150)


def start_job(http: httpx.Client, seed: int) -> str:
    variants = [("variant", "resize:width=300/output:format=webp"), ("variant", "flip:axis=x")]
    headers = {"Prefer": "respond-async"}
    body = jpeg(640, 480, seed=seed)
    answer = http.post("/v1/images", content=body, params=variants, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def children_of(pid: int) -> list[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listing.split()]


def assert_all_succeed(
    service: Service, http: httpx.Client, jobs: list[str], patience: float = 60
) -> None:
    deadline = time.monotonic() + patience
    states: dict[str, dict] = {}
    while len(states) < len(jobs):
        for job in jobs:
            found = http.get(job).json()
            if found["state"] in {"succeeded", "failed", "cancelled"}:
                states[job] = found
        assert time.monotonic() < deadline, service.log.read_text()[-3000:]
        time.sleep(0.2)
    assert {job["state"] for job in states.values()} == {"succeeded"}
    for job in states.values():
        image = http.get(f"/v1/images/{job['image']}").json()
        assert image["state"] == "ready"
        assert len(image["variants"]) == 2
        for variant in image["variants"]:
            blob = service.data / "blobs" / "v" / image["id"][:2] / image["id"] / variant["recipe"]
            assert blob.stat().st_size == variant["bytes"]


def test_a_stop_finishes_what_was_accepted(tmp_path: Path) -> None:
    with Service(tmp_path / "data") as service:
        body = jpeg(800, 600, seed=5)
        answers: list[httpx.Response] = []

        def slow_body():  # noqa: ANN202
            for at in range(0, len(body), len(body) // 10 + 1):
                yield body[at : at + len(body) // 10 + 1]
                time.sleep(0.15)

        def upload() -> None:
            with service.client() as http:
                answers.append(http.post("/v1/images?variant=flip:axis=x", content=slow_body()))

        slow = threading.Thread(target=upload)
        slow.start()
        with service.client() as http:
            jobs = [start_job(http, seed) for seed in range(6)]
        time.sleep(0.3)
        assert service.stop() == 0
        slow.join()
        assert answers[0].status_code == 201, answers[0].text
        service.start()
        with service.client() as http:
            assert_all_succeed(service, http, jobs)
            assert http.get(answers[0].json()["url"]).content == body
