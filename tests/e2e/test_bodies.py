"""Bodies on their way in: slow, stalled, cut off, announced and refused before they are sent."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.raw import answer, connected, head
from tests.e2e.service import IMPATIENT, Service
from tests.e2e.test_upload import upload, wait_for
from tests.samples import jpeg, tiny_jpeg

BODY = tiny_jpeg(71)
FORM = (
    b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    + BODY
    + b"\r\n--xx--\r\n"
)
FORM_TYPE = "multipart/form-data; boundary=xx"
REFUSED = "/v1/images?variant=enlarge:width=1"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    data = tmp_path_factory.mktemp("bodies") / "data"
    with Service(data, module=IMPATIENT) as running:
        yield running


def count(http) -> int:
    return len(http.get("/v1/images", params={"limit": 200}).json()["items"])


def spooled(service) -> list:
    return list((service.data / "spool").glob("*"))


@pytest.mark.parametrize(
    ("request_head", "part"),
    [
        (head("POST", "/v1/images", Content_Length=len(BODY)), BODY[:100]),
        (head("POST", "/v1/images", Content_Length=len(BODY)), b""),
        (head("POST", "/v1/images", Content_Length=3 << 20), bytes(2 << 20)),
        (head("POST", "/v1/images", Content_Length=len(FORM), Content_Type=FORM_TYPE), FORM[:300]),
        (
            head("PUT", "/v1/presets/a", Content_Length=9, Content_Type="application/json"),
            b"{",
        ),
    ],
    ids=["raw", "nothing", "large", "form", "json"],
)
def test_a_body_that_stalls_is_ended(service, http, request_head, part):
    before = count(http)
    with connected(service) as connection:
        connection.sendall(request_head + part)
        refused, problem = answer(connection)
        assert (refused.status, json.loads(problem)["code"]) == (400, "incomplete-body")
        assert "seconds" in json.loads(problem)["detail"]
        assert connection.recv(1) == b"", "and the connection with it"
    assert count(http) == before
    assert not spooled(service)


def test_a_body_that_trickles_is_taken_and_blocks_nobody(service, http):
    def trickle() -> None:
        for at in range(0, len(BODY), 512):  # longer in all than a stall may last
            connection.sendall(BODY[at : at + 512])
            time.sleep(0.3)

    with connected(service) as connection, ThreadPoolExecutor(1) as threads:
        connection.sendall(head("POST", "/v1/images", Content_Length=len(BODY)))
        trickling = threads.submit(trickle)  # at its own pace, however long the others take
        statuses = []
        while not trickling.done():
            statuses.append(upload(http, tiny_jpeg(len(statuses))).status_code)
            time.sleep(0.2)
        assert set(statuses) == {201}
        assert len(statuses) > 1, "or the first of the others has waited for all of it"
        assert answer(connection)[0].status == 201


@pytest.mark.parametrize(
    ("request_head", "body"),
    [
        (head("POST", "/v1/images", Content_Length=len(BODY) + 1), BODY),
        (head("POST", "/v1/images", Content_Length=9 << 20), BODY + bytes(3 << 20)),
        (head("POST", "/v1/images", Transfer_Encoding="chunked"), b"1000\r\n" + BODY + b"\r\n"),
        (
            head("POST", "/v1/images", Content_Length=len(FORM) + 1, Content_Type=FORM_TYPE),
            FORM,
        ),
    ],
    ids=["raw", "large", "chunked", "form"],
)
def test_a_body_that_is_cut_off_leaves_nothing(service, http, request_head, body):
    """Be it whole or not: what was announced did not come."""
    before = count(http)
    with connected(service) as connection:
        connection.sendall(request_head + body)
    time.sleep(0.3)
    assert count(http) == before
    assert not spooled(service)


def test_who_leaves_after_the_last_byte_has_uploaded(service, http):
    body = jpeg(1600, 1200, seed=72)
    path = "/v1/images?tag=left&variant=resize:width=1200/output:format=avif"
    with connected(service) as connection:
        connection.sendall(head("POST", path, Content_Length=len(body)) + body)
        while not (found := http.get("/v1/images", params={"tag": "left"}).json()["items"]):
            time.sleep(0.01)
    assert wait_for(http, f"/v1/jobs/{found[0]['id']}")["state"] == "succeeded"
    image = http.get(f"/v1/images/{found[0]['id']}").json()
    assert (image["state"], image["variants"][0]["state"]) == ("ready", "ready")


def test_who_asks_first_is_told_to_go_on(service):
    request = head("POST", "/v1/images", Content_Length=len(BODY), Expect="100-continue")
    with connected(service) as connection:
        connection.sendall(request)
        interim = connection.recv(1000)
        assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert answer(connection)[0].status == 201


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [(REFUSED, len(BODY), 422), ("/v1/images?nope=1", len(BODY), 422), ("/v1/images", 10**12, 413)],
    ids=["instructions", "field", "size"],
)
def test_who_asks_first_is_refused_before_the_body_is_sent(service, path, length, status):
    with connected(service) as connection:
        connection.sendall(head("POST", path, Content_Length=length, Expect="100-continue"))
        assert connection.recv(1000).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_connection_lives_on_after_a_refused_upload(service):
    with connected(service) as connection:
        for _ in range(3):
            connection.sendall(head("POST", REFUSED, Content_Length=len(BODY)) + BODY)
            assert answer(connection)[0].status == 422
            connection.sendall(head("POST", "/v1/images", Content_Length=len(BODY)) + BODY)
            assert answer(connection)[0].status == 201


def test_a_large_refused_upload_hears_why_and_its_connection_is_closed(service):
    size = 8 << 20
    with connected(service) as connection:
        connection.sendall(head("POST", REFUSED, Content_Length=size))
        sender = threading.Thread(target=send_until_refused, args=[connection, bytes(size)])
        sender.start()
        refused, problem = answer(connection)
        assert (refused.status, json.loads(problem)["code"]) == (422, "invalid-instructions")
        assert refused.getheader("connection") == "close"
        sender.join()


def send_until_refused(connection, body: bytes) -> None:
    try:
        connection.sendall(body)
    except ConnectionError:
        return


def test_requests_may_follow_each_other_at_once(service):
    with connected(service) as connection:
        one = head("POST", "/v1/images", Content_Length=len(BODY)) + BODY
        last = head("GET", "/healthz", Connection="close")
        connection.sendall(one + head("POST", REFUSED, Content_Length=len(BODY)) + BODY + last)
        statuses = read_all(connection)
    assert statuses == [b"201", b"422", b"200"]


def read_all(connection) -> list[bytes]:
    text = b"".join(iter(lambda: connection.recv(65_536), b""))
    return [part.split()[0] for part in text.split(b"HTTP/1.1 ")[1:]]


def test_json_is_bounded_and_read_as_utf_8(http):
    kind = {"Content-Type": "application/json"}
    long = b'{"instructions": "' + bytes(2 << 20) + b'"}'
    refused = http.put("/v1/presets/a", content=long, headers=kind)
    assert (refused.status_code, refused.json()["code"]) == (413, "too-large")
    assert refused.json()["limit"] == http.get("/v1/limits").json()["json_bytes"]
    broken = http.put("/v1/presets/a", content=b'{"\xff', headers=kind)
    assert (broken.status_code, broken.json()["code"]) == (400, "malformed-request")


def test_whatever_has_get_has_head(http):
    image = upload(http, BODY).json()
    for path in ("/healthz", "/v1/limits", "/v1/images", f"/v1/images/{image['id']}", "/docs"):
        got, looked = http.get(path), http.head(path)
        assert (looked.status_code, looked.content) == (got.status_code, b"")
        assert looked.headers["content-length"] == got.headers["content-length"]


def test_browsers_of_other_sites_may_look(http):
    image = upload(http, BODY).json()
    ask = {"Origin": "https://other.example", "Access-Control-Request-Method": "GET"}
    allowed = http.options(f"/i/{image['id']}", headers=ask)
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == "*"
    assert "GET" in allowed.headers["access-control-allow-methods"]
    got = http.get(f"/i/{image['id']}", headers=ask)
    assert got.headers["access-control-allow-origin"] == "*"
