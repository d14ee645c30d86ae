"""Conditional requests and ranges, on all that is delivered: from memory, from a file, archives."""

from email.utils import formatdate, parsedate_to_datetime

import httpx
import pytest

from filmroll.model import original_key
from tests.e2e.service import Service
from tests.e2e.stored import Stored
from tests.e2e.test_upload import upload
from tests.samples import jpeg, png, tiny_jpeg


@pytest.fixture(scope="module")
def paths(service) -> dict[str, str]:
    """Return what is delivered: small and large, originals and variants."""
    with service.client() as http:
        small = upload(http, jpeg(200, 150, seed=80)).json()["id"]
        large = upload(http, png(700, 700, seed=81)).json()["id"]
    return {
        "small original": f"/i/{small}",
        "small variant": f"/i/{small}/resize:width=50",
        "large original": f"/i/{large}",
        "large variant": f"/i/{large}/flip:axis=x",
    }


KINDS = ["small original", "small variant", "large original", "large variant"]


def shifted(date: str, seconds: int) -> str:
    return formatdate(parsedate_to_datetime(date).timestamp() + seconds, usegmt=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_copy_that_is_still_good(http: httpx.Client, paths, kind, method) -> None:
    whole = http.get(paths[kind])
    etag, date = whole.headers["etag"], whole.headers["last-modified"]
    for headers, status in (
        ({"If-None-Match": etag}, 304),
        ({"If-None-Match": f'"a", W/{etag} , "b"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"a"'}, 200),
        ({"If-None-Match": '"a"', "If-Modified-Since": date}, 200),
        ({"If-Modified-Since": date}, 304),
        ({"If-Modified-Since": shifted(date, -10)}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-Match": etag}, 200),
        ({"If-Match": f'"a", {etag}'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": etag, "If-None-Match": etag}, 304),
        ({"If-Unmodified-Since": date}, 200),
        ({"If-Unmodified-Since": "yesterday"}, 200),
    ):
        answer = http.request(method, paths[kind], headers=headers)
        assert answer.status_code == status, headers
        assert answer.headers["etag"] == etag
        if status == 304 or method == "HEAD":
            assert answer.content == b""
        else:
            assert answer.content == whole.content


@pytest.mark.parametrize("kind", KINDS)
def test_another_version_than_is_wanted(http: httpx.Client, paths, kind) -> None:
    whole = http.get(paths[kind])
    date = whole.headers["last-modified"]
    for headers in (
        {"If-Match": '"a"'},
        {"If-Match": f"W/{whole.headers['etag']}"},
        {"If-Match": '"a"', "If-None-Match": whole.headers["etag"]},
        {"If-Unmodified-Since": shifted(date, -10)},
    ):
        answer = http.get(paths[kind], headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (412, "version-mismatch"), headers
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", KINDS)
def test_parts(http: httpx.Client, paths, kind) -> None:
    whole = http.get(paths[kind])
    size, body = len(whole.content), whole.content
    for wanted, part in (
        ("bytes=0-0", body[:1]),
        ("bytes=5-9", body[5:10]),
        (f"bytes={size - 1}-", body[-1:]),
        ("bytes=-3", body[-3:]),
        (f"bytes=-{size + 5}", body),
    ):
        answer = http.get(paths[kind], headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (206, part), wanted
        assert int(answer.headers["content-length"]) == len(part)
        assert answer.headers["content-range"].endswith(f"/{size}")
        for name in ("etag", "repr-digest", "cache-control", "content-type"):
            assert answer.headers[name] == whole.headers[name]


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_cut_or_is_not_asked_well(http: httpx.Client, paths, kind) -> None:
    whole = http.get(paths[kind])
    size = len(whole.content)
    for wanted in ("bytes=0-1,4-5", "bytes=9-5", "bytes=-", "bytes=a-b", "items=0-1", "0-1", ""):
        answer = http.get(paths[kind], headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (200, whole.content), wanted
    for outside in (f"bytes={size}-", "bytes=-0", f"bytes={10**17}-"):
        answer = http.get(paths[kind], headers={"Range": outside})
        assert answer.status_code == 416, outside
        assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_only_of_the_version_that_is_known(http: httpx.Client, paths, kind) -> None:
    whole = http.get(paths[kind])
    etag, date = whole.headers["etag"], whole.headers["last-modified"]
    for known, status in (
        (etag, 206),
        (date, 206),
        (f"W/{etag}", 200),
        ('"other"', 200),
        (shifted(date, -10), 200),
        (shifted(date, 10), 200),
    ):
        asked = {"Range": "bytes=0-9", "If-Range": known}
        assert http.get(paths[kind], headers=asked).status_code == status, known
    both = {"Range": "bytes=0-9", "If-None-Match": etag}
    assert http.get(paths[kind], headers=both).status_code == 304


def test_a_copy_that_is_still_good_costs_no_bytes(tmp_path) -> None:
    with Service(tmp_path / "data") as mine, mine.client() as http:
        image = upload(http, tiny_jpeg(82)).json()
        head = http.head(f"/i/{image['id']}")
        Stored(tmp_path / "data").remove(original_key(image["id"]))
        for name, value in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
            answer = http.get(f"/i/{image['id']}", headers={name: head.headers[value]})
            assert answer.status_code == 304
        assert http.get(f"/i/{image['id']}").status_code == 500


def test_archives_come_whole_or_not_at_all(http: httpx.Client) -> None:
    batch = http.post("/v1/batches", json={}).json()["id"]
    http.put(f"/v1/batches/{batch}/items/a.jpg", content=tiny_jpeg(83))
    http.post(f"/v1/batches/{batch}/seal")
    for kind in ("zip", "tar"):
        whole = http.get(f"/i/batches/{batch}.{kind}")
        assert whole.headers["accept-ranges"] == "none"
        assert not {"etag", "last-modified"} & set(whole.headers)
        asked = {
            "Range": "bytes=0-9",
            "If-None-Match": "*",
            "If-Modified-Since": whole.headers["date"],
        }
        answer = http.get(f"/i/batches/{batch}.{kind}", headers=asked)
        assert (answer.status_code, answer.content) == (200, whole.content)
