"""Fetches from a server that hangs, and what they leave to everybody else."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.e2e.bulk import check_sums, declare, new_batch, photo, seal, view, wait_until_final
from tests.e2e.service import IMPATIENT, Service


class Server:
    """A web server with a photograph under each path; ``/slow/`` are answered when it ``may``."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.asked: Counter[str] = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def close(self) -> None:
        self.may.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked[self.path] += 1
                if self.path.startswith("/slow/"):
                    server.may.wait(60)
                body = photo(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def http(server: Server, tmp_path: Path) -> Iterator[httpx.Client]:
    # One server, two hosts: turns go by name.
    allowed = f"127.0.0.1:{server.port},localhost:{server.port}"
    with (
        Service(tmp_path / "data", module=IMPATIENT, FILMROLL_FETCH_ALLOW=allowed) as running,
        running.client() as client,
    ):
        yield client


def urls(host: str, path: str, port: int, count: int) -> list[str]:
    return [f"http://{host}:{port}{path}{number}.jpg" for number in range(count)]


def fetching(http: httpx.Client, these: list[str]) -> str:
    batch = new_batch(http)
    declare(http, batch, *({"ref": url, "source": {"url": url}} for url in these))
    seal(http, batch)
    return batch


def test_a_host_that_hangs_holds_up_no_other(http: httpx.Client, server: Server) -> None:
    hanging = fetching(http, urls("127.0.0.1", "/slow/", server.port, 300))
    began = time.monotonic()
    quick = fetching(http, urls("localhost", "/quick/", server.port, 20))
    assert wait_until_final(http, quick)["counts"]["succeeded"] == 20
    assert time.monotonic() - began < 15  # the others are given up then, and make room
    assert view(http, hanging)["counts"]["succeeded"] == 0
    server.may.set()
    assert wait_until_final(http, hanging, 60)["counts"]["succeeded"] == 300
    for batch in (quick, hanging):
        check_sums(http, batch)
    assert set(server.asked.values()) == {1}
    assert len(server.asked) == 320


def test_who_waits_for_a_host_that_hangs_holds_up_nobody(
    http: httpx.Client, server: Server
) -> None:
    def post(url: str) -> httpx.Response:
        return http.post("/v1/images", json={"url": url}, headers={"Prefer": "wait=3"})

    with ThreadPoolExecutor(40) as clients:
        hanging = list(clients.map(post, urls("127.0.0.1", "/slow/", server.port, 40)))
    assert {answer.status_code for answer in hanging} == {202}
    assert len(server.asked) <= 4, "one host is asked for a few at once"
    (quick,) = urls("localhost", "/quick/", server.port, 1)
    assert post(quick).status_code == 201
    server.may.set()
    deadline = time.monotonic() + 60
    for answer in hanging:
        while http.get(answer.headers["location"]).json()["state"] != "succeeded":
            assert time.monotonic() < deadline
            time.sleep(0.05)
