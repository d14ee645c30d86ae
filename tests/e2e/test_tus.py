"""tus 1.0.0: what is spoken, how an upload begins, and how none does."""

from pathlib import Path

import httpx
import pytest

from tests.e2e.parts import problem
from tests.e2e.service import Service
from tests.e2e.test_access import make_key
from tests.e2e.tus import (
    BYTES,
    ROOT,
    SPOKEN,
    become,
    begin,
    metadata,
    offset,
    patch,
    post,
    standing,
)
from tests.samples import tiny_jpeg

BODY = tiny_jpeg(70)
GIB = 1 << 30
BAD = (400, "malformed-request")
HALF = len(BODY) // 2


@pytest.fixture
def url(http: httpx.Client) -> str:
    """An upload that awaits ``BODY``."""
    return begin(http, len(BODY))


# ------------------------------------------------------------------------- what is spoken, to whom


def test_the_service_says_what_it_speaks(http: httpx.Client) -> None:
    said = http.options(ROOT)
    assert said.status_code == 204
    assert said.headers["tus-version"] == "1.0.0"
    assert set(said.headers["tus-extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "checksum",
        "expiration",
        "termination",
        "concatenation",
        "concatenation-unfinished",
    }
    assert said.headers["tus-checksum-algorithm"] == "sha1,sha256,crc32c"
    assert int(said.headers["tus-max-size"]) > 48 << 40


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
@pytest.mark.parametrize("version", [None, "0.2.2"])
def test_another_version_is_refused(
    http: httpx.Client, url: str, method: str, version: str | None
) -> None:
    headers = {"Tus-Resumable": version} if version else {}
    place = ROOT if method == "POST" else url
    refused = http.request(method, place, headers=headers)
    assert refused.status_code == 412
    assert refused.headers["tus-version"] == "1.0.0"
    assert offset(http, url) == 0


def test_a_page_from_anywhere_may_upload(tmp_path: Path) -> None:
    data = tmp_path / "data"
    key = {"Authorization": f"Bearer {make_key(data, 'up', 'upload')}"}
    with Service(data, FILMROLL_ACCESS="keys") as service, service.client() as http:
        asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "PATCH"}
        preflight = http.options(f"{ROOT}/{'0' * 26}", headers=asks)
        assert preflight.status_code == 204, "browsers ask without a key"
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        allowed = preflight.headers["access-control-allow-headers"].lower().split(", ")
        assert {"authorization", "tus-resumable", "upload-offset", "upload-checksum"} <= {*allowed}
        stranger = http.post(ROOT, headers={**SPOKEN, "Upload-Length": "1"})
        begun = http.post(ROOT, headers={**SPOKEN, **key, "Upload-Length": "1"})
        assert (stranger.status_code, begun.status_code) == (401, 201)
        for told in (stranger, begun):
            assert told.headers["access-control-allow-origin"] == "*"
            exposed = told.headers["access-control-expose-headers"].lower().split(", ")
            assert {"location", "upload-offset", "content-location"} <= {*exposed}
            assert told.headers["tus-resumable"] == "1.0.0"


def test_other_methods_and_places(http: httpx.Client, url: str) -> None:
    refused = http.put(url, headers=SPOKEN)
    assert problem(refused) == (405, "method-not-allowed")
    assert refused.headers["allow"] == "HEAD, PATCH, DELETE, OPTIONS"
    assert http.get(ROOT, headers=SPOKEN).headers["allow"] == "POST, OPTIONS"
    for place in (f"{ROOT}/{'0' * 26}", f"{ROOT}/what"):
        unknown = standing(http, place)
        assert unknown.status_code == 404
        assert "upload-offset" not in unknown.headers
        assert patch(http, place, 0, b"x").status_code == 404
    by_parts = http.post("/v1/uploads", json={}).json()["id"]
    assert standing(http, f"{ROOT}/{by_parts}").status_code == 404


