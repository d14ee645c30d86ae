"""Batches over HTTP: opened, filled one by one, looked at, waited for, sealed, cancelled."""

import base64
import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.e2e.bulk import (
    SMALL,
    check_sums,
    declare,
    item_path,
    ledger,
    new_batch,
    photo,
    problem,
    put,
    seal,
    sha256,
    view,
    wait_until_final,
)
from tests.e2e.service import IMPATIENT, Service
from tests.samples import NOT_IMAGES, jpeg

VIEW = {
    "id", "name", "action", "state", "on_duplicate", "variants", "where", "expected_count",
    "webhook", "created_at", "expires_at", "sealed_at", "finished_at", "counts", "links",
}  # fmt: skip
COUNTS = {
    "declared", "received", "duplicate", "stored", "processing", "succeeded", "failed", "bytes",
}  # fmt: skip


# ------------------------------------------------------------------------------ made and listed


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


# ----------------------------------------------------------------------------- one by one


def test_an_item_is_put_once(http: httpx.Client) -> None:
    batch, body = new_batch(http, variants=[SMALL]), photo("put once")
    first = put(http, batch, "a.jpg", body)
    assert first.status_code == 201, first.text
    again = put(http, batch, "a.jpg", body)
    assert (again.status_code, again.json()["image"]) == (200, first.json()["image"])
    problem(put(http, batch, "a.jpg", photo("other bytes")), 409, "conflict")
    assert seal(http, batch)["counts"]["declared"] == 1
    assert wait_until_final(http, batch)["state"] == "completed"
    late = put(http, batch, "a.jpg", body)
    assert (late.status_code, late.json()["state"]) == (200, "succeeded")
    line = check_sums(http, batch)["a.jpg"]
    assert line == http.get(item_path(batch, "a.jpg")).json()
    assert (line["sha256"], line["bytes"], line["source"]) == (sha256(body), len(body), "upload")
    image = http.get(f"/v1/images/{line['image']}").json()
    assert (image["state"], image["batch"], image["ref"]) == ("ready", batch, "a.jpg")
    assert [one["state"] for one in image["variants"]] == ["ready"]
    assert http.get(line["url"]).content == body


REFS = [
    "a/b 1.jpg", "ü/日本.jpg", "..", "../../etc/passwd", "a//b", "/a", "a/", "%2F", "a?b#c&d=e",
    "a+b", "\N{CAMERA}" * 256, "é" * 512, "x" * 1024, "items", '"', "\\", "\N{NO-BREAK SPACE}",
]  # fmt: skip


@pytest.mark.parametrize("ref", REFS)
def test_a_ref_is_kept_as_it_is(http: httpx.Client, ref: str) -> None:
    batch, body = new_batch(http), photo(ref)
    path = item_path(batch, ref).replace(".", "%2E")
    answer = http.put(path, content=body)
    assert (answer.status_code, answer.json()["ref"]) == (201, ref), answer.text
    assert http.get(path).json()["image"] == answer.json()["image"]
    assert ledger(http, batch)[ref]["sha256"] == sha256(body)
    assert [one["state"] for one in declare(http, batch, {"ref": ref})] == ["have"]


@pytest.mark.parametrize("ref", ["x" * 1025, "é" * 513, "a\nb", "\0", "\x7f"])
def test_a_ref_out_of_form_is_refused(http: httpx.Client, ref: str) -> None:
    batch = new_batch(http)
    found = problem(put(http, batch, ref, photo(1)), 422, "invalid-request")
    assert found["pointer"] == "/ref"
    assert [one["state"] for one in declare(http, batch, {"ref": ref})] == ["rejected"]
    assert view(http, batch)["counts"]["declared"] == 0


def test_a_ref_is_one_segment_of_utf_8(http: httpx.Client) -> None:
    batch, body = new_batch(http), photo(1)
    here = f"/v1/batches/{batch}/items"
    assert problem(http.put(f"{here}/%FF", content=body), 422, "invalid-request")
    assert http.put(f"{here}/a/b", content=body).status_code in {404, 405}
    assert http.put(f"{here}/", content=body).status_code in {404, 405, 422}
    assert http.put(here, content=body).status_code == 405
    assert http.post(f"{here}/a", content=body).status_code == 405
    assert view(http, batch)["counts"]["declared"] == 0


