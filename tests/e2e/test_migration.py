"""URLs of thumbor and imgproxy, answered by a real service with pictures that it fetched itself."""

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.e2e.foreign import (
    KEY,
    flat,
    imgproxy,
    kept_of,
    opened,
    problem,
    size,
    thumbor,
    turned_photo,
)
from tests.e2e.origin import Origin
from tests.e2e.service import Service, filmroll
from tests.samples import jpeg, png, tiny_jpeg


@pytest.fixture(scope="module")
def service(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(
        tmp_path_factory.mktemp("migrated") / "data",
        FILMROLL_FETCH_ALLOW=origin.host,
        FILMROLL_SOURCES=f"http://{origin.host}/photos/,s3://old/=http://{origin.host}/bucket/",
        FILMROLL_MAX_UPLOAD_BYTES="2000000",
        FILMROLL_IMGPROXY_PRESETS="thumb=resize:fill:64:64",
    ) as running:
        yield running


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


@pytest.fixture(scope="module")
def photo(origin: Origin) -> str:
    return turned_photo(origin)


# ---------------------------------------------------------------------- fetched on the first use


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("300x200", (300, 200)),
        ("300x0", (300, 225)),
        ("fit-in/300x300", (300, 225)),
        ("full-fit-in/300x300", (400, 300)),
        ("adaptive-fit-in/200x300", (267, 200)),
        ("1300x100/filters:no_upscale()", (640, 100)),
        ("10x10:110x60/50x50", (50, 50)),
        ("fit-in/300x300/filters:fill(blue)", (300, 300)),
        ("filters:rotate(90)", (480, 640)),
        ("trim/0x0", (640, 480)),
    ],
)
def test_thumbors_urls_give_thumbors_sizes(
    http: httpx.Client, photo: str, options: str, expected: tuple[int, int]
) -> None:
    assert size(http.get(thumbor(options, photo))) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("rs:fill:300:200", (300, 200)),
        ("rs:fit:300:300", (300, 225)),
        ("rs:fill:1300:100", (640, 100)),
        ("rs:force:1300:100", (640, 49)),
        ("rs:auto:100:300", (100, 75)),
        ("w:100/dpr:2", (200, 150)),
        ("rs:fit:300:300/ex:1", (300, 300)),
        ("w:100/pd:10", (120, 95)),
        ("c:0.5:100/rot:90", (240, 100)),
        ("pr:thumb", (64, 64)),
    ],
)
def test_imgproxys_urls_give_imgproxys_sizes(
    http: httpx.Client, photo: str, options: str, expected: tuple[int, int]
) -> None:
    assert size(http.get(imgproxy(options, photo))) == expected


def test_turning_and_flipping_go_the_others_way(http: httpx.Client, origin: Origin) -> None:
    whole = flat(255, 0, 0).join(flat(255, 255, 255), "horizontal")
    source = origin.shows("/photos/red.png", whole.pngsave_buffer())

    def red_at(answer: httpx.Response, x: int, y: int) -> bool:
        red, green, blue = opened(answer)(x, y)[:3]
        return red > 200 and green < 50 and blue < 50

    assert red_at(http.get(thumbor("40x20", source)), 2, 2)
    assert red_at(http.get(thumbor("-40x20", source)), 37, 2)
    assert red_at(http.get(thumbor("filters:rotate(90)", source)), 2, 37)  # to the left
    assert red_at(http.get(imgproxy("rot:90", source)), 2, 2)  # to the right
    assert red_at(http.get(imgproxy("fl:1", source)), 37, 2)
    assert red_at(http.get(imgproxy("rs:fill:10:10/g:we", source)), 5, 5)


