"""Items of batches over HTTP, one by one: refs, digests, races, bytes that are kept already."""

import base64
import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
from tests.e2e.service import Service
from tests.e2e.stored import Stored
from tests.samples import NOT_IMAGES, jpeg


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
    """Return the names of all originals."""
    return Stored(service.data).names("o")


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
