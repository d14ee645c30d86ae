"""What an operator sees: health, metrics, logs, and documentation that needs no other host."""

import hashlib
import json
import re
import time
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.service import Service, until
from tests.e2e.test_upload import THUMB, upload, wait_for
from tests.samples import jpeg, tiny_jpeg

PART = {"n": 1, "etag": hashlib.sha256(tiny_jpeg(97)).hexdigest()[:32]}

Counts = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A service that nobody else counts on."""
    with Service(tmp_path_factory.mktemp("operations") / "data") as running:
        yield running


def test_it_is_alive_and_ready(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"alive": True}
    assert http.get("/readyz").json() == {"ready": True, "faults": {}}


def test_metrics_count_what_happened(http: httpx.Client) -> None:
    before = counters(http)
    body = tiny_jpeg(95)
    image = upload(http, body).json()
    upload(http, b"no picture")
    http.get(f"/i/{image['id']}")
    http.get(f"/i/{image['id']}/{THUMB}")
    http.get("/i/nobody")
    http.request("BREW", "/v1/images")
    job = upload(http, jpeg(seed=95), THUMB, prefer="respond-async").headers["location"]
    wait_for(http, job)
    after = until(lambda: settled(before, counters(http)))

    def grown(name: str, **labels: str) -> float:
        key = (name, frozenset(labels.items()))
        return after[key] - before.get(key, 0)

    requests = "filmroll_requests_total"
    upload_route = {"method": "POST", "route": "/v1/images"}
    assert grown(requests, **upload_route, status="201") == 1
    assert grown(requests, **upload_route, status="202") == 1
    assert grown(requests, **upload_route, status="415") == 1
    assert grown(requests, method="GET", route="/i", status="200") == 2
    assert grown(requests, method="GET", route="/i", status="404") == 1
    assert grown(requests, method="other", route="/v1/images", status="405") == 1
    assert grown("filmroll_request_duration_seconds_count", route="/i") == 3
    assert grown("filmroll_uploaded_bytes_total") == len(body) + len(jpeg(seed=95))
    assert grown("filmroll_jobs_total", state="succeeded") == 1
    assert after["filmroll_requests_in_progress", frozenset()] == 1, "the one that asks"
    for state in ("waiting", "leased", "dead"):
        labels = frozenset({"lane": "interactive", "state": state}.items())
        assert after["filmroll_queue_messages", labels] == 0


def settled(before: Counts, after: Counts) -> Counts | None:
    """Return what is counted, once a job is, its message gone, and only this request goes on."""
    jobs = "filmroll_jobs_total", frozenset({("state", "succeeded")})
    leased = (
        "filmroll_queue_messages",
        frozenset({"lane": "interactive", "state": "leased"}.items()),
    )
    ended = after.get(jobs, 0) > before.get(jobs, 0) and after[leased] == 0
    return after if ended and after["filmroll_requests_in_progress", frozenset()] == 1 else None


def counters(http: httpx.Client) -> Counts:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(http.get("/metrics").text)
        for sample in family.samples
    }


def test_log_lines_are_json_and_lead_from_a_request_to_its_line(
    http: httpx.Client, service: Service
) -> None:
    upload(http, tiny_jpeg(96), x_request_id="mine-96")
    unnamed = upload(http, b"no picture").headers["x-request-id"]
    until(lambda: f'"{unnamed}"' in service.log.read_text())
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    assert [line["url"] for line in lines if line["event"] == "ready"] == [service.url]
    found = {line["request_id"]: line for line in lines if "request_id" in line}
    for request_id, status in (("mine-96", 201), (unnamed, 415)):
        line = found[request_id]
        assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/images", status)
        assert line["ms"] > 0


def test_docs_need_no_other_host(http: httpx.Client) -> None:
    page = http.get("/docs")
    assert page.status_code == 200
    references = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)""", page.text)
    assert len(references) >= 3
    for reference in references:
        assert not urlsplit(reference).netloc, reference
        assert http.get(reference).status_code == 200, reference
    assert not re.findall(r"https?://", page.text)
    assert http.get("/").headers["location"] == "/docs"


def test_every_problem_that_an_answer_names_has_its_page(http: httpx.Client) -> None:
    problem = upload(http, b"").json()
    page = http.get(problem["type"])
    assert page.status_code == 200
    assert problem["title"] in page.text
    assert http.get("/problems/none-such").status_code == 404


