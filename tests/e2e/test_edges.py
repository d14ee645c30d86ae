"""What happens when two things happen at once."""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.raw import answer, connected, head
from tests.e2e.service import IMPATIENT, Service, children_of
from tests.e2e.stored import Stored
from tests.e2e.test_upload import THUMB, upload, wait_for
from tests.samples import jpeg, png, tiny_jpeg

PLAIN = "resize:width=60"


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Service]:
    """One engine, and nobody may wait for it: with the one that bulk leaves free, two work."""
    data = tmp_path_factory.mktemp("edges") / "data"
    line = {"FILMROLL_ENGINES": "1", "FILMROLL_WAITING_LINE": "0"}
    with Service(data, module=IMPATIENT, **line) as running:
        yield running


@contextmanager
def engines_standing(service: Service) -> Iterator[list[int]]:
    """Stop the engines, at work or idle, for as long as the test wants; yield who they are."""
    assert service.process is not None
    children = children_of(service.process.pid)
    signal_all(children, signal.SIGSTOP)
    try:
        yield children
    finally:
        signal_all(children, signal.SIGCONT)


def signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until_running(http: httpx.Client, job: str) -> None:
    deadline = time.monotonic() + 20
    while http.get(job).json()["state"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def files_of(service: Service, image: str) -> list[str]:
    return Stored(service.data).about(image)


# ------------------------------------------------------------------------ a watermark that goes


def test_a_watermark_deleted_before_its_job_fails_its_variant_only(data: Path) -> None:
    with Service(data, "upload-api") as uploads, uploads.client() as http:
        mark = upload(http, png(40, 30)).json()["id"]
        marked = f"watermark:image={mark}"
        later = upload(http, jpeg(seed=81), PLAIN, marked, prefer="respond-async")
        assert later.status_code == 202, later.text
        assert http.delete(f"/v1/images/{mark}").status_code == 204
    with Service(data) as service, service.client() as http:
        job = wait_for(http, later.headers["location"])
        assert (job["state"], job["problem"]["code"]) == ("failed", "unknown-watermark")
        image = http.get(f"/v1/images/{job['image']}").json()
        assert (image["state"], image["problem"]["code"]) == ("failed", "unknown-watermark")
        variants = {one["instructions"]: one for one in image["variants"]}
        assert variants.pop(PLAIN)["state"] == "ready"
        (failed,) = variants.values()
        assert (failed["state"], failed["problem"]["code"]) == ("failed", "unknown-watermark")
        assert http.get(f"/i/{image['id']}/{PLAIN}").status_code == 200
        assert http.get(failed["url"]).json()["code"] == "unknown-watermark"


def test_a_watermark_deleted_while_the_body_arrives_refuses_the_upload(service, http) -> None:
    mark = upload(http, png(40, 30)).json()["id"]
    body = tiny_jpeg(82)
    path = f"/v1/images?tag=m82&variant={PLAIN}&variant=watermark:image={mark}"
    with connected(service) as connection:
        connection.sendall(head("POST", path, Content_Length=len(body)) + body[:1000])
        time.sleep(0.3)  # what comes with the body has been looked at by now
        assert http.delete(f"/v1/images/{mark}").status_code == 204
        connection.sendall(body[1000:])
        refused, problem = answer(connection)
    assert (refused.status, json.loads(problem)["code"]) == (422, "unknown-watermark")
    assert http.get("/v1/images", params={"tag": "m82"}).json()["items"] == []


# --------------------------------------------------------------------------- many at the same time


async def test_one_key_sent_by_64_clients_makes_one_image(service) -> None:
    body, key = tiny_jpeg(83), {"Idempotency-Key": "sixty-four"}
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(
        base_url=service.url, timeout=60, limits=limits, verify=False
    ) as http:

        async def send() -> httpx.Response:
            while True:
                sent = await http.post("/v1/images?tag=k83", content=body, headers=key)
                if sent.status_code != 409:
                    return sent
                assert sent.json()["code"] == "idempotency-in-progress"
                await asyncio.sleep(float(sent.headers["retry-after"]))

        answers = await asyncio.gather(*(send() for _ in range(64)))
        assert {one.status_code for one in answers} == {201}
        assert len({one.json()["id"] for one in answers}) == 1
        kept = await http.get("/v1/images", params={"tag": "k83"})
        assert len(kept.json()["items"]) == 1


async def test_no_update_is_lost_among_twenty(service) -> None:
    async with httpx.AsyncClient(base_url=service.url, timeout=60, verify=False) as http:
        sent = await http.post("/v1/images", content=tiny_jpeg(84))
        path = f"/v1/images/{sent.json()['id']}"

        async def add(tag: str) -> int:
            """Read, change, write back, until nobody came between; return how often it failed."""
            failed = 0
            while True:
                read = await http.get(path)
                change = {"tags": [*read.json()["tags"], tag]}
                condition = {"If-Match": read.headers["etag"]}
                written = await http.patch(path, json=change, headers=condition)
                if written.status_code == 200:
                    return failed
                refusal = (written.status_code, written.json()["code"])
                assert refusal == (412, "version-mismatch")
                failed += 1

        tags = [f"tag-{number}" for number in range(20)]
        failures = await asyncio.gather(*(add(tag) for tag in tags))
        assert sum(failures) > 0, "they did not get in each other's way"
        assert sorted((await http.get(path)).json()["tags"]) == sorted(tags)


def test_pages_hold_what_was_there_though_images_arrive(http) -> None:
    before = {upload_tagged(http, "page", seed) for seed in range(100, 125)}
    seen: list[str] = []
    params: dict[str, str | int] = {"tag": "page", "limit": 7}
    for arrival in range(200, 230):
        page = http.get("/v1/images", params=params).json()
        assert all(item["tags"] == ["page"] for item in page["items"])
        seen += [item["id"] for item in page["items"]]
        upload_tagged(http, "page", arrival)
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen))
    assert set(seen) == before


