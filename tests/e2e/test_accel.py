"""A proxy sends the larger files, as the files in deploy/balancer tell it to; real ones."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from deploy.local.http import ask, client, get
from deploy.local.process import Server
from tests.e2e.service import AWS, ROOT, Service, free_port
from tests.e2e.test_upload import upload
from tests.samples import jpeg, png

PROGRAMS = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
BALANCER = ROOT / "deploy" / "balancer"
BLOBS = "/var/lib/filmroll/blobs/"
NGINX = """
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
LIGHTTPD = """
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{folder}"
server.errorlog = "{folder}/error.log"
server.upload-dirs = ("{folder}")
{accel}
"""
# By nature another's, or another's at each answer.
OWN = {"date", "server", "connection", "x-request-id", "server-timing"}

pytestmark = pytest.mark.skipif(AWS, reason="it sends files of this machine's disk")


class Proxy(Server):
    """A proxy before a service, which may read its blobs."""

    program: ClassVar[str]
    package: ClassVar[str]  # of Debian, that it comes in
    header: ClassVar[str]  # by which it is told of a file
    names_itself: ClassVar[bool] = False

    def __init__(self, folder: Path, blobs: Path, behind: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir()
        command = self._command(folder, f"{blobs}/", behind)
        super().__init__(command, folder, self._listens)

    @classmethod
    def location(cls, blobs: Path) -> str:
        """Return where it finds the files, as the service has to say it."""
        raise NotImplementedError

    def _command(self, folder: Path, blobs: str, behind: int) -> list[str]:
        raise NotImplementedError

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Nginx(Proxy):
    program, package, header = "nginx", "nginx-light", "x-accel-redirect"
    names_itself = True

    @classmethod
    def location(cls, _blobs: Path) -> str:
        return "/_blobs/"

    def _command(self, folder: Path, blobs: str, behind: int) -> list[str]:
        root = Path("/proc/self").owner() == "root"
        text = NGINX.format(
            user="user root;" if root else "",
            folder=folder,
            port=self.port,
            behind=behind,
            accel=(BALANCER / "accel.conf").read_text().replace(BLOBS, blobs),
        )
        (folder / "nginx.conf").write_text(text)
        return [which(self), "-p", str(folder), "-c", str(folder / "nginx.conf")]


class Lighttpd(Proxy):
    program, package, header = "lighttpd", "lighttpd", "x-sendfile"

    @classmethod
    def location(cls, blobs: Path) -> str:
        return f"{blobs}/"

    def _command(self, folder: Path, blobs: str, behind: int) -> list[str]:
        accel = (BALANCER / "lighttpd.conf").read_text()
        accel = accel.replace(BLOBS, blobs).replace('"port" => 8000', f'"port" => {behind}')
        text = LIGHTTPD.format(folder=folder, port=self.port, accel=accel)
        (folder / "lighttpd.conf").write_text(text)
        return [which(self), "-D", "-f", str(folder / "lighttpd.conf")]


def which(proxy: Proxy | type[Proxy]) -> str:
    return shutil.which(proxy.program, path=PROGRAMS) or ""


@pytest.fixture(scope="module", params=[Nginx, Lighttpd], ids=["nginx", "lighttpd"])
def kind(request: pytest.FixtureRequest) -> type[Proxy]:
    if not which(request.param):
        pytest.skip(f"{request.param.program} is missing (Debian: {request.param.package})")
    return request.param


@pytest.fixture(scope="module")
def place(kind: type[Proxy], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(kind.program)


@pytest.fixture(scope="module")
def places(kind: type[Proxy], place: Path) -> Iterator[tuple[str, str, str]]:
    """Return the addresses of a proxy, of the service behind it, and of one that sends itself."""
    hints = {"FILMROLL_CLIENT_HINTS": "true"}
    data = place / "data"
    accel = {
        "FILMROLL_ACCEL_LOCATION": kind.location(data / "blobs"),
        "FILMROLL_ACCEL_HEADER": kind.header.title(),
    }
    behind = Service(data, **accel, **hints)
    plain = Service(data, **hints)
    with behind, plain, kind(place / "proxy", data / "blobs", behind.port) as proxy:
        yield proxy.url, behind.url, plain.url


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


def test_a_proxy_sends_the_same_as_the_service_would(kind, places, paths) -> None:
    for path in paths:
        sent, expected = both(places, path)
        assert sent.status_code == 200
        assert sent.content == expected.content
        assert headers(sent) == headers(expected)
        if kind.names_itself:
            assert sent.headers["server"].startswith(kind.program)


def test_it_is_the_proxy_that_sends_them(kind, place, places, paths) -> None:
    for path in paths:
        handed = get(places[1] + path)
        assert handed.content == b""
        assert handed.headers[kind.header].startswith(kind.location(place / "data" / "blobs"))
        assert kind.header not in get(places[0] + path).headers


@pytest.mark.parametrize("wanted", ["bytes=0-9", "bytes=-7", "bytes=300000-", "bytes=5-100000000"])
def test_parts(places, paths, wanted) -> None:
    sent, expected = both(places, paths[0], headers={"Range": wanted})
    assert sent.status_code == expected.status_code == 206
    assert sent.content == expected.content
    said = [headers(answer) for answer in (sent, expected)]
    for each in said:
        each.pop("accept-ranges", None)  # nginx says it of the whole only
    assert said[0] == said[1]


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


def test_the_proxy_does_not_judge_what_it_cannot_know(kind, place, places, paths) -> None:
    """It knows no tag, and of the file only when that was written."""
    for path in paths:
        blobs = place / "data" / "blobs"
        file = get(places[1] + path).headers[kind.header].removeprefix(kind.location(blobs))
        os.utime(blobs / file, (4_000_000_000, 4_000_000_000))
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


def test_small_ones_names_and_heads_come_as_ever(kind, places, paths, image) -> None:
    small = get(f"{places[1]}/i/{image['id']}/resize:width=9")
    assert (small.status_code, kind.header in small.headers) == (200, False)
    head = ask("HEAD", places[1] + paths[0])
    assert int(head.headers["content-length"]) == image["bytes"]
    assert kind.header not in head.headers
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