def test_what_is_said_of_an_item_is_kept(http: httpx.Client) -> None:
    batch = new_batch(http, variants=[SMALL])
    said = {
        "name": "Own",
        "tag": ["t1", "t2"],
        "metadata": '{"by": "me"}',
        "variant": "flip:axis=x",
    }
    line = put(http, batch, "a.jpg", photo("said"), params=said).json()
    image = http.get(f"/v1/images/{line['image']}").json()
    assert (image["name"], image["tags"], image["metadata"]) == ("Own", ["t1", "t2"], {"by": "me"})
    assert [one["instructions"] for one in image["variants"]] == ["flip:axis=x"]
    assert (line["variants"], line["tags"]) == (["flip:axis=x"], ["t1", "t2"])
    plain = put(http, batch, "dir/b.jpg", photo("plain")).json()
    image = http.get(f"/v1/images/{plain['image']}").json()
    assert (image["name"], image["tags"]) == ("b.jpg", [])
    assert [one["instructions"] for one in image["variants"]] == [SMALL]


SAID_WRONG = [
    {"what": "x"}, {"tag": ""}, {"metadata": "[]"}, {"metadata": "{"},
    {"variant": "resize:width=no"}, {"variant": "[1]"}, {"name": ["a", "b"]},
]  # fmt: skip


@pytest.mark.parametrize("said", SAID_WRONG)
def test_what_is_said_out_of_form_is_refused(http: httpx.Client, said: dict) -> None:
    batch = new_batch(http)
    assert put(http, batch, "a.jpg", photo(1), params=said).status_code == 422
    assert view(http, batch)["counts"]["declared"] == 0


