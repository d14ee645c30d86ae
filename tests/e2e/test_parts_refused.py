"""Parts, lists and uploads that are refused, as S3 refuses them; the upload stays as it was."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from filmroll.model import new_id
from tests.e2e import raw
from tests.e2e.parts import (
    LEAST,
    archive,
    batch_ended,
    begin,
    complete,
    cut,
    ended,
    heavy_png,
    kept,
    listed,
    problem,
    put,
    send_all,
    sent,
)
from tests.e2e.service import AWS, Service
from tests.e2e.test_access import bearer, make_key
from tests.e2e.test_upload import THUMB
from tests.samples import tiny_jpeg

GIB = 1 << 30


def digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@pytest.fixture
def upload(http: httpx.Client) -> str:
    return begin(http)


@pytest.mark.parametrize(
    ("fields", "status", "pointer"),
    [
        ({"purpose": "film"}, 422, "/purpose"),
        ({"unknown": 1}, 422, "/unknown"),
        ({"bytes": 0}, 422, "/bytes"),
        ({"bytes": 5 * GIB + 1}, 413, None),
        ({"bytes": 50_000 * GIB + 1, "purpose": "archive"}, 413, None),
        ({"part_bytes": LEAST - 1}, 422, "/part_bytes"),
        ({"part_bytes": 5 * GIB + 1}, 422, "/part_bytes"),
        ({"bytes": 100 * GIB, "part_bytes": LEAST, "purpose": "archive"}, 422, "/part_bytes"),
        ({"sha256": "no"}, 422, "/sha256"),
        ({"expires_in": 8 * 86_400}, 422, "/expires_in"),
        ({"variants": ["resize:width=0"]}, 422, "/variants/0/0/width"),
        ({"batch": new_id(), "ref": "a"}, 422, "/batch"),
        ({"batch": new_id()}, 422, "/ref"),
        ({"ref": "a"}, 422, "/ref"),
        ({"purpose": "archive", "ref": "a"}, 422, "/ref"),
        ({"purpose": "archive", "tags": ["t"]}, 422, "/tags"),
        ({"purpose": "archive", "batch": new_id(), "variants": [THUMB]}, 422, "/variants"),
        ({"name": "a\n"}, 422, "/name"),
    ],
)
def test_what_cannot_be_is_refused_at_the_beginning(
    http: httpx.Client, fields: dict[str, object], status: int, pointer: str | None
) -> None:
    answer = http.post("/v1/uploads", json=fields)
    assert (answer.status_code, answer.json().get("pointer")) == (status, pointer), answer.text


@pytest.mark.parametrize("number", ["0", "10001", "-1", "one", "1.5", "99999999999"])
def test_parts_have_the_numbers_1_to_10000(http: httpx.Client, upload: str, number: str) -> None:
    answer = http.put(f"/v1/uploads/{upload}/parts/{number}", content=b"x")
    assert problem(answer) == (422, "invalid-request")


def test_the_last_number_is_taken(http: httpx.Client, upload: str) -> None:
    assert put(http, upload, 10_000, b"x").status_code == 200


def test_a_part_with_wrong_digests_is_not_kept(http: httpx.Client, upload: str) -> None:
    body, other = b"a part", b"another"
    md5 = base64.b64encode(hashlib.md5(other).digest()).decode()
    for wrong in ({"content_md5": md5}, {"content_digest": digest(other)}):
        assert problem(put(http, upload, 1, body, **wrong)) == (400, "digest-mismatch")
    for broken in ({"content_md5": "?"}, {"content_md5": "AAAA"}, {"repr_digest": "sha-256=:A:"}):
        assert problem(put(http, upload, 1, body, **broken)) == (400, "malformed-request")
    assert kept(http, upload) == []
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    right = put(http, upload, 1, body, content_md5=md5, content_digest=digest(body))
    assert right.headers["etag"] == f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def test_an_empty_part_is_none(http: httpx.Client, upload: str) -> None:
    assert problem(put(http, upload, 1, b"")) == (422, "empty-body")


def test_a_part_that_is_too_large_is_refused_before_its_body(http: httpx.Client) -> None:
    upload = begin(http, bytes=LEAST)
    assert problem(put(http, upload, 1, bytes(LEAST + 1))) == (413, "too-large")


def test_one_part_has_at_most_five_gibibytes(http: httpx.Client, service: Service) -> None:
    path = f"/v1/uploads/{begin(http)}/parts/1"
    with raw.connected(service) as connection:
        connection.sendall(raw.head("PUT", path, Content_Length=5 * GIB + 1, Expect="100-continue"))
        response, body = raw.answer(connection)
    assert (response.status, json.loads(body)["limit"]) == (413, 5 * GIB)


def test_a_part_of_unknown_length_is_refused_at_its_limit(http: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (bytes(1 << 20) for _ in range(6))

    upload = begin(http, bytes=LEAST)
    answer = http.put(f"/v1/uploads/{upload}/parts/1", content=chunks())
    assert problem(answer) == (413, "too-large")


def test_wrong_lists_are_refused_and_the_upload_stays_open(http: httpx.Client) -> None:
    body = heavy_png(seed=2)
    parts = cut(body)
    upload = begin(http, bytes=len(body))
    right = send_all(http, upload, parts)
    put(http, upload, 7, b"one too many")
    etags = [str(part["etag"]) for part in right]
    wrong = {
        "invalid-part-order": [[], right[::-1], right[1:], [right[0], right[2]], right[:1] * 2],
        "invalid-part": [
            listed({1: etags[0], 2: etags[0], 3: etags[2]}),
            listed(dict.fromkeys(range(1, 12), "x")),
        ],
        "size-mismatch": [right[:2]],
    }
    for code, lists in wrong.items():
        for one in lists:
            assert problem(complete(http, upload, one)) == (422, code), one
    over = [{"n": n, "etag": "x"} for n in range(1, 10_002)]
    assert problem(complete(http, upload, over)) == (422, "invalid-part")
    assert http.get(f"/v1/uploads/{upload}").json()["state"] == "open"
    assert complete(http, upload, right).status_code == 201


def test_all_parts_but_the_last_have_five_mebibytes(http: httpx.Client, upload: str) -> None:
    parts = send_all(http, upload, {1: bytes(LEAST - 1), 2: b"x"})
    answer = complete(http, upload, parts)
    assert problem(answer) == (422, "part-too-small")
    assert answer.json()["pointer"] == "/parts/0"


def test_the_digest_of_the_whole_is_verified(http: httpx.Client) -> None:
    body = tiny_jpeg(11)
    right, wrong = hashlib.sha256(body).hexdigest(), "0" * 64
    assert sent(http, body, sha256=right).status_code == 201
    assert problem(sent(http, body, sha256=wrong)) == (400, "digest-mismatch")
    upload = begin(http, sha256=right)
    parts = send_all(http, upload, {1: body})
    assert problem(complete(http, upload, parts, sha256=wrong)) == (422, "invalid-request")
    assert complete(http, upload, parts, sha256=right).status_code == 201
    archived = begin(http, purpose="archive")
    parts = send_all(http, archived, {1: archive({"a.jpg": body})})
    batch = complete(http, archived, parts, sha256=wrong).json()["id"]
    assert ended(http, archived)["problem"]["code"] == "digest-mismatch"
    assert batch_ended(http, batch)["counts"]["succeeded"] == 0


def test_what_is_no_image_has_failed(http: httpx.Client) -> None:
    upload = begin(http)
    parts = send_all(http, upload, {1: b"no image"})
    for _ in range(2):
        assert problem(complete(http, upload, parts)) == (415, "unsupported-media")
    assert problem(put(http, upload, 1, b"x")) == (409, "conflict")
    assert http.get(f"/v1/uploads/{upload}").json()["state"] == "failed"


def test_bytes_can_be_sent_directly_only_where_the_store_signs_for_it(
    http: httpx.Client, upload: str
) -> None:
    answer = http.post(f"/v1/uploads/{upload}/part-urls", json={"parts": [1, 2]})
    # To S3 they could, had this upload said how many bytes it will have.
    refusal = (422, "invalid-request") if AWS else (409, "direct-not-supported")
    assert problem(answer) == refusal
    wrong = http.post(f"/v1/uploads/{upload}/part-urls", json={"parts": [0]})
    assert wrong.status_code == 422


def test_unknown_uploads_are_unknown(http: httpx.Client) -> None:
    for unknown in (new_id(), "x", "%2e%2e"):
        path = f"/v1/uploads/{unknown}"
        requests = [
            http.get(path),
            http.delete(path),
            http.put(f"{path}/parts/1", content=b"x"),
            http.post(f"{path}/complete", json={"parts": []}),
        ]
        assert [answer.status_code for answer in requests] == [404] * 4


def test_keys_and_scopes_are_asked_for_on_every_route(data: Path) -> None:
    keys = {scope: bearer(make_key(data, scope, scope)) for scope in ("read", "upload")}
    with Service(data, FILMROLL_ACCESS="keys") as service, service.client() as http:
        made = http.post("/v1/uploads", json={}, headers=keys["upload"]).json()["id"]
        here = f"/v1/uploads/{made}"
        routes = [
            ("POST", "/v1/uploads", b"{}"), ("GET", here, b""), ("PUT", f"{here}/parts/1", b"x"),
            ("POST", f"{here}/part-urls", b'{"parts": []}'),
            ("POST", f"{here}/complete", b'{"parts": []}'), ("DELETE", here, b""),
        ]  # fmt: skip
        for method, path, body in routes:
            kind = {"Content-Type": "application/json"}
            statuses = [
                http.request(method, path, content=body, headers=kind | key).status_code
                for key in ({}, bearer("fr_unknown"), keys["read"], keys["upload"])
            ]
            assert statuses[:3] == [401, 401, 403], (method, path)
            assert statuses[3] not in {401, 403}, (method, path)
