"""One image in, its variants out."""

import base64
import hashlib
import json
import time

import httpx
import pytest
import pyvips

from tests.samples import jpeg, png, tiny_jpeg

THUMB = "resize:width=100/output:format=webp"


def upload(http: httpx.Client, body: bytes, *variants: str, **headers: str) -> httpx.Response:
    params = [("variant", one) for one in variants]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.post("/v1/images", content=body, params=params, headers=named)


def test_an_upload_answers_with_the_whole_image(http: httpx.Client) -> None:
    body = jpeg(640, 480, seed=1)
    answer = http.post(
        "/v1/images",
        content=body,
        params=[("name", "a b.jpg"), ("tag", "red"), ("tag", "blue"), ("metadata", '{"n": 1}')],
        headers={"Content-Type": "image/jpeg"},
    )
    assert answer.status_code == 201, answer.text
    image = answer.json()
    assert answer.headers["location"] == f"/v1/images/{image['id']}"
    assert image["sha256"] == hashlib.sha256(body).hexdigest()
    assert (image["width"], image["height"], image["format"]) == (640, 480, "jpeg")
    assert (image["state"], image["bytes"]) == ("ready", len(body))
    assert (image["name"], image["tags"], image["metadata"]) == (
        "a b.jpg",
        ["red", "blue"],
        {"n": 1},
    )
    assert http.get(image["url"]).content == body
    assert http.get(f"/v1/images/{image['id']}").json() == image


def test_variants_are_ready_in_the_answer(http: httpx.Client) -> None:
    variants = (
        THUMB,
        "crop:width=50,height=40/output:format=png",
        "resize:width=64,fit=cover,height=64",
    )
    answer = upload(http, jpeg(640, 480, seed=2), *variants)
    assert answer.status_code == 201, answer.text
    made = {one["instructions"]: one for one in answer.json()["variants"]}
    sizes = [(100, 75, "webp"), (50, 40, "png"), (64, 64, "jpeg")]
    for one, (width, height, format_) in zip(made.values(), sizes, strict=True):
        picture = http.get(one["url"])
        assert picture.status_code == 200
        assert len(picture.content) == one["bytes"]
        decoded = pyvips.Image.new_from_buffer(picture.content, "")
        assert (decoded.width, decoded.height) == (width, height) == (one["width"], one["height"])
        assert one["format"] == format_


def test_the_json_spelling_of_a_variant(http: httpx.Client) -> None:
    answer = upload(http, png(), json.dumps([{"op": "resize", "width": 10}]))
    assert answer.status_code == 201, answer.text
    assert answer.json()["variants"][0]["instructions"] == "resize:width=10"


def test_an_async_upload_leaves_its_variants_to_a_job(http: httpx.Client) -> None:
    answer = upload(http, jpeg(800, 600, seed=3), THUMB, prefer="respond-async")
    assert answer.status_code == 202, answer.text
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.json()["variants"][0]["state"] in {"pending", "ready"}
    job = wait_for(http, answer.headers["location"])
    assert job["state"] == "succeeded"
    assert job["attempts"] == 1
    image = http.get(f"/v1/images/{job['image']}").json()
    assert image["state"] == "ready"
    assert [one["state"] for one in image["variants"]] == ["ready"]


def test_wait_is_applied(http: httpx.Client) -> None:
    answer = upload(http, jpeg(seed=4), THUMB, prefer="wait=10")
    assert (answer.status_code, answer.headers["preference-applied"]) == (201, "wait=10")