def upload_tagged(http: httpx.Client, tag: str, seed: int) -> str:
    sent = http.post("/v1/images", content=tiny_jpeg(seed), params={"tag": tag})
    return str(sent.json()["id"])


def test_filters_hold_all_at_once(http) -> None:
    one, two = (http.post("/v1/images?tag=f", content=tiny_jpeg(85)).json() for _ in range(2))
    other = http.post("/v1/images?tag=f", content=tiny_jpeg(86)).json()

    def found(**where: str) -> set[str]:
        return {item["id"] for item in http.get("/v1/images", params=where).json()["items"]}

    assert found(sha256=one["sha256"]) == {one["id"], two["id"]}
    assert found(tag="f") == {one["id"], two["id"], other["id"]}
    assert found(tag="f", created_after=one["created_at"]) >= {other["id"]}
    assert found(sha256=one["sha256"], created_after=other["created_at"]) == set()
    assert found(tag="f", sha256="0" * 64) == set()
    foreign = http.get("/v1/images", params={"tag": "f", "limit": 1}).json()["next_cursor"]
    mixed = http.get("/v1/images", params={"cursor": foreign})
    assert (mixed.status_code, mixed.json()["pointer"]) == (422, "/cursor")


@pytest.mark.parametrize(
    ("path", "field", "values"),
    [
        ("/v1/images", "tag", ["", "x" * 101]),
        ("/v1/images", "batch", ["", "x", "0" * 5000]),
        ("/v1/images", "sha256", ["", "AB" * 32, "0" * 5000]),
        ("/v1/images", "created_after", [""]),
        ("/v1/images", "similar", [""]),
        ("/v1/images", "limit", [""]),
        ("/v1/images", "cursor", [""]),
        ("/v1/batches", "name", ["", "x" * 256]),
        ("/v1/batches", "state", [""]),
        ("/v1/batches", "cursor", [""]),
    ],
)
def test_a_condition_that_nothing_can_fulfil_is_refused(http, path, field, values) -> None:
    for value in values:
        answer = http.get(path, params={field: value})
        assert (answer.status_code, answer.json()["pointer"]) == (422, f"/{field}")


