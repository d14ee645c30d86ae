"""A page in a real browser uploads half a gigabyte by tus-js-client, over all that breaks."""

import functools
import hashlib
import http.server
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.browser import Browser, require_browser
from tests.e2e.parts import MIB, batch_ended
from tests.e2e.relay import Relay
from tests.e2e.service import Service, until
from tests.e2e.test_push import ledger
from tests.e2e.tus import JS, ROOT, install
from tests.samples import photographs

BYTES = 500 * MIB
# What a kill may cost of the bytes that had left the page: what the service holds back for a part.
LOST_AT_MOST = 64 * MIB
SECONDS = 90


@pytest.fixture
def archive(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Return a zip of photographs, and the digest of each of its members."""
    path, members = tmp_path / "holiday.zip", {}
    originals = [photograph.read_bytes() for photograph in photographs()]
    with zipfile.ZipFile(path, "w") as target:
        while path.stat().st_size < BYTES:
            number = len(members)
            comment = b"%06d" % number
            jpeg = originals[number % len(originals)]
            body = jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + jpeg[2:]
            members[f"{number % 9}/{number:04}.jpg"] = hashlib.sha256(body).hexdigest()
            target.writestr(f"{number % 9}/{number:04}.jpg", body)
    return path, members


@pytest.fixture
def page(tmp_path: Path) -> Iterator[str]:
    """Serve the page from another origin than the service's."""
    folder = tmp_path / "page"
    folder.mkdir()
    install()
    for file in (JS / "page.html", JS / "node_modules/tus-js-client/dist/tus.min.js"):
        shutil.copy(file, folder)
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/page.html"
        server.shutdown()
        thread.join()


def test_a_page_uploads_a_zip_over_a_kill_and_a_closed_window(
    data: Path, tmp_path: Path, page: str, archive: tuple[Path, dict[str, str]]
) -> None:
    require_browser()
    path, members = archive
    size = path.stat().st_size
    with Service(data) as service, Relay(service.port) as line, service.client() as client:
        address = f"{page}?endpoint={line.url}{ROOT}"
        with Browser(tmp_path / "profile") as browser:
            browser.open(address)
            browser.choose("#file", path)
            until(lambda: _sent(browser) > size // 3, SECONDS)
            service.kill()
            service.start()
            until(lambda: _sent(browser) > size * 2 // 3, SECONDS)
            assert browser.value("told.become") is None
        with Browser(tmp_path / "profile") as browser:
            browser.open(address)
            browser.choose("#file", path)
            until(lambda: browser.value("told.become || told.failure"), SECONDS)
            assert browser.value("told.failure") is None
            assert browser.value("told.resumed") == 1
            become = browser.value("told.become")
        assert become.startswith("/v1/batches/")
        assert line.up < size + 2 * LOST_AT_MOST
        batch = become.rpartition("/")[2]
        assert batch_ended(client, batch)["state"] == "completed"
        lines = ledger(client, batch)
        assert {ref: one["sha256"] for ref, one in lines.items()} == members


def _sent(browser: Browser) -> int:
    """Return how many bytes have left a page that has not given up."""
    assert browser.value("told.failure") is None
    return int(browser.value("told.sent"))


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Hands out files and says nothing about it."""

    def log_message(self, *_: object) -> None:
        """Be quiet."""
