"""Batches over HTTP: opened, listed, sealed, cancelled, begun anew, expired."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.e2e.bulk import (
    SMALL,
    check_sums,
    declare,
    ledger,
    new_batch,
    photo,
    problem,
    put,
    seal,
    view,
    wait_until_final,
)
from tests.e2e.service import IMPATIENT, Service, until
from tests.e2e.stored import expire_batch
from tests.samples import jpeg

VIEW = {
    "id", "name", "action", "state", "on_duplicate", "variants", "where", "expected_count",
    "webhook", "created_at", "expires_at", "sealed_at", "finished_at", "counts", "links",
}  # fmt: skip
COUNTS = {
    "declared", "received", "duplicate", "stored", "processing", "succeeded", "failed", "bytes",
}  # fmt: skip


def test_a_batch_is_opened(http: httpx.Client) -> None:
    fields = {"name": "a batch", "variants": ["resize:w=20"], "on_duplicate": "reuse"}
    answer = http.post("/v1/batches", json=fields | {"expected_count": 2, "expires_in": 60})
    made = answer.json()
    assert answer.status_code == 201, made
    assert answer.headers["location"] == made["links"]["self"] == f"/v1/batches/{made['id']}"
    assert made.keys() == VIEW
    assert made["counts"] == dict.fromkeys(COUNTS, 0)
    assert (made["state"], made["action"], made["name"]) == ("open", "upload", "a batch")
    assert (made["variants"], made["on_duplicate"]) == (["resize:width=20"], "reuse")
    span = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert span.total_seconds() == pytest.approx(60, abs=0.01)
    again = http.get(made["links"]["self"])
    assert again.json() == made
    assert again.headers["etag"] == answer.headers["etag"]


WRONG = [
    ({"what": 1}, "/what"),
    ({"name": ""}, "/name"),
    ({"name": "a\nb"}, "/name"),
    ({"name": 7}, "/name"),
    ({"variants": ["resize:width=none"]}, "/variants/0"),
    ({"variants": ["no-such-preset"]}, "/variants/0"),
    ({"variants": [SMALL, "resize:width=0"]}, "/variants/1"),
    ({"variants": [f"resize:width={n}" for n in range(1, 52)]}, "/variants"),
    ({"on_duplicate": "what"}, "/on_duplicate"),
    ({"expected_count": -1}, "/expected_count"),
    ({"expires_in": 59}, "/expires_in"),
    ({"expires_in": 10**9}, "/expires_in"),
    ({"action": "what"}, "/action"),
    ({"action": "delete"}, "/where"),
    ({"action": "delete", "where": {}}, "/where"),
    ({"action": "delete", "where": {"what": "x"}}, "/where/what"),
    ({"action": "delete", "where": {"tag": ""}}, "/where/tag"),
    ({"action": "delete", "where": {"batch": ""}}, "/where/batch"),
    ({"action": "delete", "where": {"sha256": ""}}, "/where/sha256"),
    ({"action": "delete", "where": {"created_after": "today"}}, "/where/created_after"),
    ({"action": "variants", "where": {"tag": "x"}}, "/variants"),
    ({"where": {"tag": "x"}}, "/where"),
]


@pytest.mark.parametrize(("fields", "pointer"), WRONG)
def test_a_batch_out_of_form_is_refused(http: httpx.Client, fields: dict, pointer: str) -> None:
    answer = http.post("/v1/batches", json=fields)
    assert answer.status_code == 422, answer.text
    assert answer.json()["pointer"].startswith(pointer)


def test_a_body_that_is_no_json_object_is_refused(http: httpx.Client) -> None:
    json_type = {"Content-Type": "application/json"}
    for body in (b"", b"{", b"[]", b"\xff", b"null"):
        answer = http.post("/v1/batches", content=body, headers=json_type)
        assert answer.status_code in {400, 422}, answer.text


def test_batches_are_listed_newest_first(http: httpx.Client) -> None:
    made = [new_batch(http, name="listed") for _ in range(5)]
    seal(http, made[0])
    listed, cursor = [], None
    while True:
        query = {"name": "listed", "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = http.get("/v1/batches", params=query).json()
        listed += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert listed == made[::-1]
    found = http.get("/v1/batches", params={"name": "listed", "state": "completed"}).json()
    assert [one["id"] for one in found["items"]] == made[:1]
    for query in ({"state": "what"}, {"limit": 0}, {"limit": 201}, {"cursor": "x"}, {"what": "x"}):
        problem(http.get("/v1/batches", params=query), 422, "invalid-request")


@pytest.mark.parametrize("batch", ["0" * 26, "x", "%00", "a" * 300])
def test_a_batch_that_is_not_is_not_found(http: httpx.Client, batch: str) -> None:
    here = f"/v1/batches/{batch}"
    for answer in (
        http.get(here),
        http.delete(here),
        http.get(f"{here}/events"),
        http.get(f"{here}/results"),
        http.post(f"{here}/seal", json={}),
        http.post(f"{here}/retry"),
        http.get(f"{here}/items/a"),
        http.put(f"{here}/items/a", content=b"x"),
        http.post(f"{here}/items", content=b"{}", headers={"Content-Type": "application/x-ndjson"}),
        http.post(f"{here}/archive", content=b"x"),
    ):
        problem(answer, 404, "not-found")


def test_a_batch_is_opened_once_under_a_key(http: httpx.Client) -> None:
    headers = {"Idempotency-Key": f"batch-{time.time()}"}
    send = lambda fields: http.post("/v1/batches", json=fields, headers=headers)  # noqa: E731 -- short
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, [{"name": "once"}] * 8))
    made = {one.json()["id"] for one in answers if one.status_code == 201}
    assert len(made) == 1
    assert {one.status_code for one in answers} <= {201, 409}
    first, again = answers[[one.status_code for one in answers].index(201)], send({"name": "once"})
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["location"] == first.headers["location"]
    problem(send({"name": "other"}), 422, "idempotency-key-reused")


def test_a_sealed_batch_takes_nothing_more(http: httpx.Client) -> None:
    batch, body = new_batch(http), photo("sealed")
    put(http, batch, "a", body)
    declare(http, batch, {"ref": "never"})
    sealed = seal(http, batch)
    assert (sealed["state"], sealed["counts"]["failed"]) == ("completed_with_errors", 1)
    assert seal(http, batch) == sealed
    assert put(http, batch, "a", body).status_code == 200
    for ref in ("never", "new"):
        assert (
            problem(put(http, batch, ref, photo(ref)), 409, "conflict")["state"] == sealed["state"]
        )
    lines = check_sums(http, batch)
    assert lines["never"]["problem"]["code"] == "not-received"
    assert http.post(f"/v1/batches/{batch}/seal").json() == sealed  # a body is not needed


def test_a_count_that_is_not_what_was_expected_does_not_seal(http: httpx.Client) -> None:
    batch = new_batch(http, expected_count=2)
    put(http, batch, "a", photo("counted"))
    found = problem(http.post(f"/v1/batches/{batch}/seal", json={}), 409, "conflict")
    assert (found["expected"], found["actual"]) == (2, 1)
    problem(http.post(f"/v1/batches/{batch}/seal", json={"expected_count": 3}), 409, "conflict")
    answer = http.post(f"/v1/batches/{batch}/seal", json={"expected_count": -1})
    problem(answer, 422, "invalid-request")
    assert view(http, batch)["state"] == "open"
    assert seal(http, batch, expected_count=1)["state"] == "completed"


def test_a_cancelled_batch_is_over(http: httpx.Client) -> None:
    batch, body = new_batch(http), photo("cancelled")
    kept = put(http, batch, "a", body).json()
    declare(http, batch, {"ref": "never"})
    cancelled = http.delete(f"/v1/batches/{batch}")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert http.delete(f"/v1/batches/{batch}").json() == cancelled.json()
    problem(http.post(f"/v1/batches/{batch}/seal", json={}), 409, "conflict")
    problem(http.post(f"/v1/batches/{batch}/retry"), 409, "conflict")
    problem(put(http, batch, "new", body), 409, "conflict")
    assert http.get(kept["url"]).content == body
    assert check_sums(http, batch).keys() == {"a", "never"}


def test_a_batch_that_is_cancelled_while_its_jobs_run_comes_to_rest(data: Path) -> None:
    with Service(data, module=IMPATIENT) as service, service.client() as http:
        batch = new_batch(http, variants=["resize:width=900/output:format=avif", "flip:axis=x"])
        for number in range(30):
            assert put(http, batch, str(number), jpeg(1200, 900, seed=number % 2)).is_success
        http.delete(f"/v1/batches/{batch}")
        deadline = time.monotonic() + 40
        while any(line["state"] == "processing" for line in ledger(http, batch).values()):
            assert time.monotonic() < deadline, view(http, batch)["counts"]
            time.sleep(0.2)
        lines = check_sums(http, batch)
        states = [line["state"] for line in lines.values()]
        assert states.count("cancelled") > 0
        assert states.count("cancelled") + states.count("succeeded") == 30
        assert view(http, batch)["state"] == "cancelled"
        for line in lines.values():
            image = http.get(f"/v1/images/{line['image']}").json()
            assert image["state"] == "ready"
            assert {one["state"] for one in image["variants"]} <= {"ready"}


def test_an_image_that_is_deleted_under_way_ends_its_line(http: httpx.Client) -> None:
    batch = new_batch(http, variants=["resize:width=900,enlarge=true/output:format=avif"])
    images = [
        put(http, batch, str(n), jpeg(640, 480, seed=n % 3)).json()["image"] for n in range(6)
    ]
    for image in images[::-1]:
        assert http.delete(f"/v1/images/{image}").status_code == 204
    seal(http, batch)
    assert wait_until_final(http, batch)["state"] == "completed"
    ended = {"cancelled", "succeeded"}  # in a cluster, each process knows it in its own time
    until(lambda: {line["state"] for line in check_sums(http, batch).values()} <= ended)


def test_failed_lines_are_begun_anew(http: httpx.Client) -> None:
    """A watermark that is deleted meanwhile fails the items; nothing but a retry helps them."""
    mark = http.post("/v1/images", content=jpeg(20, 20)).json()["id"]
    batch = new_batch(http, variants=[f"watermark:image={mark}"])
    http.delete(f"/v1/images/{mark}")
    for ref in "ab":
        assert put(http, batch, ref, photo(ref)).status_code == 201
    put(http, batch, "c", b"no picture")
    seal(http, batch)
    done = wait_until_final(http, batch)
    assert (done["state"], done["counts"]["failed"]) == ("completed_with_errors", 3)
    assert check_sums(http, batch)["a"]["problem"]["code"] == "unknown-watermark"
    again = http.post(f"/v1/batches/{batch}/retry").json()
    assert (again["state"], again["finished_at"]) == ("sealed", None)
    assert wait_until_final(http, batch)["counts"]["failed"] == 3
    lines = check_sums(http, batch)
    assert [lines[ref].get("attempts") for ref in "abc"] == [1, 1, None]


def test_a_retry_of_nothing_changes_nothing(http: httpx.Client) -> None:
    batch = new_batch(http)
    put(http, batch, "c", b"no picture")
    before = seal(http, batch)
    assert http.post(f"/v1/batches/{batch}/retry").json() == before


def test_a_batch_expires(data: Path) -> None:
    with Service(data) as service, service.client() as http:
        batch, body = new_batch(http, expires_in=60), photo("expires")
        kept = put(http, batch, "a", body).json()
        declare(http, batch, {"ref": "never"})
        expire_batch(data, batch, time.time())
        found = wait_until_final(http, batch)
        assert found["state"] == "expired"
        assert found["finished_at"] is not None
        problem(put(http, batch, "b", body), 409, "conflict")
        problem(http.post(f"/v1/batches/{batch}/seal", json={}), 409, "conflict")
        assert put(http, batch, "a", body).status_code == 200
        assert http.get(kept["url"]).content == body
        assert quote("never") in check_sums(http, batch)