def test_a_source_is_fetched_once_and_kept(http: httpx.Client, origin: Origin) -> None:
    body = jpeg(200, 100, 72)
    url = origin.shows("/photos/once.jpg", body)
    first = http.get(thumbor("50x0", url))
    assert size(first) == (50, 25)
    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in (thumbor("60x0", url), thumbor("50x0", "once.jpg"), imgproxy("w:70", url)):
        assert http.get(path).status_code == 200
    assert origin.asked.count("/photos/once.jpg") == 1
    image = kept_of(http, body)
    assert (image["sha256"], image["name"]) == (hashlib.sha256(body).hexdigest(), "once.jpg")
    assert image["metadata"] == {"source": url}
    own = http.get(f"/i/{image['id']}/resize:width=50,enlarge=true")
    assert (own.content, own.headers["etag"]) == (first.content, first.headers["etag"])
    again = http.get(thumbor("50x0", url), headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    part = http.get(thumbor("50x0", url), headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, first.content[:10])
    assert http.head(thumbor("50x0", url)).headers["content-length"] == str(len(first.content))


def test_many_who_ask_at_once_cause_one_fetch(http: httpx.Client, origin: Origin) -> None:
    body = jpeg(200, 100, 73)
    held = threading.Event()

    def slowly(request: BaseHTTPRequestHandler) -> None:
        held.wait(10)
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    url = origin.does("/photos/slow.jpg", slowly)
    with ThreadPoolExecutor(24) as pool:
        waiting = [pool.submit(http.get, thumbor(f"{10 + n % 3}x0", url)) for n in range(24)]
        time.sleep(0.5)
        held.set()
        assert {one.result().status_code for one in waiting} == {200}
    assert origin.asked.count("/photos/slow.jpg") == 1


def test_a_page_of_pictures_that_nobody_has_seen_comes_whole(
    http: httpx.Client, origin: Origin
) -> None:
    """More sources at once than may be fetched from one host at a time."""
    urls = [origin.shows(f"/photos/page-{n}.jpg", jpeg(64, 48, 100 + n)) for n in range(40)]
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda url: http.get(thumbor("32x24", url)), urls))
    assert [answer.status_code for answer in answers] == [200] * 40
    assert len({answer.content for answer in answers}) == 40
    assert [origin.asked.count(f"/photos/page-{n}.jpg") for n in range(40)] == [1] * 40


def test_two_processes_fetch_a_source_once(origin: Origin, tmp_path: Path) -> None:
    url = origin.shows("/photos/twice.jpg", jpeg(200, 100, 74))
    settings = {
        "FILMROLL_FETCH_ALLOW": origin.host,
        "FILMROLL_SOURCES": f"http://{origin.host}/photos/",
    }
    with (
        Service(tmp_path / "data", "worker", **settings) as worker,
        Service(tmp_path / "data", "download-api", FILMROLL_WORKER_URL=worker.url, **settings) as a,
        Service(tmp_path / "data", "download-api", FILMROLL_WORKER_URL=worker.url, **settings) as b,
        ThreadPoolExecutor(8) as pool,
    ):
        paths = [one.url + thumbor("50x0", url) for one in (a, b) for _ in range(4)]
        assert [one.status_code for one in pool.map(httpx.get, paths)] == [200] * 8
    assert origin.asked.count("/photos/twice.jpg") == 1


def test_the_spelling_of_another_store_is_replaced(http: httpx.Client, origin: Origin) -> None:
    origin.shows("/bucket/k/a.png", png(64, 32))
    assert size(http.get(imgproxy("w:32", "s3://old/k/a.png"))) == (32, 16)
    assert size(http.get("/i/imgproxy/_/w:32/plain/s3://old/k/a.png@webp")) == (32, 16)
    assert size(http.get("/i/imgproxy/_/w:32/plain/s3:/old/k/a.png")) == (32, 16)


def test_a_watermark_may_be_a_source_too(http: httpx.Client, origin: Origin, photo: str) -> None:
    origin.shows("/photos/mark.png", flat(255, 0, 0).pngsave_buffer())
    answer = http.get(thumbor("300x200/filters:watermark(mark.png,-10,-10,0):format(png)", photo))
    assert opened(answer)(280, 180)[:3] == [255, 0, 0]
    missing = http.get(thumbor("300x200/filters:watermark(none.png,0,0,0)", photo))
    problem(missing, 404, "not-found")


def test_a_query_belongs_to_thumbors_source_and_not_to_imgproxys(
    http: httpx.Client, origin: Origin
) -> None:
    """thumbor hands a request's query on to the source's server, imgproxy cuts it off."""
    body = jpeg(200, 100, 84)
    url = origin.shows("/photos/q.jpg", body)
    first = origin.shows("/photos/q.jpg?id=1&t=a%26b", jpeg(100, 100, 85))
    origin.shows("/photos/q.jpg?id=2", jpeg(100, 200, 86))
    path = f"/i/thumbor/unsafe/50x0/{url}"
    shapes = {"": (50, 25), "?id=1&t=a%26b": (50, 50), "?id=2": (50, 100)}
    for _ in range(2):
        for query, expected in shapes.items():
            assert size(http.get(path + query)) == expected
    assert size(http.get(f"{path}?dl=a.jpg&id=2&exp=1&kid=x")) == (50, 100)  # ours are not theirs
    assert size(http.get(f"{path}?exp=1")) == (50, 25)
    assert size(http.get(f"/i/thumbor/unsafe/60x0/{quote(first, safe='')}")) == (60, 60)
    for source in (url, f"{url}@png"):
        assert size(http.get(f"/i/imgproxy/_/w:50/plain/{source}?id=2")) == (50, 25)
    problem(http.get(f"{path}?id=2&sig=x"), 422, "untranslatable")
    assert size(http.get(f"/i/thumbor/unsafe/50x0/{kept_of(http, body)['id']}?v=2")) == (50, 25)


