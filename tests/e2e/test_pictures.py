"""What the service says of a picture and makes of it is what a viewer sees."""

import httpx
import pytest
import pyvips

from tests.e2e.test_upload import upload
from tests.samples import gif, jpeg


def test_an_animation_stays_one_with_all_its_frames(http: httpx.Client) -> None:
    sent = upload(http, gif(frames=7), "resize:width=80/output:format=webp")
    assert sent.status_code == 201, sent.text
    image = sent.json()
    assert (image["width"], image["height"], image["frames"]) == (160, 120, 7)
    moving = http.get(image["variants"][0]["url"])
    assert moving.headers["content-type"] == "image/webp"
    strip = pyvips.Image.new_from_buffer(moving.content, "", n=-1)
    assert strip.get("n-pages") == 7
    assert (strip.width, strip.get("page-height")) == (80, 60)
    assert strip.get("delay") == [100] * 7


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_turned_photograph_stands_upright(http: httpx.Client, orientation: int) -> None:
    body = jpeg(300, 200, seed=94, orientation=orientation)
    upright = pyvips.Image.new_from_buffer(body, "").autorot()
    sent = upload(http, body, "resize:width=100/output:format=png")
    image = sent.json()
    assert (image["width"], image["height"]) == (upright.width, upright.height)
    made = http.get(image["variants"][0]["url"]).content
    variant = pyvips.Image.new_from_buffer(made, "")
    assert "orientation" not in variant.get_fields(), "no viewer turns it once more"
    assert (variant.width, variant.height) == (
        image["variants"][0]["width"],
        image["variants"][0]["height"],
    )
    expected = upright.resize(100 / upright.width)
    assert (variant - expected).abs().avg() < 4
    assert (variant - expected.rot180()).abs().avg() > 8, "this picture would not tell"


def test_what_only_the_engine_can_know_is_refused_as_clearly(http: httpx.Client) -> None:
    thing = pyvips.Image.black(20, 10, bands=3).copy(interpretation="srgb")
    framed = thing.embed(30, 30, 80, 70, extend="white").pngsave_buffer()
    image = upload(http, framed, "trim").json()
    assert (image["variants"][0]["width"], image["variants"][0]["height"]) == (20, 10)
    for text, pointer in (
        ("trim/crop:width=21,height=5", "/1/width"),
        ("flip:axis=x/watermark:text=%E6%BC%A2", "/1/text"),
    ):
        refused = http.get(f"/i/{image['id']}/{text}")
        assert refused.status_code == 422, refused.text
        problem = refused.json()
        assert (problem["code"], problem["pointer"]) == ("invalid-instructions", pointer)
        assert http.get(f"/i/{image['id']}/{text}").json()["code"] == "invalid-instructions"
