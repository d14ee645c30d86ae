"""Originals and variants on their way out."""

import base64
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import pyvips

from filmroll.model import variant_key
from tests.e2e.service import AWS, Service, until
from tests.e2e.stored import Stored
from tests.e2e.test_upload import upload
from tests.samples import jpeg, tiny_jpeg

WEBP = "resize:width=120/output:format=webp"


@pytest.fixture(scope="module")
def image(service) -> dict:
    with service.client() as http:
        return upload(http, jpeg(800, 600, seed=21)).json()


def test_a_variant_is_made_on_first_use_and_kept(http: httpx.Client, image: dict) -> None:
    first = http.get(f"/i/{image['id']}/{WEBP}")
    assert first.status_code == 200
    assert first.headers["content-type"] == "image/webp"
    picture = pyvips.Image.new_from_buffer(first.content, "")
    assert (picture.width, picture.height) == (120, 90)
    assert http.get(f"/i/{image['id']}/{WEBP}").content == first.content
    kept = http.get(f"/v1/images/{image['id']}").json()["variants"]
    assert WEBP in [one["instructions"] for one in kept]


def test_the_headers_of_the_contract(http: httpx.Client, image: dict) -> None:
    for path in (f"/i/{image['id']}", f"/i/{image['id']}/{WEBP}"):
        answer = http.get(path)
        digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
        assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["etag"].startswith('"')
        assert "vary" not in answer.headers
        head = http.head(path)
        assert head.status_code == 200
        assert head.content == b""
        for name in ("content-length", "etag", "content-type", "repr-digest"):
            assert head.headers[name] == answer.headers[name]


def test_what_is_in_memory_is_told_like_what_is_not(http: httpx.Client, image: dict) -> None:
    own = {"x-request-id", "date", "server-timing"}
    for path in (f"/i/{image['id']}", f"/i/{image['id']}/resize:width=77"):
        # The second is answered from memory at once; the last, with a query, as any other request.
        first, kept, longer = http.get(path), http.get(path), http.get(f"{path}?a=b")
        told = [
            {name: text for name, text in each.headers.items() if name not in own}
            for each in (first, kept, longer)
        ]
        assert told[0] == told[1] == told[2]
        assert first.content == kept.content == longer.content
        assert AWS or kept.headers["server-timing"] == "cache;desc=memory"  # or another process
        assert http.get(path, headers={"X-Request-Id": "mine"}).headers["x-request-id"] == "mine"
        assert http.get(path, headers={"Host": "elsewhere.example"}).status_code == 403
        with_body = http.request("GET", path, content=b"a body")
        assert with_body.content == first.content
        assert AWS or with_body.headers["connection"] == "close"  # else of the balancer's