def test_every_route_of_the_description_answers(http: httpx.Client) -> None:
    description = http.get("/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    image = upload(http, jpeg(seed=97), THUMB).json()
    http.put("/v1/presets/thumb", json={"instructions": THUMB})
    job = upload(http, tiny_jpeg(98), THUMB, prefer="respond-async").headers["location"]
    webhook = http.post("/v1/webhooks", json={"url": "https://example.com/"}).json()["id"]
    places = {
        "image": image["id"],
        "instructions": "resize:width=9",
        "job": job.rsplit("/", 1)[-1],
        "name": "thumb",
        "code": "not-found",
        "ref": "a%2F1.jpg",
        "webhook": webhook,
        "delivery": delivery_of(http, webhook),
        "n": 1,
        "signature": "unsafe",
    }
    requests = {
        "/i/thumbor/{signature}/{request}": f"9x9/{image['id']}",
        "/i/imgproxy/{signature}/{request}": f"w:9/plain/{image['id']}",
    }
    bodies = {
        ("patch", "/v1/images/{image}"): {"name": "new"},
        ("post", "/v1/images/{image}/variants"): {"variants": [THUMB]},
        ("put", "/v1/presets/{name}"): {"instructions": THUMB},
        ("post", "/v1/batches"): {"name": "again"},
        ("post", "/v1/uploads"): {"name": "a"},
        ("post", "/v1/uploads/{upload}/complete"): {"parts": [PART]},
        ("post", "/v1/webhooks"): {"url": "https://example.com/"},
    }
    contents = {
        ("post", "/v1/images"): tiny_jpeg(99),
        ("put", "/v1/batches/{batch}/items/{ref}"): tiny_jpeg(99),
        ("post", "/v1/batches/{batch}/items"): b'{"ref": "b.jpg"}',
        ("post", "/v1/batches/{batch}/archive"): bytes(1024),  # an empty tar
        ("put", "/v1/uploads/{upload}/parts/{n}"): tiny_jpeg(99),
        ("patch", "/v1/tus/{upload}"): tiny_jpeg(99),
    }
    headers = {
        ("post", "/v1/batches/{batch}/items"): {"Content-Type": "application/x-ndjson"},
        ("post", "/v1/tus"): {"Upload-Length": "9"},
        ("patch", "/v1/tus/{upload}"): {
            "Upload-Offset": "0",
            "Content-Type": "application/offset+octet-stream",
        },
    }
    operations = [
        (method, path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if path != "/v1/uploads/{upload}/part-urls"  # this store has none
    ]
    operations.sort(key=lambda one: one[0] == "delete")  # what is needed goes last
    for method, path, operation in operations:
        batch = sealed_batch(http) if method == "get" else open_batch(http)
        begun = by_tus(http) if path.startswith("/v1/tus") else in_parts(http)
        place = path.format(**places, batch=batch, upload=begun, request=requests.get(path))
        key = (method, path)
        answer = http.request(
            method,
            place,
            json=bodies.get(key),
            content=contents.get(key),
            headers={"Tus-Resumable": "1.0.0", **headers.get(key, {})},
        )
        assert answer.is_success, (method, path, answer.text)
        assert str(answer.status_code) in operation["responses"], (method, path)


def open_batch(http: httpx.Client) -> str:
    """Return a batch that is open."""
    return str(http.post("/v1/batches", json={}).json()["id"])


def in_parts(http: httpx.Client) -> str:
    """Return an upload with one part, which ``PART`` lists."""
    made = str(http.post("/v1/uploads", json={}).json()["id"])
    http.put(f"/v1/uploads/{made}/parts/1", content=tiny_jpeg(97))
    return made


def by_tus(http: httpx.Client) -> str:
    """Return an upload that begins by tus."""
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(tiny_jpeg(99)))}
    return http.post("/v1/tus", headers=headers).headers["location"].rsplit("/", 1)[-1]


def sealed_batch(http: httpx.Client) -> str:
    """Return a batch that is complete, with one item."""
    made = open_batch(http)
    http.put(f"/v1/batches/{made}/items/a%2F1.jpg", content=tiny_jpeg(97))
    http.post(f"/v1/batches/{made}/seal")
    return made


def delivery_of(http: httpx.Client, webhook: str) -> str:
    """Return a delivery in the log of a webhook: that of an image that is ready."""
    upload(http, tiny_jpeg(96))
    deadline = time.monotonic() + 10
    while not (found := http.get(f"/v1/webhooks/{webhook}/deliveries").json()["items"]):
        assert time.monotonic() < deadline
        upload(http, tiny_jpeg(96))
        time.sleep(0.2)
    return str(found[0]["id"])


def test_references_of_the_description_resolve(http: httpx.Client) -> None:
    text = http.get("/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]
    names = re.findall(r'"#/components/schemas/([^"]+)"', text)
    assert names
    assert set(names) <= set(schemas)
