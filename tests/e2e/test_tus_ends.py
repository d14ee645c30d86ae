"""tus 1.0.0: what uploads become, alone or joined, and how they are ended."""

import hashlib
import time

import httpx
import pytest

from tests.e2e.parts import archive, batch_ended, heavy_png, problem
from tests.e2e.service import Service
from tests.e2e.test_upload import THUMB
from tests.e2e.tus import (
    SPOKEN,
    become,
    begin,
    metadata,
    patch,
    post,
    standing,
)
from tests.samples import tiny_jpeg

BODY = tiny_jpeg(75)
HALF = len(BODY) // 2


@pytest.fixture
def url(http: httpx.Client) -> str:
    """An upload that awaits ``BODY``."""
    return begin(http, len(BODY))


def test_the_last_answer_says_what_it_has_become(http: httpx.Client) -> None:
    said = metadata(filename="a.jpg", tags='["t"]', metadata='{"n": 1}', variants=f'["{THUMB}"]')
    begun = post(http, {"Upload-Length": str(len(BODY)), **said}, BODY)
    image = http.get(begun.headers["content-location"]).json()
    assert (image["state"], image["name"], image["tags"]) == ("ready", "a.jpg", ["t"])
    assert image["metadata"] == {"n": 1}
    assert http.get(image["variants"][0]["url"]).status_code == 200


def test_nobody_has_to_wait(http: httpx.Client) -> None:
    body = heavy_png(1)
    url = begin(http, len(body))
    ended = patch(http, url, 0, body, Prefer="respond-async")
    job = ended.headers["content-location"]
    assert job.startswith("/v1/jobs/")
    until = time.monotonic() + 30
    while standing(http, url).headers["content-location"] == job:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert become(http, url) == body


def test_an_answer_that_got_lost_is_given_again(http: httpx.Client, url: str) -> None:
    first = patch(http, url, 0, BODY)
    again = patch(http, url, len(BODY), b"")
    assert again.status_code == 204
    assert again.headers["content-location"] == first.headers["content-location"]
    assert problem(patch(http, url, 0, BODY)) == (409, "offset-mismatch")


@pytest.mark.parametrize("by", ["POST", "PATCH"])
def test_what_is_no_image_has_come_to_nothing(http: httpx.Client, by: str) -> None:
    body = b"no picture at all"
    if by == "POST":
        assert problem(post(http, {"Upload-Length": "17"}, body)) == (415, "unsupported-media")
        return
    url = begin(http, len(body))
    assert problem(patch(http, url, 0, body)) == (415, "unsupported-media")
    gone = standing(http, url)
    assert gone.status_code == 410
    assert "upload-offset" not in gone.headers
    assert problem(patch(http, url, len(body), b"")) == (410, "upload-gone")


def test_a_digest_of_the_whole_is_verified(http: httpx.Client) -> None:
    said = metadata(sha256=hashlib.sha256(b"other").hexdigest())
    assert problem(post(http, {"Upload-Length": str(len(BODY)), **said}, BODY)) == (
        400,
        "digest-mismatch",
    )


def test_an_upload_may_be_an_item(http: httpx.Client) -> None:
    batch = http.post("/v1/batches", json={}).json()["id"]
    said = metadata(batch=batch, ref="a/1.jpg", filename="a.jpg")
    assert post(http, {"Upload-Length": str(len(BODY)), **said}, BODY).status_code == 201
    line = http.get(f"/v1/batches/{batch}/items/a%2F1.jpg").json()
    assert (line["sha256"], line["name"]) == (hashlib.sha256(BODY).hexdigest(), "a.jpg")


def test_what_a_closed_batch_cannot_take_is_gone(http: httpx.Client) -> None:
    """Not 409: clients would take it for a wrong offset, and send all of it again."""
    batch = http.post("/v1/batches", json={}).json()["id"]
    url = begin(http, len(BODY), **metadata(batch=batch, ref="a"))
    http.post(f"/v1/batches/{batch}/seal")
    assert problem(patch(http, url, 0, BODY)) == (410, "upload-gone")
    assert standing(http, url).status_code == 404


