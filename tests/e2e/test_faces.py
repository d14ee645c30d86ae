"""gravity=face through the service; and a service on a machine without the detector."""

from collections.abc import Iterator

import httpx
import pytest
import pyvips

from filmroll.engine import faces
from filmroll.engine.canvas import Canvas
from tests.e2e.raw import answer, connected, head
from tests.e2e.service import Service
from tests.e2e.test_upload import upload
from tests.samples import FIXTURES, tiny_jpeg

ASTRONAUT = (FIXTURES / "astronaut.jpg").read_bytes()
CROP = "crop:width=160,height=200,gravity=face"
COVER = "resize:width=80,height=80,fit=cover,gravity=face"
HIDE = 'import sys\nsys.modules["dlib"] = None\n'  # as if it were not installed


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose Python cannot import the detector."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "sitecustomize.py").write_text(HIDE)
    with Service(folder / "data", PYTHONPATH=str(folder)) as running:
        yield running


def refused_for(problem: dict[str, object], pointer: str) -> bool:
    named = "filmroll[faces]" in str(problem["detail"])
    return named and (problem["code"], problem["pointer"]) == ("invalid-instructions", pointer)


def test_a_face_stays_in_the_picture(http: httpx.Client) -> None:
    sent = upload(http, ASTRONAUT, f"{CROP}/output:format=png")
    assert sent.status_code == 201, sent.text
    got = http.get(sent.json()["variants"][0]["url"])
    assert got.headers["content-type"] == "image/png"
    picture = pyvips.Image.new_from_buffer(got.content, "")
    assert (picture.width, picture.height) == (160, 200)
    assert len(faces.find(Canvas.of((picture,)))) == 1
    assert http.get("/v1/limits").json()["faces"] is True


def test_without_the_detector_an_upload_is_refused_before_its_body(without: Service) -> None:
    with without.client() as http:
        assert http.get("/v1/limits").json()["faces"] is False
    path = f"/v1/images?variant={COVER.replace('=', '%3D')}"
    for said in ({}, {"Expect": "100-continue"}):
        with connected(without) as connection:
            connection.sendall(head("POST", path, Content_Length=10_000, **said))
            response, body = answer(connection)  # of which not a byte was sent
            assert response.status == 422
            assert b"filmroll[faces]" in body


def test_without_the_detector_a_delivery_is_refused(without: Service) -> None:
    with without.client() as http:
        image = upload(http, tiny_jpeg(77)).json()["id"]
        refused = http.get(f"/i/{image}/flip:axis=x/{COVER}")
        assert refused.status_code == 422
        assert refused_for(refused.json(), "/1/gravity")
        asked = http.post(f"/v1/images/{image}/variants", json={"variants": [CROP]})
        assert asked.status_code == 422
        assert refused_for(asked.json(), "/variants/0/0/gravity")
        kept = http.put("/v1/presets/portrait", json={"instructions": CROP})
        assert kept.status_code == 422
        assert http.get(f"/i/{image}/{COVER.replace('face', 'smart')}").status_code == 200