def test_a_scaled_mark_of_imgproxys_fits_into_a_part_of_both_sides(
    http: httpx.Client, origin: Origin
) -> None:
    white = flat(255, 255, 255).resize(40, vscale=10)
    page = origin.shows("/photos/page.png", white.pngsave_buffer())
    red = flat(255, 0, 0).pngsave_buffer()
    kept = http.post("/v1/images", content=red).json()["id"]
    for mark in (origin.shows("/photos/square.png", red), kept):
        url = base64.urlsafe_b64encode(mark.encode()).decode()
        laid = opened(http.get(imgproxy(f"wm:1:soea:0.025:0.1:0.5/wmu:{url}", page)))
        assert (laid.width, laid.height) == (800, 200)
        left, top, width, height = laid.extract_band(1).find_trim(background=255)
        assert (width, height) == (100, 100)
        assert (left, top) == (800 - 20 - 100, 200 - 20 - 100)


# ---------------------------------------------------------------------------- what goes wrong


def test_what_is_not_there_is_not_found(http: httpx.Client, origin: Origin) -> None:
    for path in (thumbor("50x0", "none.jpg"), imgproxy("w:50", "none.jpg")):
        assert "404" in str(problem(http.get(path), 404, "not-found")["detail"])
    gone = origin.shows("/photos/gone.jpg", b"", status=410)
    problem(http.get(thumbor("50x0", gone)), 404, "not-found")
    problem(http.get("/i/thumbor/unsafe/50x0/0123456789abcdefghjkmnpqrs"), 404, "not-found")


@pytest.mark.parametrize("status", [500, 503, 403, 429])
def test_an_origin_that_fails_is_a_bad_gateway(
    http: httpx.Client, origin: Origin, status: int
) -> None:
    url = origin.shows(f"/photos/{status}.jpg", b"", status=status, Retry_After="7")
    answer = http.get(thumbor("50x0", url))
    problem(answer, 502, "source-failed")
    assert answer.headers.get("retry-after") == (None if status == 403 else "7")
    assert origin.asked.count(f"/photos/{status}.jpg") == 1  # nobody tries again behind its back


def test_what_is_no_picture_is_told(http: httpx.Client, origin: Origin) -> None:
    problem(
        http.get(thumbor("50x0", origin.shows("/photos/text.jpg", b"no picture" * 99))),
        415,
        "unsupported-media",
    )
    large = origin.shows("/photos/large.jpg", tiny_jpeg(83) + bytes(2_000_000))
    problem(http.get(thumbor("50x0", large)), 413, "too-large")
    problem(http.get(thumbor("50x0", origin.shows("/photos/e.jpg", b""))), 422, "empty-body")


def test_a_redirect_leads_out_of_the_sources_in_vain(http: httpx.Client, origin: Origin) -> None:
    secret = origin.shows("/secret.jpg", jpeg(60, 40, 75))
    out = origin.shows("/photos/out.jpg", b"", status=302, Location=secret)
    problem(http.get(thumbor("50x0", out)), 502, "source-failed")
    inside = origin.shows("/photos/inside.jpg", jpeg(60, 40, 76))
    outside = origin.shows("/outside.jpg", b"", status=302, Location=inside)
    there_and_back = origin.shows("/photos/back.jpg", b"", status=302, Location=outside)
    problem(http.get(thumbor("50x0", there_and_back)), 502, "source-failed")
    assert not {"/secret.jpg", "/outside.jpg"} & set(origin.asked)
    within = origin.shows("/photos/within.jpg", b"", status=302, Location=inside)
    assert http.get(thumbor("50x0", within)).status_code == 200


def test_other_sources_are_not_fetched(http: httpx.Client, origin: Origin) -> None:
    secret = origin.shows("/secret2.jpg", jpeg(60, 40, 77))
    for source in (secret, "http://192.0.2.1/a.jpg", "photos/../../secret2.jpg", "file:///etc/x"):
        assert "FILMROLL_SOURCES" in str(
            problem(http.get(thumbor("50x0", source)), 422, "unknown-source")["detail"]
        )
    assert "/secret2.jpg" not in origin.asked