def test_conditional_requests(http: httpx.Client, image: dict) -> None:
    path = f"/i/{image['id']}/{WEBP}"
    full = http.get(path)
    same = http.get(path, headers={"If-None-Match": full.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == full.headers["etag"]
    since = {"If-Modified-Since": full.headers["last-modified"]}
    assert http.get(path, headers=since).status_code == 304
    assert http.get(path, headers=since | {"If-None-Match": '"other"'}).status_code == 200


def test_a_tag_is_known_before_the_variant_is_made(http: httpx.Client, image: dict) -> None:
    path = f"/i/{image['id']}/resize:width=77"
    recipe = http.get(f"/i/{image['id']}/resize:width=78").headers["etag"]
    assert recipe.strip('"').startswith(image["id"])
    etag = http.head(path).headers["etag"]
    fresh = upload(http, jpeg(100, 90, seed=22)).json()
    expected = etag.replace(image["id"], fresh["id"])
    answer = http.get(f"/i/{fresh['id']}/resize:width=77", headers={"If-None-Match": expected})
    assert answer.status_code == 304
    assert http.get(f"/v1/images/{fresh['id']}").json()["variants"] == []


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=10-", 10, None),
        ("bytes=-7", -7, None),
        ("bytes=5-10000000", 5, None),
    ],
)
def test_ranges(http: httpx.Client, image: dict, wanted: str, first: int, last: int | None) -> None:
    whole = http.get(f"/i/{image['id']}").content
    expected = whole[first:] if last is None else whole[first : last + 1]
    answer = http.get(f"/i/{image['id']}", headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == expected
    start = len(whole) + first if first < 0 else first
    assert (
        answer.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"
    )


def test_a_range_outside_and_a_range_of_something_else(http: httpx.Client, image: dict) -> None:
    size = image["bytes"]
    outside = http.get(f"/i/{image['id']}", headers={"Range": f"bytes={size}-"})
    assert (outside.status_code, outside.headers["content-range"]) == (416, f"bytes */{size}")
    assert outside.json()["code"] == "range-not-satisfiable"
    assert outside.headers["cache-control"] == "no-store"
    head = http.head(f"/i/{image['id']}", headers={"Range": "bytes=0-9"})
    assert (head.status_code, int(head.headers["content-length"])) == (200, size)
    stale = {"Range": "bytes=0-9", "If-Range": '"other"'}
    assert http.get(f"/i/{image['id']}", headers=stale).status_code == 200
    assert http.get(f"/i/{image['id']}", headers={"Range": "lines=0-9"}).status_code == 200


def test_an_attachment_keeps_its_name_and_no_more(http: httpx.Client, image: dict) -> None:
    answer = http.get(f"/i/{image['id']}", params={"dl": 'grü"ße/..\\x\r\n.jpg'})
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; filename=")
    assert "\r" not in disposition
    assert "/" not in disposition
    assert "filename*=UTF-8''gr%C3%BC" in disposition


def test_any_tag_is_not_the_tag_of_what_was_never_made(http: httpx.Client) -> None:
    fresh = upload(http, jpeg(60, 50, seed=25)).json()
    any_tag = {"If-None-Match": "*"}
    impossible = http.get(f"/i/{fresh['id']}/crop:width=61", headers=any_tag)
    assert impossible.status_code == 422
    assert http.get(f"/i/{fresh['id']}/resize:width=9", headers=any_tag).status_code == 304
    assert len(http.get(f"/v1/images/{fresh['id']}").json()["variants"]) == 1


@pytest.mark.parametrize("rest", ["/", "resize:width=8/", "resize:width=8//", "/resize:width=8"])
def test_empty_segments_are_no_other_address_of_the_same(http, image, rest) -> None:
    assert http.get(f"/i/{image['id']}/{rest}").status_code == 404


def test_a_kept_variant_outlives_its_watermark(http: httpx.Client) -> None:
    mark = upload(http, tiny_jpeg(26)).json()["id"]
    marked = f"resize:width=99/watermark:image={mark},scale=0.5"
    image = upload(http, jpeg(200, 150, seed=26), marked).json()
    assert http.delete(f"/v1/images/{mark}").status_code == 204
    assert http.get(f"/i/{image['id']}/{marked}").status_code == 200
    unmade = http.get(f"/i/{image['id']}/{marked}/flip:axis=x")
    assert (unmade.status_code, unmade.json()["code"]) == (422, "unknown-watermark")


def test_presets_by_name(http: httpx.Client, image: dict) -> None:
    made = http.put("/v1/presets/thumb", json={"instructions": "resize:width=33"})
    assert made.status_code == 200, made.text
    assert made.json()["instructions"] == "resize:width=33"
    answer = http.get(f"/i/{image['id']}/thumb")
    assert pyvips.Image.new_from_buffer(answer.content, "").width == 33
    stale = "stale-while-revalidate=300, stale-if-error=86400"
    assert answer.headers["cache-control"] == f"public, max-age=300, {stale}"
    http.put("/v1/presets/thumb", json={"instructions": "resize:width=44"})
    assert pyvips.Image.new_from_buffer(http.get(f"/i/{image['id']}/thumb").content, "").width == 44
    assert http.delete("/v1/presets/thumb").status_code == 204
    gone = http.get(f"/i/{image['id']}/thumb")
    assert (gone.status_code, gone.json()["code"]) == (422, "unknown-preset")


def test_the_same_cold_variant_for_many_at_once_is_made_once(service, image) -> None:
    answers: list[httpx.Response] = []

    def ask() -> None:
        with service.client() as mine:
            answers.append(mine.get(f"/i/{image['id']}/resize:width=301/output:format=avif"))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    # The first of each process finds it; all others are spared even the way to the catalog.
    found = [one for one in answers if "desc=memory" not in one.headers["server-timing"]]
    assert 1 <= len(found) <= (2 if AWS else 1)


def test_who_waits_for_one_that_cannot_be_made_is_told_so(service, image) -> None:
    path = f"/i/{image['id']}/trim/crop:width=9000,height=9000"
    with ThreadPoolExecutor(8) as pool, service.client() as http:
        answers = list(pool.map(lambda _: http.get(path), range(8)))
    assert {answer.status_code for answer in answers} == {422}


@pytest.mark.parametrize("damage", [lambda _: b"", lambda data: data[:-1] + b"x", None])
def test_a_variant_that_a_power_cut_took_is_made_again(tmp_path, damage) -> None:
    with Service(tmp_path / "data") as first, first.client() as http:
        image = upload(http, jpeg(400, 300, seed=24), WEBP).json()
        good = http.get(f"/i/{image['id']}/{WEBP}").content
    recipe = image["variants"][0]["recipe"]
    stored, key = Stored(tmp_path / "data"), variant_key(image["id"], recipe)
    stored.remove(key) if damage is None else stored.write(key, damage(good))
    with Service(tmp_path / "data") as second, second.client() as http:
        assert http.get(f"/i/{image['id']}/{WEBP}").content == good
    assert stored.read(key) == good


def test_nothing_of_a_deleted_image_is_left(http: httpx.Client, service) -> None:
    kept = upload(http, tiny_jpeg(23), WEBP).json()
    paths = [f"/i/{kept['id']}", f"/i/{kept['id']}/{WEBP}"]
    for path in paths:
        assert http.get(path).status_code == 200
    assert http.delete(f"/v1/images/{kept['id']}").status_code == 204
    for path in [*paths, f"/i/{kept['id']}/resize:width=9", f"/v1/images/{kept['id']}"]:
        # In a cluster one process may know it 5 s before the other.
        until(lambda path=path: all(http.get(path).status_code == 410 for _ in range(12)))
        gone = http.get(path)
        assert (gone.status_code, gone.json()["code"]) == (410, "deleted")
        assert gone.headers["cache-control"] == "no-store"
    assert not Stored(service.data).about(kept["id"])
    assert http.delete(f"/v1/images/{kept['id']}").status_code == 204
