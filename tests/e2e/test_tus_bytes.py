"""tus 1.0.0: bytes on their way in, broken off, contested, checked."""

import base64
import hashlib
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import google_crc32c
import httpx
import pytest

from deploy.local.http import client
from tests.e2e.parts import problem
from tests.e2e.raw import answer, connected, head
from tests.e2e.service import IMPATIENT, Service, until
from tests.e2e.stored import Stored
from tests.e2e.tus import (
    BYTES,
    SPOKEN,
    become,
    begin,
    metadata,
    offset,
    patch,
)
from tests.samples import jpeg, tiny_jpeg

BODY = tiny_jpeg(70)
HALF = len(BODY) // 2


@pytest.fixture
def url(http: httpx.Client) -> str:
    """An upload that awaits ``BODY``."""
    return begin(http, len(BODY))


@pytest.mark.parametrize("wrong", [1, 4096, 10**17])
def test_another_offset_changes_nothing(http: httpx.Client, url: str, wrong: int) -> None:
    refused = patch(http, url, wrong, b"x")
    assert problem(refused) == (409, "offset-mismatch")
    assert refused.json()["offset"] == 0
    assert offset(http, url) == 0


def test_patches_out_of_form(http: httpx.Client, url: str) -> None:
    said = {**SPOKEN, "Upload-Offset": "0"}
    for kind in ({}, {"Content-Type": "image/jpeg"}):
        refused = http.patch(url, headers={**said, **kind}, content=b"x")
        assert problem(refused) == (415, "unsupported-media")
    nowhere = http.patch(url, headers={**SPOKEN, **BYTES}, content=b"x")
    assert problem(nowhere) == (400, "malformed-request")
    assert offset(http, url) == 0


def test_more_than_announced(http: httpx.Client, url: str) -> None:
    assert problem(patch(http, url, 0, BODY + b"x")) == (413, "too-large")
    said = {**SPOKEN, **BYTES, "Upload-Offset": "0"}
    undeclared = http.patch(url, headers=said, content=iter([BODY, b"x"]))
    assert problem(undeclared) == (413, "too-large")
    assert offset(http, url) == 0


def checksums(body: bytes) -> dict[str, bytes]:
    return {
        "sha1": hashlib.sha1(body).digest(),
        "sha256": hashlib.sha256(body).digest(),
        "crc32c": google_crc32c.value(body).to_bytes(4),
    }


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "crc32c"])
def test_checksums(http: httpx.Client, url: str, algorithm: str) -> None:
    def said(body: bytes) -> str:
        return f"{algorithm} {base64.b64encode(checksums(body)[algorithm]).decode()}"

    wrong = patch(http, url, 0, BODY[:HALF], Upload_Checksum=said(b"other"))
    assert problem(wrong) == (460, "checksum-mismatch")
    assert offset(http, url) == 0
    right = patch(http, url, 0, BODY[:HALF], Upload_Checksum=said(BODY[:HALF]))
    assert (right.status_code, right.headers["upload-offset"]) == (204, str(HALF))
    patch(http, url, HALF, BODY[HALF:], Upload_Checksum=said(BODY[HALF:]))
    assert become(http, url) == BODY


@pytest.mark.parametrize("said", ["md5 AAAA", "sha1", "sha1 %%%", "SHA1 AAAA", ""])
def test_checksums_out_of_form(http: httpx.Client, url: str, said: str) -> None:
    refused = patch(http, url, 0, BODY, Upload_Checksum=said)
    assert refused.status_code in {400, 460}
    assert offset(http, url) == 0


def test_no_bytes_are_no_fault(http: httpx.Client, url: str) -> None:
    empty = patch(http, url, 0, b"")
    assert (empty.status_code, empty.headers["upload-offset"]) == (204, "0")


def cut_off(service: Service, url: str, body: bytes, announced: int, **headers: str) -> None:
    """Send the beginning of a body, then break the connection."""
    said = {**SPOKEN, **BYTES, "Upload-Offset": 0, "Content-Length": announced, **headers}
    with connected(service, service.upload_port) as connection:  # a balancer holds bytes back
        connection.sendall(head("PATCH", url, **said) + body)
        time.sleep(0.2)


