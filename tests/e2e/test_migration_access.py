"""Who may ask by URLs of thumbor and imgproxy: signatures, closed services, proxies in front."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from deploy.local.http import get, status
from deploy.local.process import Server, free_ports
from tests.e2e.foreign import (
    KEY,
    SALT,
    THUMBOR_KEY,
    imgproxy,
    problem,
    signed_imgproxy,
    signed_thumbor,
    size,
    thumbor,
    turned_photo,
)
from tests.e2e.origin import Origin
from tests.e2e.service import Service
from tests.e2e.test_access import make_key
from tests.samples import jpeg, tiny_jpeg

PAGE = Path(__file__).parents[2] / "docs" / "migration.md"


@pytest.fixture(scope="module")
def photo(origin: Origin) -> str:
    return turned_photo(origin)


@pytest.fixture(scope="module")
def closed(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("closed") / "data"
    make_key(data, "admin", "admin")
    with Service(
        data,
        FILMROLL_ACCESS="keys",
        FILMROLL_THUMBOR_KEY=THUMBOR_KEY,
        FILMROLL_IMGPROXY_KEY=KEY,
        FILMROLL_IMGPROXY_SALT=SALT,
        FILMROLL_FETCH_ALLOW=origin.host,
        FILMROLL_SOURCES=f"http://{origin.host}/photos/",
    ) as running:
        yield running


def test_signed_urls_are_answered_where_access_is_not_open(closed: Service, origin: Origin) -> None:
    url = origin.shows("/photos/signed.jpg", jpeg(640, 480, 80))
    with closed.client() as http:
        for path in (
            signed_thumbor("300x200/smart/signed.jpg"),
            signed_thumbor(f"300x200/{url.replace(':', '%3A').replace('/', '%2F')}"),
            signed_imgproxy(f"/rs:fill:300:200/plain/{url}"),
            signed_imgproxy("/rs:fill:300:200/plain/signed.jpg@png"),
        ):
            assert size(http.get(path)) == (300, 200)
            problem(http.get(path.replace("300", "301", 1)), 403, "invalid-signature")


def test_no_query_is_taken_beside_a_signature(closed: Service, origin: Origin) -> None:
    """Signatures are over paths: a query would let anybody choose another source."""
    url = origin.shows("/photos/fixed.jpg", jpeg(64, 48, 87))
    with closed.client() as http:
        path = signed_thumbor(f"30x0/{url}")
        assert http.get(path).status_code == 200
        body = problem(http.get(f"{path}?v=2"), 422, "untranslatable")
        assert body["option"] == "?v=2"
        assert "%3Fv=2" in str(body["detail"])
        assert http.get(f"{path}?dl=a.jpg").status_code == 200
        problem(http.get(f"{path[:-1]}?v=2"), 403, "invalid-signature")
        origin.shows("/photos/fixed.jpg?v=2", jpeg(48, 48, 88))
        assert size(http.get(signed_thumbor(f"30x0/{url}%3Fv=2"))) == (30, 30)
    assert origin.asked.count("/photos/fixed.jpg?v=2") == 1


def test_unsigned_urls_are_refused_there(closed: Service, origin: Origin) -> None:
    origin.shows("/photos/unsigned.jpg", jpeg(64, 48, 81))
    with closed.client() as http:
        for path in (
            "/i/thumbor/unsafe/30x20/unsigned.jpg",
            "/i/thumbor/8ammJH8D-7tXy6kU3lTvoXlhu4o=/30x20/unsigned.jpg",
            "/i/imgproxy/insecure/rs:fill:30:20/plain/unsigned.jpg",
            "/i/imgproxy/unsafe/raw:1/plain/unsigned.jpg",
        ):
            problem(http.get(path), 403, "invalid-signature")
    assert "/photos/unsigned.jpg" not in origin.asked


def test_without_their_keys_both_need_one_of_ours(tmp_path: Path) -> None:
    make_key(tmp_path / "data", "admin", "admin")
    with Service(tmp_path / "data", FILMROLL_ACCESS="keys") as running, running.client() as http:
        for path in ("/i/thumbor/unsafe/9x9/a.jpg", "/i/imgproxy/_/w:9/plain/a.jpg"):
            problem(http.get(path), 403, "invalid-signature")


def test_presets_only_is_for_these_urls_too(tmp_path: Path, origin: Origin) -> None:
    url = origin.shows("/photos/presets.jpg", tiny_jpeg(85))
    settings = {
        "FILMROLL_PRESETS_ONLY": "true",
        "FILMROLL_FETCH_ALLOW": origin.host,
        "FILMROLL_SOURCES": f"http://{origin.host}/photos/",
    }
    with Service(tmp_path / "data", **settings) as running, running.client() as http:
        for path in (thumbor("9x9", url), imgproxy("w:9", url)):
            problem(http.get(path), 403, "forbidden")
        assert "/photos/presets.jpg" not in origin.asked
        assert http.get(imgproxy("raw:1", url)).status_code == 200
        kept = http.post("/v1/images", content=tiny_jpeg(82)).json()["id"]
        problem(http.get(f"/i/thumbor/unsafe/9x9/{kept}"), 403, "forbidden")
        assert http.get(f"/i/imgproxy/_/raw:1/plain/{kept}").status_code == 200


# ------------------------------------------------------------------------------ behind a proxy


@pytest.fixture
def caddy(closed: Service, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Caddy as docs/migration.md has it; yields where thumbor's and imgproxy's sites are."""
    (text,) = re.findall(r"```caddyfile\n(.*?)```", PAGE.read_text(), re.DOTALL)
    servers = ("thumbor", "imgproxy")
    urls = {
        name: f"http://127.0.0.1:{port}"
        for name, port in zip(servers, free_ports(len(servers)), strict=True)
    }
    for name, url in urls.items():
        text = text.replace(f"{name}.example.com", url)
    text = text.replace("127.0.0.1:8002", closed.url.removeprefix("http://"))
    file = tmp_path / "Caddyfile"
    file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    program = str(Path(sys.executable).parent / "caddy")
    command = [program, "run", "--adapter", "caddyfile", "--config", str(file)]
    with Server(command, tmp_path, lambda: all(map(_listens, urls.values())), HOME=str(tmp_path)):
        yield urls


def _listens(url: str) -> bool:
    return 0 < status(url) < 500


def test_signatures_survive_caddy(
    closed: Service, caddy: dict[str, str], origin: Origin, photo: str
) -> None:
    plain = origin.shows("/photos/it's(1).jpg", jpeg(64, 48, 89))
    for path, name in (
        (signed_thumbor(f"fit-in/64x48/{quote(photo, safe='')}"), "thumbor"),
        (signed_thumbor(f"64x48/filters:quality(80):format(png)/{plain}"), "thumbor"),
        (signed_thumbor(f"64x48/filters:quality%2880%29/{quote(plain, safe='')}"), "thumbor"),
        (signed_imgproxy(f"/rs:fill:64:48/plain/{quote(photo, safe='')}@png"), "imgproxy"),
        (signed_imgproxy(f"/rs:fill:64:48/plain/{plain}@png"), "imgproxy"),
    ):
        assert size(get(closed.url + path)) == (64, 48)
        assert size(get(caddy[name] + path.removeprefix(f"/i/{name}"))) == (64, 48)
