"""A service that hands out presets and originals, and no free instructions."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest
import pyvips

from filmroll.signing import signature
from tests.e2e.service import Service, filmroll
from tests.e2e.test_upload import upload
from tests.samples import jpeg, tiny_jpeg


@pytest.fixture(scope="module")
def only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("only") / "data", FILMROLL_PRESETS_ONLY="true") as running:
        yield running


@pytest.fixture
def http(only: Service) -> Iterator[httpx.Client]:
    with only.client() as client:
        yield client


@pytest.fixture(scope="module")
def image(only: Service) -> str:
    with only.client() as http:
        mark = upload(http, tiny_jpeg(84)).json()["id"]
        for name, text in {
            "thumb": "resize:width=40",
            "marked": f"resize:width=60/watermark:image={mark},scale=0.5",
            "webp": "output:format=webp",
        }.items():
            assert http.put(f"/v1/presets/{name}", json={"instructions": text}).is_success
        return str(upload(http, jpeg(200, 150, seed=84), "resize:width=33").json()["id"])


@pytest.mark.parametrize("rest", ["", "/thumb", "/marked", "/thumb/webp", "/%74humb"])
def test_originals_and_presets_of_all_kinds_go_through(http, image, rest) -> None:
    for _cold_then_hot in range(2):
        answer = http.get(f"/i/{image}{rest}")
        assert answer.status_code == 200
        assert pyvips.Image.new_from_buffer(answer.content, "").width in {200, 40, 60}


@pytest.mark.parametrize(
    "rest",
    [
        "resize:width=40",  # what a preset says, but not by its name
        "resize:width=33",  # what was made with the upload
        "thumb/flip:axis=x",
        "thumb/output",
        "output",
        "grayscale/thumb",
        "resize%3Awidth=40",
        "thumb/resize:w=40",
    ],
)
def test_free_instructions_do_not(http: httpx.Client, image: str, rest: str) -> None:
    for method in ("GET", "HEAD"):
        for headers in ({}, {"If-None-Match": "*"}, {"Range": "bytes=0-1"}):
            answer = http.request(method, f"/i/{image}/{rest}", headers=headers)
            assert answer.status_code in {403, 422}, rest
    assert len(http.get(f"/v1/images/{image}").json()["variants"]) <= 5


def test_uploads_and_variants_by_the_api_are_the_keys_own_business(http, image) -> None:
    made = http.post(f"/v1/images/{image}/variants", json={"variants": ["resize:width=21"]})
    assert made.status_code == 201
    assert http.get(f"/i/{image}/resize:width=21").status_code == 403


def test_not_even_a_signature_or_a_key_opens_it(tmp_path) -> None:
    place = tmp_path / "data"
    with Service(place) as first, first.client() as http:
        image = upload(http, tiny_jpeg(85)).json()["id"]
        http.put("/v1/presets/thumb", json={"instructions": "resize:width=9"})
    made = filmroll("keys", "create", "k", "--scope", "admin", FILMROLL_DATA=str(place))
    key = re.search(r"key\s+(\S+)", made.stdout)[1]
    made = filmroll("keys", "create-signing", FILMROLL_DATA=str(place))
    kid, secret = re.search(r"kid\s+(\S+)\s+secret\s+(\S+)", made.stdout).groups()
    settings = {"FILMROLL_ACCESS": "keys", "FILMROLL_PRESETS_ONLY": "true"}
    exp = int(time.time()) + 600

    def signed(path: str) -> dict[str, object]:
        return {"exp": exp, "kid": kid, "sig": signature(secret, path, exp, kid)}

    with Service(place, **settings) as closed, closed.client() as http:
        bearer = {"Authorization": f"Bearer {key}"}
        for rest, status in (("/thumb", 200), ("", 200), ("/resize:width=8", 403)):
            path = f"/i/{image}{rest}"
            assert http.get(path, params=signed(path)).status_code == status
            assert http.get(path, headers=bearer).status_code == status
            assert http.get(path).status_code == 403