def test_the_method_may_stand_in_a_header(http: httpx.Client, url: str) -> None:
    said = {**SPOKEN, **BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert http.post(url, headers=said, content=BODY).status_code == 204
    assert become(http, url) == BODY


# ---------------------------------------------------------------------------------- the beginning


def test_what_was_said_is_told_again(http: httpx.Client) -> None:
    said = metadata(filename="ä.jpg", own="€") | {}
    said["Upload-Metadata"] += ",flag"
    begun = post(http, {"Upload-Length": "9", **said})
    assert begun.headers["upload-expires"].endswith("GMT")
    found = standing(http, begun.headers["location"])
    assert found.headers["upload-offset"] == "0"
    assert found.headers["upload-length"] == "9"
    assert found.headers["upload-metadata"] == said["Upload-Metadata"]
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["upload-expires"].endswith("GMT")


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({}, BAD),
        ({"Upload-Length": "-1"}, BAD),
        ({"Upload-Length": "many"}, BAD),
        ({"Upload-Length": "9", "Upload-Defer-Length": "1"}, BAD),
        ({"Upload-Defer-Length": "2"}, BAD),
        ({"Upload-Length": "0"}, (422, "empty-body")),
        ({"Upload-Length": str(6 * GIB)}, (413, "too-large")),
        ({"Upload-Length": "9" * 18}, (413, "too-large")),
        ({"Upload-Length": "9", "Upload-Metadata": "a %%%"}, BAD),
        ({"Upload-Length": "9", "Upload-Metadata": "a YQ==,a YQ=="}, BAD),
        ({"Upload-Length": "9", "Upload-Metadata": "a YQ==,,"}, BAD),
        ({"Upload-Length": "9", "Upload-Metadata": "filename /w=="}, BAD),
        ({"Upload-Length": "9", "Upload-Metadata": f"a {'A' * 20_000}"}, BAD),
        ({"Upload-Length": "9", **metadata(purpose="art")}, (422, "invalid-request")),
        ({"Upload-Length": "9", **metadata(variants="thumb")}, (422, "invalid-request")),
        ({"Upload-Length": "9", **metadata(variants='["a:b=1"]')}, (422, "invalid-instructions")),
        ({"Upload-Length": "9", **metadata(ref="a.jpg")}, (422, "invalid-request")),
        ({"Upload-Length": "9", **metadata(batch="no", ref="a")}, (422, "invalid-request")),
        ({"Upload-Length": "9", "Upload-Concat": "none"}, BAD),
        ({"Upload-Concat": "final;"}, BAD),
        ({"Upload-Concat": "final;/elsewhere"}, BAD),
        ({"Upload-Concat": f"final;{ROOT}/{'0' * 26}"}, (404, "not-found")),
        ({"Upload-Length": "9", "Upload-Concat": f"final;{ROOT}/{'0' * 26}"}, BAD),
    ],
)  # fmt: skip
def test_what_cannot_begin(
    http: httpx.Client, said: dict[str, str], refused: tuple[int, str]
) -> None:
    assert problem(post(http, said)) == refused


def test_an_upload_may_begin_with_bytes(http: httpx.Client) -> None:
    begun = post(http, {"Upload-Length": str(len(BODY))}, BODY[:HALF])
    assert (begun.status_code, begun.headers["upload-offset"]) == (201, str(HALF))
    url = begun.headers["location"]
    assert patch(http, url, HALF, BODY[HALF:]).status_code == 204
    assert become(http, url) == BODY
    at_once = post(http, {"Upload-Length": str(len(BODY))}, BODY)
    assert at_once.headers["content-location"].startswith("/v1/images/")
    untyped = http.post(ROOT, headers={**SPOKEN, "Upload-Length": "4"}, content=b"what")
    assert problem(untyped) == (415, "unsupported-media")


def test_the_length_may_be_told_later(http: httpx.Client) -> None:
    url = post(http, {"Upload-Defer-Length": "1"}).headers["location"]
    assert standing(http, url).headers["upload-defer-length"] == "1"
    assert patch(http, url, 0, BODY[:HALF]).status_code == 204
    assert "upload-length" not in standing(http, url).headers
    too_few = patch(http, url, HALF, b"", Upload_Length="5")
    assert problem(too_few) == (422, "invalid-request")
    size = str(len(BODY))
    assert patch(http, url, HALF, BODY[HALF:-1], Upload_Length=size).status_code == 204
    assert standing(http, url).headers["upload-length"] == size
    assert "upload-defer-length" not in standing(http, url).headers
    other = patch(http, url, len(BODY) - 1, BODY[-1:], Upload_Length="5000")
    assert problem(other) == (422, "invalid-request")
    assert patch(http, url, len(BODY) - 1, BODY[-1:], Upload_Length=size).status_code == 204
    assert become(http, url) == BODY


def test_the_length_may_be_told_when_all_is_there(http: httpx.Client) -> None:
    url = post(http, {"Upload-Defer-Length": "1"}).headers["location"]
    patch(http, url, 0, BODY)
    ended = patch(http, url, len(BODY), b"", Upload_Length=str(len(BODY)))
    assert ended.headers["content-location"].startswith("/v1/images/")
