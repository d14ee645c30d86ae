"""Batches over HTTP, looked at while they change: long polls, events, results."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.bulk import (
    ledger,
    new_batch,
    photo,
    problem,
    put,
    seal,
    view,
)
from tests.e2e.service import Service


def test_a_long_poll_ends_with_a_change(service: Service, http: httpx.Client) -> None:
    batch = new_batch(http)
    tag = http.get(f"/v1/batches/{batch}").headers["etag"]
    same = http.get(f"/v1/batches/{batch}", headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)

    def poll(wait: int) -> tuple[httpx.Response, float]:
        headers = {"If-None-Match": tag, "Prefer": f"wait={wait}"}
        with service.client() as own:
            began = time.monotonic()
            answer = own.get(f"/v1/batches/{batch}", headers=headers)
            return answer, time.monotonic() - began

    answer, seconds = poll(1)
    assert (answer.status_code, answer.headers["preference-applied"]) == (304, "wait=1")
    assert 0.9 < seconds < 3
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(poll, 20)
        time.sleep(0.5)
        put(http, batch, "a", photo("polled"))
        answer, seconds = waiting.result()
    assert (answer.status_code, answer.json()["counts"]["stored"]) == (200, 1)
    assert answer.headers["etag"] != tag
    assert seconds < 5
    seal(http, batch)
    tag = http.get(f"/v1/batches/{batch}").headers["etag"]
    assert poll(20)[1] < 2  # nothing changes any more


def test_events_tell_of_a_batch_to_its_end(service: Service, http: httpx.Client) -> None:
    batch = new_batch(http)
    events: list[tuple[int, dict]] = []
    opened = threading.Event()

    def follow(last: str | None = None) -> list[tuple[int, dict]]:
        headers = {"Last-Event-ID": last} if last else {}
        path = f"/v1/batches/{batch}/events"
        with service.client() as own, own.stream("GET", path, headers=headers) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            found = []
            for line in stream.iter_lines():
                opened.set()
                if line.startswith("id: "):
                    number = int(line.removeprefix("id: "))
                if line.startswith("data: "):
                    found.append((number, json.loads(line.removeprefix("data: "))))
            return found

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(follow)
        assert opened.wait(10)
        for number in range(20):
            put(http, batch, str(number), photo(f"event {number}"))
        seal(http, batch)
        events = following.result(20)
    versions = [number for number, _ in events]
    assert versions == sorted(set(versions))
    assert events[0][1]["counts"]["declared"] == 0
    assert events[-1][1] == view(http, batch)
    assert events[-1][1]["state"] == "completed"
    assert follow(str(versions[0]))[-1] == events[-1]
    over = http.get(f"/v1/batches/{batch}/events", headers={"Last-Event-ID": str(versions[-1])})
    assert (over.status_code, over.content) == (204, b"")


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"x",W/{}', "*"])
def test_tags_are_compared_as_anywhere_else(http: httpx.Client, form: str) -> None:
    batch = new_batch(http)
    tag = http.get(f"/v1/batches/{batch}").headers["etag"]
    headers = {"If-None-Match": form.format(tag)}
    assert http.get(f"/v1/batches/{batch}", headers=headers).status_code == 304
    began = time.monotonic()
    waited = http.get(f"/v1/batches/{batch}", headers=headers | {"Prefer": "wait=1"})
    assert waited.status_code == 304
    assert form == "*" or time.monotonic() - began > 0.9


def test_events_begin_at_once_for_whoever_resumes(http: httpx.Client) -> None:
    batch = new_batch(http)
    headers = {"Last-Event-ID": str(http.get(f"/v1/batches/{batch}").headers["etag"].strip('"'))}
    began = time.monotonic()
    with http.stream("GET", f"/v1/batches/{batch}/events", headers=headers) as stream:
        assert next(stream.iter_lines()).startswith(":")
    assert time.monotonic() - began < 5


def in_progress(http: httpx.Client) -> float:
    lines = http.get("/metrics").text.splitlines()
    (value,) = [one.split()[-1] for one in lines if one.startswith("filmroll_requests_in_progress")]
    return float(value)


def test_a_client_that_leaves_its_events_is_forgotten(http: httpx.Client, service: Service) -> None:
    batch = new_batch(http)
    before = in_progress(http)
    for _ in range(5):
        with service.client() as own, own.stream("GET", f"/v1/batches/{batch}/events") as stream:
            next(stream.iter_lines())
    put(http, batch, "a", photo("nobody is told"))
    deadline = time.monotonic() + 20
    while in_progress(http) > before:
        assert time.monotonic() < deadline, "the streams go on for nobody"
        time.sleep(0.2)


def test_results_are_in_the_ledgers_order_and_by_state(http: httpx.Client) -> None:
    batch = new_batch(http)
    refs = [f"{(number * 7) % 11}" for number in range(11)]
    for number, ref in enumerate(refs):
        put(http, batch, ref, b"none" if number % 3 == 0 else photo(f"order {ref}"))
    assert list(ledger(http, batch)) == refs
    failed = http.get(f"/v1/batches/{batch}/results", params={"state": "failed"})
    assert [json.loads(line)["ref"] for line in failed.text.splitlines()] == refs[::3]
    empty = http.get(f"/v1/batches/{batch}/results", params={"state": "queued"})
    assert (empty.status_code, empty.content) == (200, b"")
    problem(http.get(f"/v1/batches/{batch}/results?state=what"), 422, "invalid-request")
    problem(http.get(f"/v1/batches/{batch}/results?what=x"), 422, "invalid-request")


def test_images_are_listed_by_their_batch(http: httpx.Client) -> None:
    batch = new_batch(http)
    images = [put(http, batch, ref, photo(ref)).json()["image"] for ref in "abc"]
    listed = http.get("/v1/images", params={"batch": batch}).json()["items"]
    assert sorted(one["id"] for one in listed) == sorted(images)
