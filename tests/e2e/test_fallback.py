"""A picture in the place of one that is missing, deleted or broken."""

from collections.abc import Iterator

import httpx
import pytest
import pyvips

from filmroll.model import new_id, original_key
from tests.e2e.service import Service, filmroll
from tests.e2e.stored import Stored
from tests.e2e.test_upload import upload
from tests.samples import jpeg, png, tiny_jpeg

SMALL = "resize:width=40/output:format=webp"


class House:
    """A service that has a fallback image: it must be there before its id can be named."""

    def __init__(self, service: Service, image: str) -> None:
        self.service = service
        self.image = image


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    place = tmp_path_factory.mktemp("fallback") / "data"
    with Service(place) as first, first.client() as http:
        image = upload(http, jpeg(400, 300, seed=90)).json()["id"]
    variables = {"FILMROLL_FALLBACK_IMAGE": image, "FILMROLL_CACHE_TAG_HEADER": "Cache-Tag"}
    with Service(place, **variables) as running:
        yield House(running, image)


@pytest.fixture
def http(house: House) -> Iterator[httpx.Client]:
    with house.service.client() as client:
        yield client


def gone(http: httpx.Client) -> str:
    image = upload(http, tiny_jpeg(91)).json()["id"]
    assert http.delete(f"/v1/images/{image}").status_code == 204
    return str(image)


def broken(http: httpx.Client) -> str:
    body = bytearray(png(200, 200, seed=92))
    body[len(body) // 2 : len(body) // 2 + 64] = bytes(64)  # nobody sees it who does not decode
    return str(upload(http, bytes(body)).json()["id"])


def lost(http: httpx.Client, house: House) -> str:
    image = str(upload(http, tiny_jpeg(93)).json()["id"])
    Stored(house.service.data).remove(original_key(image))
    return image


@pytest.mark.parametrize("server", ["thumbor/unsafe/40x0", "imgproxy/_/w:40/plain"])
def test_urls_of_other_servers_have_the_stand_in_too(http, server) -> None:
    """Whether they were answered before, and are remembered, or not."""
    image = upload(http, jpeg(80, 60, seed=94)).json()["id"]
    path = f"/i/{server}/{image}"
    assert http.get(path).status_code == 200
    assert http.delete(f"/v1/images/{image}").status_code == 204
    for gone_, status in ((path, 410), (f"{path}?2", 410), (f"/i/{server}/{gone(http)}", 410)):
        answer = http.get(gone_)
        assert (answer.status_code, answer.headers["filmroll-fallback"]) == (status, "deleted")
    missing = http.get(f"/i/{server}/{new_id()}")
    assert (missing.status_code, missing.headers["filmroll-fallback"]) == (404, "not-found")
    assert missing.headers["content-type"].startswith("image/")


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("missing", 404, "not-found"),
        ("gone", 410, "deleted"),
        ("broken", 422, "corrupt-image"),
        ("lost", 500, "internal-error"),
    ],
)
def test_the_stand_in_has_the_instructions_and_the_status(http, house, kind, status, code) -> None:
    ids = {"missing": new_id, "gone": lambda: gone(http)}
    ids |= {"broken": lambda: broken(http), "lost": lambda: lost(http, house)}
    image = ids[kind]()
    answer = http.get(f"/i/{image}/{SMALL}")
    assert answer.status_code == status
    assert answer.headers["filmroll-fallback"] == code
    assert answer.content == http.get(f"/i/{house.image}/{SMALL}").content
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["cache-tag"] == f"{image},{house.image}"
    assert not {"etag", "last-modified"} & set(answer.headers)
    head = http.head(f"/i/{image}/{SMALL}")
    assert (head.status_code, head.content) == (status, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]


def test_a_missing_original_is_stood_in_for_whole(http: httpx.Client, house: House) -> None:
    etag = http.get(f"/i/{house.image}").headers["etag"]
    asked = {"Range": "bytes=0-9", "If-None-Match": etag}
    answer = http.get(f"/i/{new_id()}", headers=asked)
    assert answer.status_code == 404
    assert answer.headers["accept-ranges"] == "none"
    assert answer.content == http.get(f"/i/{house.image}").content


def test_an_image_that_is_kept_in_memory_is_stood_in_for_once_deleted(
    http: httpx.Client,
) -> None:
    image = upload(http, tiny_jpeg(94)).json()["id"]
    for _cold_then_hot in range(2):
        assert http.get(f"/i/{image}/{SMALL}").status_code == 200
    http.delete(f"/v1/images/{image}")
    for _ in range(2):
        answer = http.get(f"/i/{image}/{SMALL}")
        assert (answer.status_code, answer.headers["filmroll-fallback"]) == (410, "deleted")


@pytest.mark.parametrize(
    ("rest", "status", "code"),
    [
        ("crop:width=401", 422, None),  # not even the stand-in can follow it
        ("resize:width=oops", 422, "invalid-instructions"),
        ("nopreset", 422, "unknown-preset"),
    ],
)
def test_faults_of_the_url_are_still_told(http, house, rest, status, code) -> None:
    answer = http.get(f"/i/{house.image}/{rest}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert code is None or answer.json()["code"] == code
    missing = http.get(f"/i/{new_id()}/crop:width=401")
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")


def test_no_door_is_opened_by_it(tmp_path) -> None:
    place = tmp_path / "data"
    with Service(place) as first, first.client() as http:
        image = upload(http, jpeg(400, 300, seed=95)).json()["id"]
        http.put("/v1/presets/thumb", json={"instructions": SMALL})
    limits = {"FILMROLL_FALLBACK_IMAGE": image, "FILMROLL_PRESETS_ONLY": "true"}
    with Service(place, **limits) as only, only.client() as http:
        free = http.get(f"/i/{new_id()}/{SMALL}")
        assert (free.status_code, free.json()["code"]) == (403, "forbidden")
        assert http.get(f"/i/{new_id()}/thumb").headers["filmroll-fallback"] == "not-found"
    locked = {"FILMROLL_FALLBACK_IMAGE": image, "FILMROLL_ACCESS": "keys"}
    made = filmroll("keys", "create", "k", "--scope", "admin", FILMROLL_DATA=str(place))
    assert made.returncode == 0, made.stderr
    with Service(place, **locked) as keyed, keyed.client() as http:
        for path in (f"/i/{new_id()}", f"/i/{new_id()}/{SMALL}"):
            answer = http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (403, "invalid-signature")


def test_where_the_stand_in_is_gone_itself_the_error_is_told(tmp_path) -> None:
    mine = Service(tmp_path / "data", FILMROLL_FALLBACK_IMAGE=new_id())
    with mine, mine.client() as http:
        answer = http.get(f"/i/{new_id()}/{SMALL}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert answer.headers["cache-control"] == "no-store"


def test_a_picture_is_as_large_as_asked(http: httpx.Client) -> None:
    answer = http.get(f"/i/{new_id()}/{SMALL}")
    assert pyvips.Image.new_from_buffer(answer.content, "").width == 40
