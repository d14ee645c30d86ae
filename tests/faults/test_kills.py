"""kill -9, at random moments, of real processes: nothing acknowledged is lost, torn or doubled."""

import hashlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from filmroll.usecases.process import MAX_CRASHES
from tests.e2e.service import IMPATIENT, Service, children_of, free_port
from tests.e2e.test_edges import engines_standing
from tests.samples import jpeg, tiny_jpeg

pytestmark = pytest.mark.slow

UPLOADS = 2_000
KILLS = 9
CLIENTS = 8
JOBS = 40
VARIANTS = ("resize:width=300/output:format=webp", "flip:axis=x")
FINAL = {"succeeded", "failed", "cancelled"}


def test_uploads_survive_kills_of_the_service(tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}  # id → sha256
    chance = random.Random(7)
    with Service(tmp_path / "data") as service:

        def upload(seeds: range) -> None:
            with service.client() as http:
                for seed in seeds:
                    body = tiny_jpeg(seed)
                    image = persist(lambda body=body: http.post("/v1/images", content=body))
                    acknowledged[image["id"]] = hashlib.sha256(body).hexdigest()

        clients = [threading.Thread(target=upload, args=[seeds]) for seeds in shares()]
        for client in clients:
            client.start()
        for moment in sorted(chance.sample(range(1, UPLOADS - 50), KILLS)):
            while len(acknowledged) < moment and any(client.is_alive() for client in clients):
                time.sleep(0.001)
            service.kill()
            service.start()
        for client in clients:
            client.join()
        assert len(acknowledged) == UPLOADS
        assert_all_there(service, acknowledged)


def shares() -> list[range]:
    """Return the seeds of the uploads, a share for each client."""
    return [range(first, UPLOADS, CLIENTS) for first in range(CLIENTS)]


def persist(send: Callable[[], httpx.Response]) -> dict:
    """Send until it is acknowledged, as a client does whose server restarts."""
    return dict(persist_answer(send).json())


def persist_answer(send: Callable[[], httpx.Response]) -> httpx.Response:
    deadline = time.monotonic() + 60
    while True:
        with suppress(httpx.TransportError):
            answer = send()
            assert answer.is_success, answer.text
            return answer
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_all_there(service: Service, acknowledged: dict[str, str]) -> None:
    """Every acknowledged image is listed with its digest, and every listed one has its bytes."""
    with service.client() as http:
        listed = {image["id"]: image["sha256"] for image in all_images(http)}
    assert {key: listed.get(key) for key in acknowledged} == acknowledged
    for image, sha256 in listed.items():
        blob = service.data / "blobs" / "o" / image[:2] / image
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == sha256


def all_images(http: httpx.Client) -> Iterator[dict]:
    params: dict[str, str | int] = {"limit": 200}
    while True:
        page = http.get("/v1/images", params=params).json()
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        params["cursor"] = page["next_cursor"]


def test_jobs_survive_kills_of_engines(tmp_path: Path) -> None:
    chance = random.Random(11)
    with Service(tmp_path / "data", FILMROLL_ENGINES="2") as service, service.client() as http:
        jobs = [start_job(http, seed) for seed in range(JOBS)]
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.01, 0.15))
            kill_engine(service, chance)
        ends = ends_of(service, http, jobs)
        # One that is hit again and again is given up, as if its image had killed the decoder.
        crashed = [job for job in ends if job["state"] == "failed"]
        assert all(job["problem"]["code"] == "engine-crashed" for job in crashed)
        assert all(job["attempts"] == MAX_CRASHES for job in crashed)
        assert len(crashed) <= KILLS // MAX_CRASHES
        assert_whole(service, http, ends)


def test_an_engine_that_died_idle_costs_nobody_anything(tmp_path: Path) -> None:
    with Service(tmp_path / "data", FILMROLL_ENGINES="2") as service, service.client() as http:
        image = http.post("/v1/images", content=jpeg(seed=1)).json()
        for width in range(10, 16):
            for child in children_of(service.process.pid):
                os.kill(child, signal.SIGKILL)
            assert http.get(f"/i/{image['id']}/resize:width={width}").status_code == 200


