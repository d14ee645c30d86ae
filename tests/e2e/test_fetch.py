"""Images that the service fetches: by URL from a server on this machine, and from its own store."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from tests.e2e.bulk import (
    SMALL,
    View,
    check_sums,
    declare,
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
from tests.e2e.origin import Origin
from tests.e2e.service import IMPATIENT, Service, free_port
from tests.e2e.stored import Stored
from tests.samples import jpeg

LARGEST = 2_000_000


@pytest.fixture(scope="module")
def fetching(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(
        tmp_path_factory.mktemp("fetching") / "data",
        module=IMPATIENT,
        FILMROLL_FETCH_ALLOW=origin.host,
        FILMROLL_MAX_UPLOAD_BYTES=str(LARGEST),
    ) as running:
        yield running


@pytest.fixture
def http(fetching: Service) -> Iterator[httpx.Client]:
    with fetching.client() as client:
        yield client


def from_url(ref: str, url: str, **more: object) -> View:
    return {"ref": ref, "source": {"url": url}, **more}


def fetched(http: httpx.Client, *items: View, **fields: object) -> dict[str, View]:
    """Have items fetched in a batch of their own; return its ledger once all have ended."""
    batch = new_batch(http, **fields)
    assert {one["state"] for one in declare(http, batch, *items)} == {"queued"}
    seal(http, batch)
    wait_until_final(http, batch)
    return check_sums(http, batch)


# --------------------------------------------------------------------------------- into batches


def test_what_lies_under_a_url_becomes_an_image(http: httpx.Client, origin: Origin) -> None:
    body = photo("fetched")
    url = origin.shows("/good.jpg", body, Content_Type="text/plain")
    line = fetched(http, from_url("a/1.jpg", url, tags=["t"]), variants=[SMALL])["a/1.jpg"]
    assert (line["state"], line["sha256"], line["bytes"]) == (
        "succeeded",
        sha256(body),
        len(body),
    )
    assert (line["source"], line["tags"]) == ({"url": url}, ["t"])
    image = http.get(f"/v1/images/{line['image']}").json()
    assert (image["name"], image["tags"], image["state"]) == ("1.jpg", ["t"], "ready")
    assert [one["state"] for one in image["variants"]] == ["ready"]
    assert http.get(line["url"]).content == body


def test_what_stands_against_an_item_is_told(http: httpx.Client, origin: Origin) -> None:
    port = free_port()
    large = jpeg(64, 48) + bytes(LARGEST)
    urls = {
        "fetch-failed": origin.shows("/gone", b"", 410),
        "unsupported-media": origin.shows("/page", b"<html>no picture</html>"),
        "corrupt-image": origin.shows("/cut.jpg", jpeg(64, 48)[:300]),
        "too-large": origin.shows("/large.jpg", large),
        "forbidden-address": "http://169.254.169.254/latest/meta-data/",
        "empty-body": origin.shows("/empty", b""),
    }
    forbidden = {
        "another port": f"http://127.0.0.1:{port}/",
        "localhost": f"http://localhost:{port}/",
        "redirected": origin.shows("/to-metadata", b"", 302, Location="http://169.254.169.254/"),
        "redirected to a port": origin.shows("/r", b"", 307, Location=f"http://[::1]:{port}/"),
        "redirected to a file": origin.shows("/f", b"", 302, Location="file:///etc/passwd"),
    }
    items = [from_url(code, url) for code, url in (urls | forbidden).items()]
    lines = fetched(http, *items, from_url("none", f"http://{origin.host}/none"))
    assert {line["state"] for line in lines.values()} == {"failed"}
    for code in urls:
        assert lines[code]["problem"]["code"] == code
    for ref in forbidden.keys() - {"redirected to a file"}:
        assert lines[ref]["problem"]["code"] == "forbidden-address", ref
    assert lines["redirected to a file"]["problem"]["code"] == "fetch-failed"
    assert lines["none"]["problem"]["code"] == "fetch-failed"
    assert origin.asked.count("/none") == 1, "what is not there is not asked for again"


def test_redirects_are_followed(http: httpx.Client, origin: Origin) -> None:
    body = photo("redirected")
    origin.shows("/at-last.jpg", body)
    origin.shows("/second", b"", 301, Location="at-last.jpg")
    url = origin.shows("/first", b"", 302, Location=f"http://{origin.host}/second")
    line = fetched(http, from_url("a", url))["a"]
    assert (line["sha256"], line["source"]) == (sha256(body), {"url": url})
    circle = origin.shows("/circle", b"", 302, Location="/circle")
    assert fetched(http, from_url("a", circle))["a"]["problem"]["code"] == "fetch-failed"


def test_a_server_in_trouble_is_asked_again(http: httpx.Client, origin: Origin) -> None:
    body, asked = photo("troubled"), []

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(time.monotonic())
        good = len(asked) > 1
        request.send_response(200 if good else 500)
        request.send_header("Content-Length", str(len(body) if good else 0))
        request.end_headers()
        request.wfile.write(body if good else b"")

    line = fetched(http, from_url("a", origin.does("/troubled", answer)))["a"]
    assert (line["state"], line["sha256"]) == ("succeeded", sha256(body))
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 1.5, "it is left alone for a while"


def test_a_body_that_breaks_off_is_asked_for_again(http: httpx.Client, origin: Origin) -> None:
    body, asked = photo("broken off"), []

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body if len(asked) > 1 else body[:100])
        request.close_connection = True

    line = fetched(http, from_url("a", origin.does("/breaks", answer)))["a"]
    assert (line["state"], len(asked)) == ("succeeded", 2)


def test_what_failed_is_fetched_anew_by_a_retry(http: httpx.Client, origin: Origin) -> None:
    batch, url = new_batch(http), f"http://{origin.host}/later.jpg"
    declare(http, batch, from_url("a", url))
    put(http, batch, "b", b"no picture")
    seal(http, batch)
    assert wait_until_final(http, batch)["state"] == "completed_with_errors"
    origin.shows("/later.jpg", photo("later"))
    assert http.post(f"/v1/batches/{batch}/retry").json()["state"] in {
        "sealed",
        "completed_with_errors",
    }
    wait_until_final(http, batch)
    lines = check_sums(http, batch)
    assert (lines["a"]["state"], lines["a"]["attempts"]) == ("succeeded", 1)
    assert lines["b"]["state"] == "failed"


def test_bytes_that_are_not_those_declared_fail(http: httpx.Client, origin: Origin) -> None:
    url = origin.shows("/other.jpg", photo("other"))
    line = fetched(http, from_url("a", url, sha256=sha256(b"declared")))["a"]
    assert (line["state"], line["problem"]["code"]) == ("failed", "conflict")
    assert "image" not in line
    assert fetched(http, from_url("a", url, sha256=sha256(photo("other"))))["a"]["image"]


def test_what_is_kept_is_reused_or_rejected(http: httpx.Client, origin: Origin) -> None:
    body = photo("fetched twice")
    url = origin.shows("/twice.jpg", body)
    first = fetched(http, from_url("a", url), from_url("b", url))
    assert first["a"]["image"] != first["b"]["image"]
    reused = fetched(http, from_url("a", url), on_duplicate="reuse")["a"]
    assert reused["duplicate"] is True
    assert reused["image"] in {line["image"] for line in first.values()}
    rejected = fetched(http, from_url("a", url), on_duplicate="reject")["a"]
    assert (rejected["state"], rejected["problem"]["code"]) == ("failed", "duplicate")


def test_many_are_fetched_and_a_manifest_again_fetches_none(
    http: httpx.Client, origin: Origin
) -> None:
    items = [
        from_url(f"{n}", origin.shows(f"/many/{n}.jpg", photo(f"many {n}"))) for n in range(150)
    ]
    batch = new_batch(http)
    for _ in range(3):
        verdicts = declare(http, batch, *items)
        assert {one["state"] for one in verdicts} <= {"queued", "have"}
    seal(http, batch, expected_count=150)
    assert wait_until_final(http, batch)["counts"]["succeeded"] == 150
    assert {one["state"] for one in declare(http, batch, *items)} == {"have"}
    check_sums(http, batch)
    assert sorted(path for path in origin.asked if path.startswith("/many/")) == sorted(
        f"/many/{n}.jpg" for n in range(150)
    )


class Held:
    """A page that is answered only when it is let go."""

    def __init__(self, origin: Origin, path: str, body: bytes) -> None:
        self._origin, self._path, self._body = origin, path, body
        self._asked, self._go = threading.Event(), threading.Event()
        self.url = origin.does(path, self._answer)

    def wait(self) -> None:
        assert self._asked.wait(20)

    def go(self) -> None:
        self._go.set()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self._asked.set()
        self._go.wait(20)
        request.send_response(200)
        request.send_header("Content-Length", str(len(self._body)))
        request.end_headers()
        request.wfile.write(self._body)


def test_a_batch_is_cancelled_while_an_item_is_fetched(
    http: httpx.Client, origin: Origin, fetching: Service
) -> None:
    held, batch = Held(origin, "/held.jpg", photo("held")), new_batch(http)
    declare(http, batch, from_url("a", held.url), {"ref": "never"})
    held.wait()
    assert http.delete(f"/v1/batches/{batch}").json()["state"] == "cancelled"
    held.go()
    deadline = time.monotonic() + 20
    while ledger(http, batch)["a"]["state"] == "queued":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    line = check_sums(http, batch)["a"]
    assert line["state"] in {"cancelled", "failed"}
    assert "image" not in line
    images = http.get("/v1/images", params={"sha256": sha256(photo("held"))}).json()["items"]
    assert images == []
    assert not list((fetching.data / "spool").glob("spool-*"))


def test_who_sends_the_bytes_is_quicker_than_the_fetch(http: httpx.Client, origin: Origin) -> None:
    held, batch = Held(origin, "/slow.jpg", photo("slow")), new_batch(http)
    declare(http, batch, from_url("a", held.url))
    held.wait()
    sent = put(http, batch, "a", photo("quick"))
    assert sent.status_code == 201
    held.go()
    seal(http, batch)
    assert wait_until_final(http, batch)["state"] == "completed"
    assert check_sums(http, batch)["a"]["sha256"] == sha256(photo("quick"))


@pytest.mark.slow
def test_fetches_outlive_their_server(data: Path, origin: Origin) -> None:
    with Service(data, module=IMPATIENT, FILMROLL_FETCH_ALLOW=origin.host) as service:
        items = [
            from_url(f"{n}", origin.shows(f"/kill/{n}.jpg", photo(f"kill {n}"))) for n in range(200)
        ]
        with service.client() as client:
            batch = new_batch(client, variants=[SMALL])
            declare(client, batch, *items)
            seal(client, batch)
        for part in (20, 90):
            with service.client() as client:
                while view(client, batch)["counts"]["received"] < part:
                    time.sleep(0.005)
            service.kill()
            service.start()
        with service.client() as client:
            done = wait_until_final(client, batch, 60)
            assert (done["state"], done["counts"]["succeeded"]) == ("completed", 200)
            lines = check_sums(client, batch)
            assert len({line["image"] for line in lines.values()}) == 200
            page = client.get("/v1/images", params={"batch": batch, "limit": 200}).json()
            assert len(page["items"]) == 200


# ------------------------------------------------------------------------------ from the store


def test_what_lies_in_the_store_is_imported(http: httpx.Client, fetching: Service) -> None:
    stored = Stored(fetching.data)
    bodies = {"x.jpg": photo("x"), "sub/y.jpg": photo("y"), "page.txt": b"no picture"}
    for name, body in bodies.items():
        stored.write(f"import/{name}", body)
    blobs = [*bodies, "none.jpg", "sub", "a//b", "ä.jpg", "", "x" * 300, ".hidden"]
    lines = fetched(
        http, *({"ref": f"ref {name}", "source": {"blob": f"import/{name}"}} for name in blobs)
    )
    for name in ("x.jpg", "sub/y.jpg"):
        line = lines[f"ref {name}"]
        assert (line["state"], line["sha256"]) == ("succeeded", sha256(bodies[name]))
        assert http.get(line["url"]).content == bodies[name]
        assert stored.read(f"import/{name}") == bodies[name], "it stays where it was"
    assert lines["ref page.txt"]["problem"]["code"] == "unsupported-media"
    for name in blobs[3:]:
        assert lines[f"ref {name}"]["problem"]["code"] == "fetch-failed", name


# -------------------------------------------------------------------------------- one by one


def test_one_image_is_fetched(http: httpx.Client, origin: Origin) -> None:
    body = photo("one")
    url = origin.shows("/one.jpg", body)
    said = {"url": url, "name": "Own", "tags": ["t"], "metadata": {"a": 1}, "variants": [SMALL]}
    answer = http.post("/v1/images", json=said)
    image = answer.json()
    assert answer.status_code == 201, image
    assert (image["name"], image["tags"], image["metadata"]) == ("Own", ["t"], {"a": 1})
    assert (image["sha256"], image["state"]) == (sha256(body), "ready")
    assert [one["state"] for one in image["variants"]] == ["ready"]
    queued = http.post("/v1/images", json={"url": url}, headers={"Prefer": "respond-async"})
    assert queued.status_code == 202
    deadline = time.monotonic() + 20
    while (job := http.get(queued.headers["location"]).json())["state"] != "succeeded":
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    assert http.get(f"/v1/images/{job['image']}").json()["sha256"] == sha256(body)


def test_one_image_is_fetched_once_under_a_key(http: httpx.Client, origin: Origin) -> None:
    url = origin.shows("/once.jpg", photo("once"))
    headers = {"Idempotency-Key": f"fetch {time.time()}"}
    ids = {
        http.post("/v1/images", json={"url": url}, headers=headers).json()["id"] for _ in range(3)
    }
    assert (len(ids), origin.asked.count("/once.jpg")) == (1, 1)


def test_what_stands_against_one_image_is_told(http: httpx.Client, origin: Origin) -> None:
    page = origin.shows("/page", b"<html>no picture</html>")
    for url, status, code in (
        (page, 415, "unsupported-media"),
        (f"http://{origin.host}/nothing", 422, "fetch-failed"),
        ("http://10.0.0.1/", 422, "forbidden-address"),
        ("ftp://example.org/a.jpg", 422, "invalid-request"),
        ("no url", 422, "invalid-request"),
        ("import/x.jpg", 422, "invalid-request"),
    ):
        problem(http.post("/v1/images", json={"url": url}), status, code)
    problem(http.post("/v1/images", json={"url": page, "what": 1}), 422, "invalid-request")