def test_what_a_broken_body_brought_is_kept(service: Service, http: httpx.Client, url: str) -> None:
    cut_off(service, url, BODY[:1000], len(BODY))
    until(lambda: offset(http, url) == 1000, 10)  # another process may be asked meanwhile
    assert patch(http, url, 1000, BODY[1000:]).status_code == 204
    assert become(http, url) == BODY


def test_of_a_broken_body_with_a_checksum_nothing_is_kept(
    service: Service, http: httpx.Client, url: str
) -> None:
    said = base64.b64encode(checksums(BODY)["sha1"]).decode()
    cut_off(service, url, BODY[:1000], len(BODY), **{"Upload-Checksum": f"sha1 {said}"})
    assert offset(http, url) == 0


def test_what_came_before_a_silence_is_kept_and_told(tmp_path: Path) -> None:
    with Service(tmp_path / "data", module=IMPATIENT) as service, service.client() as http:
        url = begin(http, len(BODY))
        said = {**SPOKEN, **BYTES, "Upload-Offset": 0, "Content-Length": len(BODY)}
        with connected(service) as connection:
            connection.sendall(head("PATCH", url, **said) + BODY[:1000])
            told, _ = answer(connection)
        assert (told.status, told.headers["upload-offset"]) == (204, "1000")


@pytest.mark.parametrize("method", ["HEAD", "PATCH"])
def test_a_later_request_makes_an_earlier_one_let_go(
    service: Service, http: httpx.Client, url: str, method: str
) -> None:
    """In one process; another one tells what is kept already."""
    said = {**SPOKEN, **BYTES, "Upload-Offset": 0, "Content-Length": len(BODY)}
    port = service.upload_port
    with connected(service, port) as connection, client(f"http://127.0.0.1:{port}") as same:
        connection.sendall(head("PATCH", url, **said) + BODY[:1000])
        time.sleep(0.2)
        started = time.monotonic()
        if method == "HEAD":
            assert offset(same, url) == 1000
        assert patch(same, url, 1000, BODY[1000:]).status_code == 204
        assert time.monotonic() - started < 5
    assert become(http, url) == BODY


def test_many_writers_leave_no_hole(service: Service, http: httpx.Client) -> None:
    """Each goes on from where HEAD says; whoever is late is told so."""
    body = jpeg(800, 600, seed=71)
    url = begin(http, len(body))

    def write(seed: int) -> None:
        chance = random.Random(seed)
        with service.client() as own:
            while (at := offset(own, url)) < len(body):
                chunk = body[at : at + chance.randint(1, 9_000)]
                assert patch(own, url, at, chunk).status_code in {204, 409}

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    assert become(http, url) == body


def test_four_processes_take_one_upload_in_turn(tmp_path: Path) -> None:
    data, body = tmp_path / "data", jpeg(900, 700, seed=72)
    with ExitStack() as stack:
        services = [stack.enter_context(Service(data, "upload-api")) for _ in range(3)]
        services.append(stack.enter_context(Service(data)))
        clients = [stack.enter_context(service.client()) for service in services]
        url, chance, at = begin(clients[0], len(body)), random.Random(5), 0
        while at < len(body):
            chunk = body[at : at + chance.randint(1, 30_000)]
            racing = chance.sample(clients, 2)
            with ThreadPoolExecutor(2) as threads:
                answers = list(threads.map(lambda own: patch(own, url, at, chunk), racing))  # noqa: B023 -- awaited
            assert {told.status_code for told in answers} <= {204, 409}
            at += len(chunk)
            assert {offset(own, url) for own in clients} == {at}
        assert become(clients[-1], url) == body


def test_a_large_body_is_kept_piece_by_piece(tmp_path: Path) -> None:
    """What a kill in the middle of one request costs is a piece, not the request."""
    piece, body = 64 << 20, random.Random(3).randbytes(1 << 20)
    with Service(tmp_path / "data") as service, service.client() as http:
        url = begin(http, 3 * piece, **metadata(purpose="archive"))
        said = {**SPOKEN, **BYTES, "Upload-Offset": 0, "Content-Length": 3 * piece}
        with connected(service) as connection:
            connection.sendall(head("PATCH", url, **said))
            for _ in range(80):
                connection.sendall(body)
            until = time.monotonic() + 20
            while not Stored(service.data).keys("p"):
                assert time.monotonic() < until
                time.sleep(0.05)
            time.sleep(0.3)
            service.kill()
        service.start()
        assert piece <= offset(http, url) < piece + (2 << 20)
