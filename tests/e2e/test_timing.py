"""Server-Timing: where the time of an answer went."""

import threading
import time

import httpx
import pytest

from tests.e2e.service import AWS, Service, free_port
from tests.e2e.test_upload import upload
from tests.samples import jpeg, tiny_jpeg

STEPS = ["queue", "fetch", "decode", "encode", "store"]
# In a cluster it may be another machine's turn, or the memory of this one has faded.
KEPT = {"cache;desc=memory"} | ({"cache;desc=store"} if AWS else set())
HEAVY = "rotate:angle=7/resize:width={}/output:format=avif"  # must be decoded first


def laps(answer: httpx.Response) -> dict[str, float]:
    """Return milliseconds by step."""
    entries = (entry.split(";dur=") for entry in answer.headers["server-timing"].split(", "))
    return {name: float(figure) for name, figure in entries}


def test_a_variant_tells_what_it_took_and_afterwards_that_it_was_kept(http: httpx.Client) -> None:
    path = f"/i/{upload(http, jpeg(1200, 900, seed=50)).json()['id']}/{HEAVY.format(640)}"
    begun = time.perf_counter()
    made = http.get(path)
    took = (time.perf_counter() - begun) * 1000
    found = laps(made)
    assert list(found) == STEPS
    assert all(figure >= 0 for figure in found.values())
    assert found["decode"] > 1
    assert found["encode"] > found["decode"]  # AVIF
    assert sum(found.values()) <= took
    assert sum(found.values()) > took / 2
    assert http.get(path).headers["server-timing"] in KEPT
    assert made.headers["timing-allow-origin"] == "*"


def test_what_is_not_in_memory_comes_from_the_store(http: httpx.Client) -> None:
    image = upload(http, jpeg(300, 200, seed=51), "resize:width=64").json()["id"]
    first = http.get(f"/i/{image}/resize:width=64")
    assert first.headers["server-timing"] == "cache;desc=store"
    original = http.get(f"/i/{image}")
    assert "server-timing" not in original.headers


def test_who_waits_for_an_engine_sees_it(tmp_path) -> None:
    with Service(tmp_path / "data", FILMROLL_ENGINES="1") as mine, mine.client() as http:
        image = upload(http, jpeg(1600, 1200, seed=52)).json()["id"]
        answers: list[httpx.Response] = []

        def ask(width: int) -> None:
            with mine.client() as own:
                answers.append(own.get(f"/i/{image}/{HEAVY.format(width)}"))

        threads = [threading.Thread(target=ask, args=[900 + n]) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = [laps(answer) for answer in answers]
    waited = max(one["queue"] for one in found)
    assert waited > min(one["encode"] for one in found)


def test_figures_come_from_another_role(tmp_path) -> None:
    place, port = tmp_path / "data", free_port()
    worker = Service(place, "worker", port)
    reach = {"FILMROLL_WORKER_URL": f"http://127.0.0.1:{port}"}
    uploads = Service(place, "upload-api", **reach)
    downloads = Service(place, "download-api", **reach)
    with worker, uploads, downloads, uploads.client() as http, downloads.client() as pictures:
        image = upload(http, jpeg(600, 400, seed=53)).json()["id"]
        assert list(laps(pictures.get(f"/i/{image}/{HEAVY.format(100)}"))) == STEPS


@pytest.mark.parametrize("header", ["If-None-Match", "If-Modified-Since"])
def test_nothing_is_told_where_nothing_was_done(http: httpx.Client, header: str) -> None:
    image = upload(http, tiny_jpeg(54)).json()["id"]
    path = f"/i/{image}/resize:width=9"
    full = http.get(path)
    value = full.headers["etag" if header == "If-None-Match" else "last-modified"]
    answer = http.get(path, headers={header: value})
    assert answer.status_code == 304
    assert "dur=" not in answer.headers.get("server-timing", "")
    assert "dur=" not in http.get(f"/i/{image}/crop:width=5000").headers.get("server-timing", "")