def test_a_deleted_source_stays_deleted(http: httpx.Client, origin: Origin) -> None:
    body = jpeg(60, 40, 78)
    url = origin.shows("/photos/deleted.jpg", body)
    assert http.get(thumbor("50x0", url)).status_code == 200
    assert http.delete(f"/v1/images/{kept_of(http, body)['id']}").status_code == 204
    for path in (thumbor("50x0", url), thumbor("40x0", url)):
        problem(http.get(path), 410, "deleted")
    assert origin.asked.count("/photos/deleted.jpg") == 1


def test_what_has_no_counterpart_is_told(http: httpx.Client, photo: str) -> None:
    body = problem(http.get(thumbor("filters:noise(40)", photo)), 422, "untranslatable")
    assert body["option"] == "noise(40)"
    answer = http.get(imgproxy("resize:fill:9:9/unsharp_masking:1", photo))
    body = problem(answer, 422, "untranslatable")
    assert "Use sharpen instead" in str(body["detail"])
    assert answer.headers["access-control-allow-origin"] == "*"
    for path in ("/i/thumbor/", "/i/thumbor/unsafe", "/i/imgproxy/x", "/i/imgproxy/x/"):
        problem(http.get(path), 404, "not-found")
    problem(http.post(thumbor("9x9", photo)), 405, "method-not-allowed")
    assert http.options(thumbor("9x9", photo)).status_code == 204


@pytest.mark.parametrize(
    "path",
    [
        "/i/%74humbor/unsafe/9x9/0123456789abcdefghjkmnpqrs",
        "/i/thumbor%2Funsafe/9x9/0123456789abcdefghjkmnpqrs",
        "/i/%69mgproxy/_/w:9/plain/0123456789abcdefghjkmnpqrs",
        "/%69/imgproxy/_/w:9/plain/0123456789abcdefghjkmnpqrs",
    ],
)
def test_a_server_that_is_spelt_otherwise_is_not_found(http: httpx.Client, path: str) -> None:
    problem(http.get(path), 404, "not-found")


def test_a_signature_is_not_logged(service: Service, http: httpx.Client) -> None:
    for path in ("/i/thumbor/s3cret/9x9/none", "/i/imgproxy/s3cret/w:9/plain/none"):
        assert http.get(path).status_code == 404
    assert http.get("/i/thumbor%2Fs3cret/9x9/none").status_code == 404
    log = service.log.read_text()
    assert "/i/thumbor/-/9x9/none" in log
    assert "s3cret" not in log


# -------------------------------------------------------------------------- kept images, names


@pytest.fixture(scope="module")
def kept(service: Service) -> str:
    with service.client() as client:
        answer = client.post("/v1/images", content=jpeg(640, 480, 79))
        return str(answer.json()["id"])


def test_ids_are_sources_too(http: httpx.Client, kept: str) -> None:
    assert size(http.get(f"/i/thumbor/unsafe/300x200/smart/{kept}")) == (300, 200)
    answer = http.get(f"/i/imgproxy/_/rs:fit:300:300/plain/{kept}@webp")
    assert (size(answer), answer.headers["content-type"]) == ((300, 225), "image/webp")
    original = http.get(f"/i/{kept}").content
    assert http.get(f"/i/imgproxy/_/raw:1/plain/{kept}").content == original
    assert http.get(f"/i/thumbor/unsafe/{kept}").content != original  # written anew


def test_the_best_format_is_that_of_the_client(http: httpx.Client, kept: str) -> None:
    path = f"/i/imgproxy/_/w:300/plain/{kept}@best"
    for accept, types in (("image/webp", {"image/webp", "image/jpeg"}), ("*/*", {"image/jpeg"})):
        answer = http.get(path, headers={"Accept": accept})
        assert answer.headers["content-type"] in types
        assert "Accept" in answer.headers["vary"]
    assert "vary" not in http.get(f"/i/imgproxy/_/w:300/plain/{kept}@jpg").headers


def test_bytes_are_kept_to(http: httpx.Client, kept: str) -> None:
    for path in (
        f"/i/thumbor/unsafe/600x0/filters:max_bytes(9000)/{kept}",
        f"/i/imgproxy/_/w:600/mb:9000/plain/{kept}",
    ):
        answer = http.get(path)
        assert size(answer)[0] == 600
        assert len(answer.content) <= 9000


