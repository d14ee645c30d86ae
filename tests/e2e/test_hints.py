"""Client hints: one URL, and pictures for several screens."""

from collections.abc import Iterator

import httpx
import pytest
import pyvips

from filmroll.model import new_id
from tests.e2e.service import Service
from tests.e2e.test_timing import KEPT
from tests.e2e.test_upload import upload
from tests.samples import jpeg

RATIO = "DPR, Save-Data, Sec-CH-DPR"
WIDTH = "Save-Data, Sec-CH-Width, Width"


@pytest.fixture(scope="module")
def hinting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    place = tmp_path_factory.mktemp("hints") / "data"
    with Service(place, FILMROLL_CLIENT_HINTS="true") as running:
        yield running


@pytest.fixture(scope="module")
def image(hinting: Service) -> str:
    with hinting.client() as http:
        return str(upload(http, jpeg(1200, 900, seed=100)).json()["id"])


@pytest.fixture
def http(hinting: Service) -> Iterator[httpx.Client]:
    with hinting.client() as client:
        yield client


def width(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text
    return int(pyvips.Image.new_from_buffer(answer.content, "").width)


def test_each_screen_has_its_picture_cold_and_hot(http: httpx.Client, image: str) -> None:
    path = f"/i/{image}/resize:width=100"
    for _cold_then_hot in range(2):
        for said, expected in (
            ({}, 100),
            ({"Sec-CH-DPR": "2"}, 200),
            ({"DPR": "1.3"}, 150),
            ({"DPR": "7"}, 300),
            ({"DPR": "2", "Save-Data": "on"}, 100),
            ({"Sec-CH-Width": "640"}, 100),
        ):
            answer = http.get(path, headers=said)
            assert width(answer) == expected, said
            assert answer.headers["vary"] == RATIO
            assert answer.headers["accept-ch"] == "Sec-CH-DPR, Sec-CH-Width, DPR, Width"
            assert "immutable" in answer.headers["cache-control"]
    hot = http.get(path, headers={"DPR": "2"})
    assert hot.headers["server-timing"] in KEPT
    assert hot.headers["etag"] != http.get(path).headers["etag"]


def test_a_copy_for_another_screen_is_no_copy(http: httpx.Client, image: str) -> None:
    path = f"/i/{image}/resize:width=90"
    one = http.get(path)
    for said, status in (({}, 304), ({"DPR": "3"}, 200)):
        answer = http.get(path, headers={"If-None-Match": one.headers["etag"], **said})
        assert answer.status_code == status
        assert answer.headers["vary"] == RATIO


def test_the_place_decides_where_no_size_is_said(http: httpx.Client, image: str) -> None:
    path = f"/i/{image}/output:format=webp"
    for said, expected in (({}, 1200), ({"Sec-CH-Width": "700"}, 800), ({"Width": "5000"}, 1200)):
        answer = http.get(path, headers=said)
        assert width(answer) == expected
        assert answer.headers["vary"] == WIDTH


def test_who_saves_data_gets_less_of_it(http: httpx.Client, image: str) -> None:
    path = f"/i/{image}/resize:width=600,dpr=1.5"
    usual, less = http.get(path), http.get(path, headers={"Save-Data": "on"})
    assert width(usual) == width(less) == 900
    assert len(less.content) < len(usual.content)
    assert less.headers["vary"] == "Save-Data"


def test_what_leaves_nothing_open_depends_on_nothing(http: httpx.Client, image: str) -> None:
    said = {"DPR": "2", "Width": "320", "Save-Data": "on"}
    fixed = http.get(f"/i/{image}/resize:width=80,dpr=2/output:quality=70", headers=said)
    assert (width(fixed), "vary" in fixed.headers) == (160, False)
    original = http.get(f"/i/{image}", headers=said)
    assert (width(original), "vary" in original.headers) == (1200, False)


def test_a_format_by_accept_goes_together_with_it(http: httpx.Client, image: str) -> None:
    path = f"/i/{image}/resize:width=70/output:format=auto"
    for _cold_then_hot in range(2):
        for ratio, expected in (("1", 70), ("2", 140)):
            for accept, kind in (("image/webp", "image/webp"), ("image/jpeg", "image/jpeg")):
                answer = http.get(path, headers={"DPR": ratio, "Accept": accept})
                assert width(answer) == expected
                assert answer.headers["content-type"] == kind
                assert set(answer.headers["vary"].split(", ")) >= {"Accept", "DPR", "Sec-CH-DPR"}


def test_a_preset_leaves_open_what_it_does_not_say(http: httpx.Client, image: str) -> None:
    http.put("/v1/presets/card", json={"instructions": "resize:width=60"})
    assert width(http.get(f"/i/{image}/card", headers={"DPR": "2"})) == 120


@pytest.mark.parametrize("value", ["", "x", "-1", "0", "nan", "inf", "1e99", "2,3", "\xff"])
def test_nonsense_is_no_hint(http: httpx.Client, image: str, value: str) -> None:
    said = [("DPR", value), ("Sec-CH-Width", value), ("Save-Data", value)]
    headers = [(name.encode(), text.encode("latin-1")) for name, text in said]
    assert width(http.get(f"/i/{image}/resize:width=100", headers=headers)) == 100


def test_without_the_setting_nobody_listens(service: Service) -> None:
    with service.client() as http:
        image = upload(http, jpeg(400, 300, seed=101)).json()["id"]
        answer = http.get(f"/i/{image}/resize:width=50", headers={"DPR": "2", "Save-Data": "on"})
        assert width(answer) == 50
        assert not {"vary", "accept-ch"} & set(answer.headers)


def test_a_stand_in_heeds_them_too(tmp_path) -> None:
    place = tmp_path / "data"
    with Service(place) as first, first.client() as http:
        image = upload(http, jpeg(400, 300, seed=102)).json()["id"]
    settings = {"FILMROLL_CLIENT_HINTS": "true", "FILMROLL_FALLBACK_IMAGE": image}
    with Service(place, **settings) as second, second.client() as http:
        answer = http.get(f"/i/{new_id()}/resize:width=50", headers={"DPR": "2"})
    assert answer.status_code == 404
    assert pyvips.Image.new_from_buffer(answer.content, "").width == 100
    assert answer.headers["vary"] == RATIO