def digest_of(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@pytest.mark.parametrize("header", ["Repr-Digest", "Content-Digest"])
def test_digests_are_verified(http: httpx.Client, header: str) -> None:
    batch, body = new_batch(http), photo("digest")
    wrong = put(http, batch, "a", body, headers={header: digest_of(b"other")})
    problem(wrong, 400, "digest-mismatch")
    problem(put(http, batch, "a", body, headers={header: "sha-256=:x:"}), 400, "malformed-request")
    problem(http.get(item_path(batch, "a")), 404, "not-found")
    assert put(http, batch, "a", body, headers={header: digest_of(body)}).status_code == 201


@pytest.mark.parametrize("kind", NOT_IMAGES)
def test_what_is_no_image_fails_and_may_come_again(http: httpx.Client, kind: str) -> None:
    batch = new_batch(http)
    problem(put(http, batch, "a", NOT_IMAGES[kind]), 415, "unsupported-media")
    line = http.get(item_path(batch, "a")).json()
    assert (line["state"], line["problem"]["code"]) == ("failed", "unsupported-media")
    assert "image" not in line
    problem(put(http, batch, "a", b""), 422, "empty-body")
    good = put(http, batch, "a", photo(kind))
    assert (good.status_code, good.json()["state"], good.json()["attempts"]) == (
        201,
        "succeeded",
        2,
    )
    check_sums(http, batch)


def test_what_cannot_be_made_of_a_picture_fails_its_item(http: httpx.Client) -> None:
    batch = new_batch(http, variants=["crop:x=500,y=500,width=10,height=10"])
    found = problem(put(http, batch, "a", photo(1)), 422, "invalid-instructions")
    assert found["pointer"].startswith("/variants/0")
    assert check_sums(http, batch)["a"]["state"] == "failed"


def test_a_body_that_is_too_large_is_refused(data: Path) -> None:
    with Service(data, FILMROLL_MAX_UPLOAD_BYTES="3000000") as service, service.client() as http:
        batch = new_batch(http)
        large = jpeg(64, 48) + bytes(3_000_000)
        problem(put(http, batch, "a", large), 413, "too-large")
        problem(put(http, batch, "a", iter([large[:2000], large[2000:]])), 413, "too-large")
        declared = declare(http, batch, {"ref": "b", "bytes": 3_000_001}, {"ref": "c", "bytes": 1})
        assert [one["state"] for one in declared] == ["rejected", "need"]
        assert declared[0]["problem"]["code"] == "too-large"
        assert not list((data / "spool").glob("spool-*"))
        assert put(http, batch, "a", jpeg(64, 48)).status_code == 201


def blobs(service: Service) -> set[str]:
    """Return the names of all originals on the disk."""
    return {path.name for path in (service.data / "blobs" / "o").rglob("*") if path.is_file()}


@pytest.mark.parametrize("bodies", [1, 2, 8])
def test_of_64_clients_that_race_on_a_ref_one_wins(
    service: Service, http: httpx.Client, bodies: int
) -> None:
    batch = new_batch(http, variants=[SMALL] if bodies == 2 else [])
    sent = [photo(f"{batch} {number}") for number in range(bodies)]
    before, start = blobs(service), threading.Barrier(64)

    def race(number: int) -> tuple[int, str]:
        with service.client() as own:
            own.get("/healthz")
            start.wait()
            answer = put(own, batch, "raced", sent[number % bodies])
            return answer.status_code, sha256(sent[number % bodies])

    with ThreadPoolExecutor(64) as pool:
        outcomes = list(pool.map(race, range(64)))
    line = check_sums(http, batch)["raced"]
    assert [status for status, _ in outcomes].count(201) == 1
    for status, digest in outcomes:
        assert status in ({201, 200} if digest == line["sha256"] else {409})
    images = http.get("/v1/images", params={"batch": batch}).json()["items"]
    assert [one["id"] for one in images] == [line["image"]]
    assert blobs(service) - before == {line["image"]}
    assert http.get(line["url"]).content in sent


def test_bytes_that_are_kept_are_reused_or_rejected(http: httpx.Client) -> None:
    body = photo(f"twin {time.time()}")
    first = put(http, new_batch(http), "first", body).json()
    reuse = new_batch(http, on_duplicate="reuse", variants=[SMALL])
    answer = put(http, reuse, "a", body)
    assert (answer.status_code, answer.json()["image"]) == (200, first["image"])
    assert answer.json()["duplicate"] is True
    assert put(http, reuse, "b", body).json()["image"] == first["image"]
    seal(http, reuse)
    done = wait_until_final(http, reuse)
    assert (done["counts"]["duplicate"], done["counts"]["stored"]) == (2, 0)
    check_sums(http, reuse)
    image = http.get(f"/v1/images/{first['image']}").json()
    assert [one["state"] for one in image["variants"]] == ["ready"]
    reject = new_batch(http, on_duplicate="reject")
    found = problem(put(http, reject, "a", body), 409, "duplicate")
    assert found["image"] == first["image"]
    assert seal(http, reject)["state"] == "completed_with_errors"
    new = put(http, new_batch(http), "a", body)
    assert (new.status_code, new.json()["image"] != first["image"]) == (201, True)


# --------------------------------------------------------------------------------- how it ends


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
    states = {line["state"] for line in check_sums(http, batch).values()}
    assert states <= {"cancelled", "succeeded"}


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


# ------------------------------------------------------------------------------ looked at


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


def test_a_batch_expires(data: Path) -> None:
    """The time is told by the clock of the catalog: the batch is made older than it is."""
    import apsw  # noqa: PLC0415 -- only here is the file touched

    with Service(data) as service, service.client() as http:
        batch, body = new_batch(http, expires_in=60), photo("expires")
        kept = put(http, batch, "a", body).json()
        declare(http, batch, {"ref": "never"})
        connection = apsw.Connection(str(data / "catalog.db"))
        connection.set_busy_timeout(5000)
        connection.execute("UPDATE batches SET expires_at = ?", (datetime.now(UTC).timestamp(),))
        connection.close()
        found = wait_until_final(http, batch)
        assert found["state"] == "expired"
        assert found["finished_at"] is not None
        problem(put(http, batch, "b", body), 409, "conflict")
        problem(http.post(f"/v1/batches/{batch}/seal", json={}), 409, "conflict")
        assert put(http, batch, "a", body).status_code == 200
        assert http.get(kept["url"]).content == body
        assert quote("never") in check_sums(http, batch)