def test_an_async_upload_of_a_broken_picture_fails_with_its_reason(http: httpx.Client) -> None:
    body = bytearray(png(200, 200, seed=5))
    body[len(body) // 2 : len(body) // 2 + 64] = bytes(64)  # the walk sees chunks, not pixels
    answer = upload(http, bytes(body), THUMB, prefer="respond-async")
    if answer.status_code == 422:
        pytest.skip("the probe noticed")
    job = wait_for(http, answer.headers["location"])
    assert (job["state"], job["problem"]["code"]) == ("failed", "corrupt-image")
    image = http.get(f"/v1/images/{job['image']}").json()
    assert (image["state"], image["problem"]["code"]) == ("failed", "corrupt-image")


def test_a_form_with_one_file_is_an_upload(http: httpx.Client) -> None:
    files = {"file": ("grüße.jpg", jpeg(seed=6), "image/jpeg")}
    answer = http.post("/v1/images", files=files, data={"variant": THUMB, "tag": "x"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "grüße.jpg"
    assert answer.json()["tags"] == ["x"]
    assert answer.json()["variants"][0]["state"] == "ready"


def test_a_form_with_several_files_tells_what_became_of_each(http: httpx.Client) -> None:
    bodies = {"one.jpg": jpeg(seed=7), "two.txt": b"just text", "three.png": png(seed=8)}
    files = [("file", (name, body)) for name, body in bodies.items()]
    answer = http.post("/v1/images", files=files, data={"variant": THUMB})
    assert answer.status_code == 207, answer.text
    items = {item["ref"]: item for item in answer.json()["items"]}
    assert list(items) == list(bodies)
    assert items["two.txt"]["problem"]["code"] == "unsupported-media"
    for name in ("one.jpg", "three.png"):
        assert http.get(items[name]["image"]["url"]).content == bodies[name]
        assert items[name]["image"]["variants"][0]["state"] == "ready"


def test_a_digest_is_verified(http: httpx.Client) -> None:
    body = jpeg(seed=9)
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert upload(http, body, repr_digest=f"sha-256=:{digest}:").status_code == 201
    wrong = upload(http, body + b"x", content_digest=f"sha-256=:{digest}:")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "digest-mismatch")
    assert upload(http, body, repr_digest="sha-256=:AAAA:").status_code == 400


def test_a_large_body_streams_through_the_spool(http: httpx.Client) -> None:
    body = png(1500, 1200, seed=10, compression=0)
    assert len(body) > 4 << 20
    answer = upload(http, body)
    assert answer.status_code == 201, answer.text
    with http.stream("GET", answer.json()["url"]) as stream:
        digest = hashlib.sha256(b"".join(stream.iter_bytes()))
    assert digest.hexdigest() == answer.json()["sha256"] == hashlib.sha256(body).hexdigest()


def test_an_idempotency_key_gives_the_first_answer_again(http: httpx.Client) -> None:
    body = tiny_jpeg(11)
    first = upload(http, body, idempotency_key="k-11")
    again = upload(http, body, idempotency_key='"k-11"')
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = upload(http, tiny_jpeg(12), idempotency_key="k-11")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


def test_a_refusal_under_an_idempotency_key_is_given_again(http: httpx.Client) -> None:
    body = bytearray(png(200, 200, seed=14))
    body[len(body) // 2 : len(body) // 2 + 64] = bytes(64)
    first = upload(http, bytes(body), THUMB, idempotency_key="k-14")
    again = upload(http, bytes(body), THUMB, idempotency_key="k-14")
    assert (first.status_code, again.status_code) == (422, 422)
    assert first.json() == again.json()


def test_names_that_real_machines_give(http: httpx.Client) -> None:
    for name in ("Screenshot 9.41.00\u202fAM.png", "👩\u200d💻.jpg", "写真\u3000一.jpg"):
        answer = http.post("/v1/images", content=tiny_jpeg(15), params={"name": name, "tag": name})
        assert answer.status_code == 201, answer.text
        assert answer.json()["name"] == name


def test_a_field_is_emptied_by_null(http: httpx.Client) -> None:
    image = http.post("/v1/images", content=tiny_jpeg(16), params={"name": "x", "tag": "y"}).json()
    changed = http.patch(f"/v1/images/{image['id']}", json={"name": None, "tags": None}).json()
    assert (changed["name"], changed["tags"]) == (None, [])
    stale = http.patch(
        f"/v1/images/{image['id']}", json={"name": "z"}, headers={"If-Match": '"1", W/"2"'}
    )
    assert (stale.status_code, stale.json()["code"]) == (412, "version-mismatch")
    fresh = http.patch(
        f"/v1/images/{image['id']}", json={"name": "z"}, headers={"If-Match": '"1", "2"'}
    )
    assert fresh.status_code == 200


def test_more_variants_of_a_kept_image(http: httpx.Client) -> None:
    image = upload(http, jpeg(300, 200, seed=13)).json()
    answer = http.post(f"/v1/images/{image['id']}/variants", json={"variants": [THUMB]})
    assert answer.status_code == 201, answer.text
    assert [one["state"] for one in answer.json()["variants"]] == ["ready"]
    later = http.post(
        f"/v1/images/{image['id']}/variants",
        json={"variants": [[{"op": "rotate", "angle": 90}]]},
        headers={"Prefer": "respond-async"},
    )
    assert later.status_code == 202
    assert wait_for(http, later.headers["location"])["state"] == "succeeded"
    assert len(http.get(f"/v1/images/{image['id']}").json()["variants"]) == 2


def wait_for(http: httpx.Client, job: str) -> dict[str, object]:
    deadline = time.monotonic() + 20
    while True:
        found = http.get(job).json()
        if found["state"] in {"succeeded", "failed", "cancelled"}:
            return dict(found)
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