def test_a_name_that_nothing_can_have_is_unknown(http) -> None:
    long = "x" * 3000
    for path in (f"/v1/presets/{long}", f"/v1/images/{long}", f"/v1/webhooks/{long}"):
        assert http.get(path).status_code == 404
        assert http.delete(path).status_code == 404


# ------------------------------------------------------------------------------- jobs and engines


def test_a_queued_job_is_cancelled_for_good(data: Path) -> None:
    with Service(data, "upload-api") as uploads, uploads.client() as http:
        sent = upload(http, jpeg(seed=87), THUMB, prefer="respond-async")
        job = sent.headers["location"]
        assert http.get(job).json()["state"] == "queued"
        assert http.delete(job).json()["state"] == "cancelled"
    with Service(data) as service, service.client() as http:
        control = upload(http, jpeg(seed=88), THUMB, prefer="respond-async")
        assert wait_for(http, control.headers["location"])["state"] == "succeeded"
        cancelled = http.get(job).json()
        assert (cancelled["state"], cancelled["attempts"]) == ("cancelled", 0)
        assert http.delete(job).json() == cancelled, "twice is harmless"
        image = http.get(f"/v1/images/{cancelled['image']}").json()
        assert (image["state"], image["variants"]) == ("ready", [])
        assert http.get(f"{image['url']}/{THUMB}").status_code == 200, "made on first use"


def test_an_image_deleted_while_its_variants_are_made_leaves_nothing(service, http) -> None:
    with engines_standing(service):
        sent = upload(http, jpeg(seed=89), PLAIN, prefer="respond-async")
        wait_until_running(http, sent.headers["location"])
        image = sent.json()["id"]
        assert http.delete(f"/v1/images/{image}").status_code == 204
    assert wait_for(http, sent.headers["location"])["state"] == "cancelled"
    time.sleep(1)  # the engines have gone on, and what they made has been thrown away
    assert files_of(service, image) == []
    assert http.get(f"/i/{image}/{PLAIN}").status_code == 410


def test_attempts_are_counted(data: Path) -> None:
    with Service(data) as service, service.client() as http:
        with engines_standing(service) as engines:
            sent = upload(http, jpeg(seed=90), PLAIN, prefer="respond-async")
            wait_until_running(http, sent.headers["location"])
            signal_all(engines, signal.SIGKILL)
        job = wait_for(http, sent.headers["location"])
        assert (job["state"], job["attempts"]) == ("succeeded", 2)


def test_when_the_line_is_full_nobody_is_kept_waiting(service, http) -> None:
    image = upload(http, jpeg(seed=91)).json()
    statuses: list[int] = []

    def ask(width: int) -> None:
        with service.client() as mine:
            statuses.append(mine.get(f"/i/{image['id']}/resize:width={width}").status_code)

    threads = [threading.Thread(target=ask, args=[width]) for width in (201, 202)]
    with engines_standing(service):
        for thread in threads:
            thread.start()
        while "engine" not in http.get("/readyz").json()["faults"]:
            time.sleep(0.02)
        assert http.get("/readyz").status_code == 503
        refused = http.get(f"/i/{image['id']}/resize:width=203", timeout=10)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["cache-control"] == "no-store"
        assert http.get(f"/i/{image['id']}").status_code == 200, "originals need no engine"
        kept = upload(http, jpeg(seed=92), PLAIN, prefer="wait=1")
        assert kept.status_code == 202, "an upload is kept, and its job waits in the queue"
        time.sleep(2)  # long enough for a worker to try many times
        dead = 'filmroll_queue_messages{lane="interactive",state="dead"} 0.0'
        assert dead in http.get("/metrics").text, "to wait is no failure"
    for thread in threads:
        thread.join()
    assert statuses == [200, 200]
    assert wait_for(http, kept.headers["location"])["state"] == "succeeded"
    assert http.get("/readyz").status_code == 200