def test_what_follows_from_a_setting_is_not_kept_for_ever(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Service(data) as running, running.client() as http:
        kept = http.post("/v1/images", content=jpeg(640, 480, 84)).json()["id"]
    lasting = "public, max-age=31536000, immutable"
    paths = [f"/i/imgproxy/_/{said}/plain/{kept}" for said in ("pr:a", "w:9/wm:1", "w:9")]
    for default, ends in (("", [False, False, True]), (",default=q:50", [False] * 3)):
        presets = f"a=w:20{default}"
        settings = {"FILMROLL_IMGPROXY_PRESETS": presets, "FILMROLL_IMGPROXY_WATERMARK": kept}
        with Service(data, **settings) as running, running.client() as http:
            own = http.get(f"/i/{kept}/resize:width=20").headers
            assert own["cache-control"] == lasting
            for path, lasts in zip(paths, ends, strict=True):
                answers = [http.get(path) for _ in range(2)]  # made, and from memory
                tag = {"If-None-Match": answers[0].headers["etag"]}
                answers.append(http.get(path, headers=tag))
                assert [one.status_code for one in answers] == [200, 200, 304]
                for answer in answers:
                    assert (answer.headers["cache-control"] == lasting) is lasts, path
                    assert "max-age=" in answer.headers["cache-control"]


def test_names_and_times_of_imgproxy(http: httpx.Client, kept: str) -> None:
    later = int(time.time()) + 100
    answer = http.get(f"/i/imgproxy/_/w:9/att:1/fn:l%C3%A4ke.jpg/exp:{later}/plain/{kept}")
    assert "filename*=UTF-8''l%C3%A4ke.jpg" in answer.headers["content-disposition"]
    age = int(answer.headers["cache-control"].partition("max-age=")[2].partition(",")[0])
    assert 90 <= age <= 100
    for _ in range(2):
        late = http.get(f"/i/imgproxy/_/w:9/exp:{later - 200}/plain/{kept}")
        problem(late, 403, "expired-signature")


# -------------------------------------------------------------------------- the command, settings


def test_translate_prints_the_path_that_asks_for_the_same(tmp_path: Path) -> None:
    data = str(tmp_path)
    url = "http://thumbor.example/unsafe/300x200/smart/0123456789abcdefghjkmnpqrs"
    done = filmroll("translate", "thumbor", url, FILMROLL_DATA=data)
    assert done.stdout == (
        "/i/0123456789abcdefghjkmnpqrs/"
        "resize:width=300,height=200,fit=cover,gravity=smart,enlarge=true\n"
    )
    path = "/sig/rs:auto:300:500/plain/http://a.example/b.jpg@webp"
    done = filmroll("translate", "imgproxy", path, "--size", "800x600", FILMROLL_DATA=data)
    assert done.stdout == (
        "/i/{image}/resize:width=300,height=500/output:format=webp,metadata=copyright\n"
    )
    assert "source: http://a.example/b.jpg" in done.stderr
    done = filmroll("translate", "imgproxy", path, FILMROLL_DATA=data)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--size" in done.stderr
    assert len(done.stderr.splitlines()) == 3
    for server, path, source in (
        ("thumbor", "/unsafe/9x9/b.jpg?v=2", "b.jpg?v=2"),
        ("imgproxy", "/sig/w:9/plain/b.jpg?v=2", "b.jpg"),
    ):
        assert f"source: {source}\n" in filmroll("translate", server, path).stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"FILMROLL_IMGPROXY_KEY": KEY}, "as many"),
        ({"FILMROLL_IMGPROXY_KEY": "xy", "FILMROLL_IMGPROXY_SALT": "ab"}, "hexadecimal"),
        ({"FILMROLL_SOURCES": "img.example.com"}, "end with a slash"),
        ({"FILMROLL_IMGPROXY_PRESETS": "thumb"}, "name=option"),
        ({"FILMROLL_THUMBOR_KEY": ""}, "FILMROLL_THUMBOR_KEY"),
        ({"FILMROLL_IMGPROXY_SIGNATURE_BYTES": "1"}, "FILMROLL_IMGPROXY_SIGNATURE_BYTES"),
    ],
)
def test_settings_out_of_form_stop_the_start(variables: dict[str, str], said: str) -> None:
    done = filmroll("settings", **variables)
    assert done.returncode == 2
    assert said in done.stderr


def test_secrets_are_not_shown() -> None:
    done = filmroll(
        "settings",
        "--json",
        FILMROLL_THUMBOR_KEY="thumbors-own",
        FILMROLL_IMGPROXY_KEY="abcd12",
        FILMROLL_IMGPROXY_SALT="dcba21",
    )
    assert done.returncode == 0, done.stderr
    assert not any(secret in done.stdout for secret in ("thumbors-own", "abcd12", "dcba21"))