def test_an_archive_becomes_a_batch(http: httpx.Client) -> None:
    body = archive({"a.jpg": tiny_jpeg(73), "b.jpg": tiny_jpeg(74)})
    begun = post(http, {"Upload-Length": str(len(body)), **metadata(purpose="archive")}, body)
    where = begun.headers["content-location"]
    batch = batch_ended(http, where.removeprefix("/v1/batches/"))
    assert batch["counts"]["succeeded"] == 2
    assert standing(http, begun.headers["location"]).headers["content-location"] == where


def test_termination(http: httpx.Client, url: str) -> None:
    patch(http, url, 0, BODY[:HALF])
    assert http.delete(url, headers=SPOKEN).status_code == 204
    assert standing(http, url).status_code == 404
    assert problem(patch(http, url, HALF, BODY[HALF:])) == (404, "not-found")
    assert http.delete(url, headers=SPOKEN).status_code == 404


def test_it_is_too_late_to_end_what_is_completed(http: httpx.Client, url: str) -> None:
    patch(http, url, 0, BODY)
    assert problem(http.delete(url, headers=SPOKEN)) == (403, "upload-settled")
    assert become(http, url) == BODY


# --------------------------------------------------------------------------------- concatenation


def piece(http: httpx.Client, body: bytes, size: int | None = None) -> str:
    """Begin a partial upload; return its URL."""
    said = {"Upload-Length": str(size or len(body)), "Upload-Concat": "partial"}
    begun = post(http, {**said, **metadata(filename="piece")}, body)
    assert begun.status_code == 201, begun.text
    assert "content-location" not in begun.headers
    return str(begun.headers["location"])


def join(http: httpx.Client, *urls: str, **said: str) -> httpx.Response:
    return post(http, {"Upload-Concat": f"final;{' '.join(urls)}", **said})


def test_uploads_are_joined_in_the_order_that_is_said(service: Service, http: httpx.Client) -> None:
    second, first = piece(http, BODY[HALF:]), piece(http, BODY[:HALF])
    joined = join(http, f"{service.url}{first}", second, **metadata(filename="a.jpg"))
    assert joined.status_code == 201, joined.text
    assert joined.headers["upload-offset"] == str(len(BODY))
    url = joined.headers["location"]
    assert become(http, url) == BODY
    found = standing(http, url)
    assert found.headers["upload-length"] == str(len(BODY))
    assert found.headers["upload-concat"] == f"final;{first} {second}"
    assert http.get(found.headers["content-location"]).json()["name"] == "a.jpg"
    assert standing(http, first).headers["upload-concat"] == "partial"
    refused = patch(http, url, len(BODY), b"x")
    assert problem(refused) == (403, "upload-settled")


def test_to_join_twice_is_to_join_once(http: httpx.Client) -> None:
    pieces = [piece(http, BODY[:HALF]), piece(http, BODY[HALF:])]
    first, second = join(http, *pieces), join(http, *pieces)
    assert first.headers["location"] == second.headers["location"]
    assert first.headers["content-location"] == second.headers["content-location"]
    elsewhere = join(http, pieces[0])
    assert problem(elsewhere) == (403, "upload-settled")


def test_unfinished_uploads_may_be_joined(http: httpx.Client) -> None:
    first, second = piece(http, BODY[:9], HALF), piece(http, b"", len(BODY) - HALF)
    url = join(http, first, second).headers["location"]
    unfinished = standing(http, url)
    assert "upload-offset" not in unfinished.headers
    assert unfinished.headers["upload-concat"] == f"final;{first} {second}"
    patch(http, second, 0, BODY[HALF:])
    assert "upload-offset" not in standing(http, url).headers
    patch(http, first, 9, BODY[9:HALF])
    until = time.monotonic() + 20
    while not standing(http, url).headers["content-location"].startswith("/v1/images/"):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert become(http, url) == BODY


def test_only_partial_uploads_are_joined(http: httpx.Client, url: str) -> None:
    assert problem(join(http, url)) == (422, "invalid-request")
    gone = piece(http, BODY)
    http.delete(gone, headers=SPOKEN)
    assert problem(join(http, gone)) == (404, "not-found")


def test_what_is_joined_can_no_more_be_ended(http: httpx.Client) -> None:
    first, second = piece(http, BODY[:HALF]), piece(http, b"", len(BODY) - HALF)
    url = join(http, first, second).headers["location"]
    assert problem(http.delete(first, headers=SPOKEN)) == (403, "upload-settled")
    assert http.delete(url, headers=SPOKEN).status_code == 204
    assert standing(http, url).status_code == 404
