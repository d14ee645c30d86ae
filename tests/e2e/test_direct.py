"""Parts that a client sends straight to S3, by signed URLs; only their completion comes here."""

import hashlib
from collections.abc import Iterator

import httpx
import pytest

from deploy.local.cluster import Stores, create_stores
from deploy.local.http import ask
from filmroll.model import new_id
from tests.e2e.parts import LEAST, complete, cut, heavy_png, listed, problem, put
from tests.e2e.service import Service
from tests.e2e.test_upload import THUMB
from tests.samples import jpeg


@pytest.fixture(scope="module")
def service(tmp_path_factory, seaweedfs, ministack) -> Iterator[Service]:
    variables = Stores(seaweedfs, ministack).variables(new_id())
    create_stores(variables)
    with Service(tmp_path_factory.mktemp("direct") / "data", **variables) as running:
        yield running


def begin(http: httpx.Client, body: bytes, **fields: object) -> str:
    said = {"bytes": len(body), "part_bytes": LEAST, **fields}
    answer = http.post("/v1/uploads", json=said)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def urls(http: httpx.Client, upload: str, numbers: list[int]) -> list[dict]:
    answer = http.post(f"/v1/uploads/{upload}/part-urls", json={"parts": numbers})
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [one["n"] for one in items] == numbers
    return items


def straight(way: dict, body: bytes) -> httpx.Response:
    """Send a part as its URL says."""
    return ask("PUT", way["url"], content=body, headers=way["headers"])


def send_straight(http: httpx.Client, upload: str, parts: dict[int, bytes]) -> dict[int, str]:
    ways = urls(http, upload, sorted(parts))
    answers = {way["n"]: straight(way, parts[way["n"]]) for way in ways}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {number: answer.headers["etag"] for number, answer in answers.items()}


def test_an_image_whose_parts_went_straight_to_the_store(http: httpx.Client) -> None:
    body = heavy_png(seed=31)
    upload = begin(http, body, variants=[THUMB], sha256=hashlib.sha256(body).hexdigest())
    etags = send_straight(http, upload, cut(body))
    answer = complete(http, upload, listed(etags))
    assert answer.status_code == 201, answer.text
    image = answer.json()
    assert (image["state"], image["sha256"]) == ("ready", hashlib.sha256(body).hexdigest())
    assert http.get(image["url"]).content == body
    again = complete(http, upload, listed(etags))
    assert (again.status_code, again.json()["id"]) == (201, image["id"])


def test_some_parts_may_come_by_the_service(http: httpx.Client) -> None:
    body = heavy_png(seed=32)
    parts = cut(body)
    upload = begin(http, body)
    etags = send_straight(http, upload, {1: parts[1], 3: parts[3]})
    etags[2] = put(http, upload, 2, parts[2]).headers["etag"]
    for number in set(parts) - {1, 2, 3}:
        etags[number] = put(http, upload, number, parts[number]).headers["etag"]
    assert complete(http, upload, listed(etags)).json()["bytes"] == len(body)


def test_a_url_is_good_for_one_object_of_one_size(http: httpx.Client) -> None:
    body = jpeg(600, 400, seed=33)
    upload = begin(http, body)
    (way,) = urls(http, upload, [1])
    assert way["expires_at"]
    longer = {**way["headers"], "Content-Length": str(len(body) + 1)}
    assert ask("PUT", way["url"], content=body + b"x", headers=longer).status_code in {400, 403}
    sent = straight(way, body)
    assert sent.status_code == 200
    assert straight(way, bytes(len(body))).status_code == 412, "used again"
    image = complete(http, upload, listed({1: sent.headers["etag"]})).json()
    assert http.get(image["url"]).content == body
    straight(way, bytes(len(body)))  # late: what it may leave belongs to nobody
    assert http.get(image["url"]).content == body


def test_what_was_sent_before_is_told(http: httpx.Client) -> None:
    body = heavy_png(seed=34)
    parts = cut(body)
    upload = begin(http, body)
    etags = send_straight(http, upload, {2: parts[2]})
    first, second = urls(http, upload, [1, 2])
    assert "url" in first
    assert (second["bytes"], f'"{second["etag"]}"') == (len(parts[2]), etags[2])
    assert "url" not in second


def test_what_the_whole_is_not_fails(http: httpx.Client) -> None:
    body = jpeg(300, 200, seed=35)
    wrong = begin(http, body, sha256="ab" * 32)
    etags = send_straight(http, wrong, {1: body})
    assert problem(complete(http, wrong, listed(etags))) == (400, "digest-mismatch")
    text = b"no picture " * 1000
    none = begin(http, text)
    etags = send_straight(http, none, {1: text})
    assert problem(complete(http, none, listed(etags))) == (415, "unsupported-media")


def test_a_part_that_is_not_there_or_another_is_refused(http: httpx.Client) -> None:
    body = heavy_png(seed=36)
    upload = begin(http, body)
    etags = send_straight(http, upload, cut(body))
    for wrong in ({**etags, 2: '"0123456789abcdef0123456789abcdef"'}, {1: etags[2], 2: etags[1]}):
        assert problem(complete(http, upload, listed(wrong)))[0] == 422
    assert complete(http, upload, listed(etags)).status_code == 201


def test_what_cannot_be_signed(http: httpx.Client) -> None:
    body = heavy_png(seed=37)
    upload = begin(http, body)
    for numbers in ([], [0], [99], list(range(1, 200))):
        answer = http.post(f"/v1/uploads/{upload}/part-urls", json={"parts": numbers})
        assert problem(answer)[0] == 422
    unsized = http.post("/v1/uploads", json={}).json()["id"]
    answer = http.post(f"/v1/uploads/{unsized}/part-urls", json={"parts": [1]})
    assert (problem(answer), answer.json()["pointer"]) == ((422, "invalid-request"), "/bytes")
    http.delete(f"/v1/uploads/{upload}")
    answer = http.post(f"/v1/uploads/{upload}/part-urls", json={"parts": [1]})
    assert problem(answer) == (410, "upload-gone")


def test_an_open_upload_stays_open_as_after_a_part(http: httpx.Client) -> None:
    body = jpeg(300, 200, seed=38)
    upload = begin(http, body, expires_in=3600)
    before = http.get(f"/v1/uploads/{upload}").json()["expires_at"]
    urls(http, upload, [1])
    assert http.get(f"/v1/uploads/{upload}").json()["expires_at"] > before
