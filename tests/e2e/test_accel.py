"""nginx sends the larger files, as deploy/balancer/accel.conf tells it to; a real one."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.http import ask, client, get
from deploy.local.process import Server
from tests.e2e.service import AWS, ROOT, Service, free_port
from tests.e2e.test_upload import upload
from tests.samples import jpeg, png

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
ACCEL = (ROOT / "deploy" / "balancer" / "accel.conf").read_text()
CONFIG = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{behind};
            proxy_set_header Host $http_host;
            proxy_buffering off;
        }}
        {accel}
    }}
}}
"""
# By nature another's, or another's at each answer.
OWN = {"date", "server", "connection", "x-request-id", "server-timing"}

pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="nginx is missing (Debian: nginx-light)"),
    pytest.mark.skipif(AWS, reason="it sends files of this machine's disk"),
]


class Nginx(Server):
    """A proxy before a service, which may read its blobs."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir()
        root = Path("/proc/self").owner() == "root"
        text = CONFIG.format(
            user="user root;" if root else "",
            folder=folder,
            port=self.port,
            behind=service.port,
            accel=ACCEL.replace("/var/lib/filmroll/blobs/", f"{service.data}/blobs/"),
        )
        (folder / "nginx.conf").write_text(text)
        command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        super().__init__(command, folder, self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accel")


@pytest.fixture(scope="module")
def places(place: Path) -> Iterator[tuple[str, str, str]]:
    """Return the addresses of nginx, of the service behind it, and of one that sends itself."""
    hints = {"FILMROLL_CLIENT_HINTS": "true"}
    behind = Service(place / "data", FILMROLL_ACCEL_LOCATION="/_blobs/", **hints)
    plain = Service(place / "data", **hints)
    with behind, plain, Nginx(place / "nginx", behind) as nginx:
        yield nginx.url, behind.url, plain.url


@pytest.fixture(scope="module")
def image(places) -> dict:
    with client(places[0]) as http:
        return upload(http, png(700, 700, seed=60)).json()


@pytest.fixture(scope="module")
def paths(image) -> list[str]:
    assert image["bytes"] > 256 << 10
    return [f"/i/{image['id']}", f"/i/{image['id']}/flip:axis=x"]


def both(places, path: str, **options) -> tuple[httpx.Response, httpx.Response]:
    return get(places[0] + path, **options), get(places[2] + path, **options)


def headers(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OWN}


def test_nginx_sends_the_same_as_the_service_would(places, paths) -> None:
    for path in paths:
        sent, expected = both(places, path)
        assert sent.status_code == 200
        assert sent.content == expected.content
        assert headers(sent) == headers(expected)
        assert sent.headers["server"].startswith("nginx")


def test_it_is_nginx_that_sends_them(places, paths) -> None:
    for path in paths:
        handed = get(places[1] + path)
        assert handed.content == b""
        assert handed.headers["x-accel-redirect"].startswith("/_blobs/")
        assert "x-accel-redirect" not in get(places[0] + path).headers


@pytest.mark.parametrize("wanted", ["bytes=0-9", "bytes=-7", "bytes=300000-", "bytes=5-100000000"])
def test_parts(places, paths, wanted) -> None:
    sent, expected = both(places, paths[0], headers={"Range": wanted})
    assert sent.status_code == expected.status_code == 206
    assert sent.content == expected.content
    said = headers(expected)
    del said["accept-ranges"]  # nginx says it of the whole only
    assert headers(sent) == said


def test_a_part_of_another_version_is_the_whole(places, paths) -> None:
    etag = ask("HEAD", places[0] + paths[0]).headers["etag"]
    for tag, status in ((etag, 206), ('"other"', 200)):
        asked = {"Range": "bytes=0-9", "If-Range": tag}
        sent, expected = both(places, paths[0], headers=asked)
        assert (sent.status_code, expected.status_code) == (status, status)


def test_conditions_are_the_services(places, paths) -> None:
    whole = get(places[0] + paths[0])
    for name, value in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
        sent, expected = both(places, paths[0], headers={name: whole.headers[value]})
        assert (sent.status_code, sent.content) == (304, b"")
        assert headers(sent) == headers(expected)
    other = get(places[0] + paths[0], headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, whole.content)


def test_nginx_does_not_judge_what_it_cannot_know(place, places, paths) -> None:
    """It knows no tag, and of the file only when that was written."""
    for path in paths:
        file = get(places[1] + path).headers["x-accel-redirect"].removeprefix("/_blobs/")
        os.utime(place / "data" / "blobs" / file, (4_000_000_000, 4_000_000_000))
        known = ask("HEAD", places[0] + path).headers
        for name, value, status in (
            ("If-Match", known["etag"], 200),
            ("If-Match", "*", 200),
            ("If-Match", '"other"', 412),
            ("If-Unmodified-Since", known["last-modified"], 200),
            ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 412),
        ):
            sent, expected = both(places, path, headers={name: value})
            assert (sent.status_code, expected.status_code) == (status, status), (name, value)
            assert sent.status_code == 412 or sent.content == expected.content
        part = get(places[0] + path, headers={"If-Match": known["etag"], "Range": "bytes=0-9"})
        assert (part.status_code, len(part.content)) == (206, 10)


def test_browsers_are_asked_for_hints(places, paths) -> None:
    assert "DPR" in get(places[0] + paths[1]).headers["accept-ch"]


def test_small_ones_names_and_heads_come_as_ever(places, paths, image) -> None:
    small = get(f"{places[1]}/i/{image['id']}/resize:width=9")
    assert (small.status_code, "x-accel-redirect" in small.headers) == (200, False)
    head = ask("HEAD", places[1] + paths[0])
    assert int(head.headers["content-length"]) == image["bytes"]
    assert "x-accel-redirect" not in head.headers
    named = get(places[0] + paths[0], params={"dl": "a.png"})
    assert named.headers["content-disposition"].startswith('attachment; filename="a.png"')


def test_what_is_deleted_is_gone_and_the_folder_is_no_address(places) -> None:
    with client(places[0]) as http:
        image = upload(http, jpeg(2000, 2000, seed=61)).json()
        assert http.get(f"/i/{image['id']}").status_code == 200
        assert http.get(f"/_blobs/o/{image['id'][:2]}/{image['id']}").status_code == 404
        http.delete(f"/v1/images/{image['id']}")
        gone = http.get(f"/i/{image['id']}")
    assert (gone.status_code, gone.json()["code"]) == (410, "deleted")