def test_who_waits_is_served_though_engines_are_killed(tmp_path: Path) -> None:
    chance = random.Random(5)
    with Service(tmp_path / "data", FILMROLL_ENGINES="2") as service, service.client() as http:
        image = http.post("/v1/images", content=jpeg(1600, 1200, seed=2)).json()
        statuses: list[int] = []

        def ask() -> None:
            for width in range(200, 215):
                path = f"/i/{image['id']}/resize:width={width}/output:format=avif"
                statuses.append(http.get(path).status_code)

        client = threading.Thread(target=ask)
        client.start()
        while client.is_alive():
            # A child takes half a second to start and to work: hardly ever two kills hit one.
            time.sleep(chance.uniform(1.0, 1.5))
            kill_engine(service, chance)
        assert set(statuses) == {200}


def kill_engine(service: Service, chance: random.Random) -> None:
    assert service.process is not None
    children = children_of(service.process.pid)
    if children:
        os.kill(chance.choice(children), signal.SIGKILL)


def test_jobs_survive_kills_of_every_role(tmp_path: Path) -> None:
    data = tmp_path / "data"
    port = free_port()
    url = {"FILMROLL_WORKER_URL": f"http://127.0.0.1:{port}"}
    chance = random.Random(13)
    with (
        Service(data, "worker", port=port, module=IMPATIENT, **url) as worker,
        Service(data, "upload-api", module=IMPATIENT, **url) as uploads,
    ):
        jobs: list[str] = []

        def ask(seeds: range) -> None:
            with uploads.client() as http:
                jobs.extend(start_job(http, seed) for seed in seeds)

        for kill, role in enumerate((worker, uploads, worker, uploads, worker)):
            client = threading.Thread(target=ask, args=[range(8 * kill, 8 * kill + 8)])
            client.start()
            time.sleep(chance.uniform(0.1, 0.4))
            role.kill()
            role.start()
            client.join()
        with uploads.client() as http:
            with engines_standing(worker):  # one kill that surely hits a job
                jobs.append(start_job(http, seed=3))
                wait_until_one_runs(http, jobs)
                worker.kill()
            worker.start()
            ends = ends_of(uploads, http, jobs)
            assert {job["state"] for job in ends} == {"succeeded"}
            assert max(job["attempts"] for job in ends) > 1, "no kill hit a job"
            assert_whole(uploads, http, ends)


def wait_until_one_runs(http: httpx.Client, jobs: list[str]) -> None:
    deadline = time.monotonic() + 30
    while not any(http.get(job).json()["state"] == "running" for job in jobs):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start_job(http: httpx.Client, seed: int) -> str:
    params = [("variant", variant) for variant in VARIANTS]
    headers = {"Prefer": "respond-async"}
    body = jpeg(640, 480, seed=seed % 4)
    answer = persist_answer(
        lambda: http.post("/v1/images", content=body, params=params, headers=headers)
    )
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def ends_of(service: Service, http: httpx.Client, jobs: list[str]) -> list[dict]:
    """Wait until all jobs have ended; return what became of them."""
    deadline = time.monotonic() + 60
    ends: dict[str, dict] = {}
    while len(ends) < len(jobs):
        states = {job: http.get(job).json() for job in jobs if job not in ends}
        ends |= {job: found for job, found in states.items() if found["state"] in FINAL}
        assert time.monotonic() < deadline, service.log.read_text()[-3000:]
        time.sleep(0.1)
    return list(ends.values())


def assert_whole(service: Service, http: httpx.Client, ends: list[dict]) -> None:
    """A job that succeeded has made all, one that failed shows nothing half made."""
    for job in ends:
        image = http.get(f"/v1/images/{job['image']}").json()
        succeeded = job["state"] == "succeeded"
        assert image["state"] == ("ready" if succeeded else "failed")
        states = {variant["state"] for variant in image["variants"]}
        assert states == ({"ready"} if succeeded else {"pending"})
        assert len(image["variants"]) == len(VARIANTS)
        for variant in image["variants"] if succeeded else ():
            blob = service.data / "blobs" / "v" / image["id"][:2] / image["id"] / variant["recipe"]
            assert blob.stat().st_size == variant["bytes"]


def test_a_stop_finishes_what_was_accepted(tmp_path: Path) -> None:
    with Service(tmp_path / "data") as service:
        body = jpeg(800, 600, seed=5)
        answers: list[httpx.Response] = []

        def slow_body() -> Iterator[bytes]:
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
            ends = ends_of(service, http, jobs)
            assert {job["state"] for job in ends} == {"succeeded"}
            assert_whole(service, http, ends)
            assert http.get(answers[0].json()["url"]).content == body
