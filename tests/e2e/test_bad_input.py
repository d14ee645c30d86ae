"""Bad input: a clear problem, the service alive, nothing kept of it."""

import base64
import gzip
import hashlib
import json
import socket

import httpx
import pytest

from tests.e2e.raw import head
from tests.e2e.service import Service
from tests.e2e.stored import Stored
from tests.e2e.test_upload import upload
from tests.samples import (
    NOT_IMAGES,
    endless_gif,
    gif_frame,
    gif_header,
    jpeg,
    pixel_flood_png,
    png,
    png_bomb,
    tiny_jpeg,
    truncated,
    webp,
)

LIMIT = 300_000


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A service of its own, with a small limit, so that what it keeps can be counted."""
    data = tmp_path_factory.mktemp("bad") / "data"
    with Service(data, FILMROLL_MAX_UPLOAD_BYTES=str(LIMIT)) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_is_kept(service, http):
    """No test here leaves a record or a blob, and the service lives on."""
    before = kept(service, http)
    yield
    assert kept(service, http) == before
    assert http.get("/readyz").status_code == 200


def kept(service: Service, http: httpx.Client) -> tuple[int, int, int]:
    records = http.get("/v1/images", params={"limit": 200}).json()["items"]
    blobs = Stored(service.data).keys()
    spool = list((service.data / "spool").glob("*"))
    return len(records), len(blobs), len(spool)


def refused(answer: httpx.Response, status: int, code: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    problem = answer.json()
    assert problem["code"] == code
    assert problem["type"] == f"/problems/{code}"
    assert problem["status"] == status
    assert problem["detail"]
    assert "Traceback" not in answer.text
    return problem


def test_an_empty_body(http):
    refused(upload(http, b""), 422, "empty-body")
    refused(http.post("/v1/images", files={"file": ("a.jpg", b"")}), 422, "empty-body")
    refused(http.post("/v1/images", files={"other": ("a.jpg", b"x")}), 422, "invalid-request")


@pytest.mark.parametrize("name", sorted(NOT_IMAGES))
def test_what_is_no_image_whatever_its_name(http, name):
    answer = http.post("/v1/images", content=NOT_IMAGES[name], params={"name": f"{name}.jpg"})
    refused(answer, 415, "unsupported-media")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("make", [jpeg, png, webp])
def test_a_picture_cut_short(http, make, part):
    answer = upload(http, truncated(make(200, 150), part), "resize:width=20")
    refused(answer, 422, "corrupt-image")


def test_more_pixels_than_a_machine_has_memory(http):
    problem = refused(upload(http, pixel_flood_png()), 413, "too-many-pixels")
    assert problem["actual"] > problem["limit"]


def test_an_endless_animation(http):
    body = endless_gif(10_000)  # over the limit of frames, under that of bytes
    refused(upload(http, body), 413, "too-many-frames")


def test_a_png_that_inflates_a_thousandfold(http):
    answer = upload(http, png_bomb(), "resize:width=20")
    if answer.status_code == 201:  # within the limit of pixels: it is only a large picture
        assert answer.json()["variants"][0]["width"] == 20
        http.delete(f"/v1/images/{answer.json()['id']}")
    else:
        assert answer.status_code in {413, 422}
    refused(upload(http, png_bomb(20_000), "resize:width=20"), 413, "too-many-pixels")


def test_a_body_over_the_limit(http):
    body = tiny_jpeg(1) + bytes(LIMIT)
    problem = refused(upload(http, body), 413, "too-large")
    assert problem["limit"] == LIMIT
    assert "/v1/uploads" in problem["detail"]

    def chunks():
        for at in range(0, len(body), 1000):
            yield body[at : at + 1000]

    refused(http.post("/v1/images", content=chunks()), 413, "too-large")
    form = {"file": ("a.jpg", body)}
    refused(http.post("/v1/images", files=form), 413, "too-large")


def test_a_content_length_that_lies(service):
    body = tiny_jpeg(2)
    announced = {"Content-Length": len(body) + 100}
    request = head("POST", "/v1/images", **announced) + body
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(5)
        answer = connection.recv(65_536)
    assert b" 201 " not in answer
    assert b" 500 " not in answer


@pytest.mark.parametrize(
    ("variant", "code", "pointer"),
    [
        ("resize", "invalid-instructions", "/variants/0/0/width"),
        ("resize:width=0", "invalid-instructions", "/variants/0/0/width"),
        ("resize:width=1000000000", "invalid-instructions", "/variants/0/0/width"),
        ("resize:width=12;height=4", "invalid-instructions", "/variants/0/0/width"),
        ("output:format=webp/resize:width=2", "invalid-instructions", "/variants/0/0"),
        ("enlarge:width=2", "invalid-instructions", "/variants/0/0"),
        ("nosuchpreset", "unknown-preset", "/variants/0/0"),
        ("resize:width=9/../..", "unknown-preset", "/variants/0/1"),
        ("crop:x=1000,y=0,width=10,height=10", "invalid-instructions", "/variants/0/0/width"),
        ("resize:width=50/crop:width=51", "invalid-instructions", "/variants/0/1/width"),
        ("watermark:text=%00", "invalid-instructions", "/variants/0/0/text"),
        ("watermark:image=" + "0" * 26, "unknown-watermark", "/variants/0/0/image"),
        ('[{"op":"resize","w":0}]', "invalid-instructions", "/variants/0/0/width"),
        ('[{"op":"resize","nope":1}]', "invalid-instructions", "/variants/0/0/nope"),
        ("[{", "invalid-request", "/variants"),
        ("/".join(["flip:axis=x"] * 1000), "invalid-instructions", "/variants/0"),
        ("", "invalid-instructions", "/variants/0"),
    ],
)
def test_instructions_that_cannot_be_followed(http, variant, code, pointer):
    problem = refused(upload(http, jpeg(200, 100), variant), 422, code)
    assert problem["pointer"] == pointer


def test_fields_that_are_not_known_or_out_of_bounds(http):
    body = tiny_jpeg(3)
    for params in (
        {"nmae": "x"}, {"metadata": "[1]"}, {"metadata": "{"}, {"name": "x" * 300}, {"tag": ""},
        {"name": "a\x00b"}, [("name", "a"), ("name", "b")],
        {"metadata": json.dumps({"a": "x" * 20_000})},
    ):  # fmt: skip
        refused(http.post("/v1/images", content=body, params=params), 422, "invalid-request")
    many = [("variant", f"resize:width={n}") for n in range(1, 60)]
    refused(http.post("/v1/images", content=body, params=many), 422, "invalid-request")


def test_a_broken_form(http):
    kind = {"Content-Type": "multipart/form-data; boundary=xx"}
    for body in (
        b"",
        b"--xx\r\n",
        b"no boundary at all",
        b'--xx\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc',
    ):
        answer = http.post("/v1/images", content=body, headers=kind)
        assert answer.status_code in {400, 422}, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    refused(
        http.post("/v1/images", content=b"x", headers={"Content-Type": "multipart/form-data"}),
        400,
        "malformed-request",
    )
    refused(http.post("/v1/images", json={"url": "http://127.0.0.1/"}), 422, "forbidden-address")
    refused(http.post("/v1/images", json={"url": "file:///etc/passwd"}), 422, "invalid-request")
    refused(http.post("/v1/images", json=["http://example.com/"]), 422, "invalid-request")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/images/..",
        "/v1/images/%2e%2e%2fetc",
        "/v1/images/" + "a" * 10_000,
        "/v1/images/%00",
        "/v1/images/%F0%9F%98%80",
        "/v1/images/" + "z" * 26,
        "/v1/jobs/../../etc/passwd",
        "/v1/presets/%2e%2e",
        "/i/..%2f..%2fetc%2fpasswd",
        "/i/%00",
        "/i/" + "a" * 10_000,
        "/i/" + "0" * 26 + "/resize:width=10",
        "/i/%F0%9F%98%80/x",
        "/i/",
        "/nothing/here",
    ],
)
def test_addresses_of_nothing(service, path):
    answer = raw_get(service, path)
    assert b" 404 " in answer.split(b"\r\n", 1)[0], answer[:200]
    assert b"application/problem+json" in answer


def raw_get(service: Service, path: str) -> bytes:
    """Ask for a path just as it stands, which no client library does."""
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(head("GET", path, Connection="close"))
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_methods_and_bodies_that_do_not_fit(http):
    assert refused(http.put("/v1/images"), 405, "method-not-allowed")["allow"] == "GET, HEAD, POST"
    one = refused(http.put("/v1/images/" + "0" * 26), 405, "method-not-allowed")
    assert one["allow"] == "DELETE, GET, HEAD, PATCH"
    assert refused(http.post("/i/" + "0" * 26), 405, "method-not-allowed")["allow"]
    refused(http.put("/v1/presets/a", content=b"{"), 400, "malformed-request")
    refused(http.put("/v1/presets/a", json={"instructions": "x", "y": 1}), 422, "invalid-request")
    refused(
        http.put("/v1/presets/Bad!", json={"instructions": "flip:axis=x"}), 422, "invalid-request"
    )
    refused(
        http.put("/v1/presets/resize", json={"instructions": "flip:axis=x"}), 422, "invalid-request"
    )
    refused(http.get("/v1/images", params={"limit": 0}), 422, "invalid-request")
    refused(http.get("/v1/images", params={"nope": 0}), 422, "invalid-request")
    refused(http.get("/v1/images", params={"cursor": "%%%"}), 422, "invalid-request")
    refused(http.get("/v1/images", params={"created_after": "yesterday"}), 422, "invalid-request")


DEEP = "[" * 5_000 + "]" * 5_000


@pytest.mark.parametrize(
    "metadata",
    [
        '{"a":' + DEEP + "}",
        '{"a":' * 40 + "1" + "}" * 40,
        '{"a":NaN}',
        '{"a":1e999}',
        '{"a":"\\ud800"}',
    ],
    ids=["very deep", "deep", "nan", "infinite", "half a pair"],
)
def test_metadata_that_could_not_be_read_back(http, metadata):
    answer = http.post("/v1/images", content=tiny_jpeg(6), params={"metadata": metadata})
    assert refused(answer, 422, "invalid-request")["pointer"] == "/metadata"


def test_queries_and_headers_that_are_out_of_form(http):
    cursors = (DEEP, "9" * 400, "W1sxLCAyXQ", '["\ud800"]'.encode("utf-16", "surrogatepass").hex())
    for cursor in cursors:
        refused(http.get("/v1/images", params={"cursor": cursor}), 422, "invalid-request")
    refused(http.get("/v1/presets", params={"nope": 1}), 422, "invalid-request")
    refused(upload(http, tiny_jpeg(7), DEEP), 422, "invalid-request")
    deep = http.put("/v1/presets/a", content=DEEP, headers={"Content-Type": "application/json"})
    assert deep.status_code in {400, 422}
    odd = {"Prefer": "wait=\u00b2".encode("latin-1")}
    answer = http.post("/v1/images", content=tiny_jpeg(8), headers=odd)
    assert answer.status_code == 201, answer.text
    http.delete(f"/v1/images/{answer.json()['id']}")


def test_every_digest_that_is_announced_has_to_fit(http):
    body = tiny_jpeg(9)
    right, wrong = (
        f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"
        for data in (body, b"other")
    )
    both = {"Repr-Digest": right, "Content-Digest": wrong}
    refused(http.post("/v1/images", content=body, headers=both), 400, "digest-mismatch")
    form = http.post(
        "/v1/images", files={"file": ("a.jpg", body)}, headers={"Content-Digest": wrong}
    )
    refused(form, 400, "digest-mismatch")


def test_another_host_is_not_answered(http):
    refused(http.get("/v1/images", headers={"Host": "rebound.example"}), 403, "forbidden")
    for host in ("localhost:1", "127.0.0.1", "[::1]:80", "app.localhost"):
        assert http.get("/v1/images", headers={"Host": host}).status_code == 200


def test_digests_that_are_none(http):
    body = tiny_jpeg(4)
    for text in ("sha-256=abc", "sha-256=:***:", "sha-256=:AAAA:"):
        answer = http.post("/v1/images", content=body, headers={"Repr-Digest": text})
        refused(answer, 400, "malformed-request")
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    answer = http.post("/v1/images", content=body, headers={"Repr-Digest": f"sha-256=:{wrong}:"})
    problem = refused(answer, 400, "digest-mismatch")
    assert problem["actual"] == hashlib.sha256(body).hexdigest()


def test_who_let_curl_alter_the_file_is_told_so(http):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    altered = png().replace(b"\r", b"").replace(b"\n", b"")
    answer = http.post("/v1/images", content=altered, headers=form)
    assert "--data-binary" in refused(answer, 415, "unsupported-media")["detail"]


def test_a_compressed_body_is_not_an_image(http):
    refused(upload(http, gzip.compress(tiny_jpeg(5))), 415, "unsupported-media")


def test_request_ids_from_outside_are_kept_if_they_are_sane(http):
    assert (
        http.get("/v1/limits", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    )
    strange = http.get("/v1/limits", headers={"X-Request-Id": 'a"b<c>'})
    assert strange.headers["x-request-id"] != 'a"b<c>'


def test_an_animation_over_the_budget_of_pixels_is_refused(http):
    """Few enough frames, each small enough: together they are 200 megapixels of 100."""
    body = gif_header(1000, 1000) + gif_frame() * 200 + b";"
    problem = refused(upload(http, body), 413, "too-many-frames")
    assert problem["actual"] > problem["limit"]
