"""Caches in front of the service: how their entries are tagged, and how they learn of changes."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest
from standardwebhooks import Webhook

from tests.e2e.receiver import Answer, Receiver
from tests.e2e.service import IMPATIENT, Service
from tests.e2e.test_upload import upload
from tests.samples import tiny_jpeg

PURGES = ["image.deleted", "preset.changed"]
SMALL = "resize:width=20"


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    place = tmp_path_factory.mktemp("tagged") / "data"
    with Service(
        place,
        module=IMPATIENT,
        FILMROLL_FETCH_ALLOW="127.0.0.1",
        FILMROLL_CACHE_TAG_HEADER="Surrogate-Key",
    ) as running:
        yield running


@pytest.fixture
def http(tagged: Service) -> Iterator[httpx.Client]:
    with tagged.client() as client:
        yield client
        for webhook in client.get("/v1/webhooks").json()["items"]:
            client.delete(f"/v1/webhooks/{webhook['id']}")


def subscribed(http: httpx.Client, url: str, **fields) -> dict:
    answer = http.post("/v1/webhooks", json={"url": url, "events": PURGES, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_answers_are_tagged_with_image_and_presets(http: httpx.Client) -> None:
    http.put("/v1/presets/thumb", json={"instructions": SMALL})
    image = upload(http, tiny_jpeg(1)).json()["id"]
    for path in (f"/i/{image}", f"/i/{image}/{SMALL}"):
        for _cold_then_hot in range(2):
            assert http.get(path).headers["surrogate-key"] == image
        assert http.head(path).headers["surrogate-key"] == image
        fresh = {"If-None-Match": http.get(path).headers["etag"]}
        assert http.get(path, headers=fresh).headers["surrogate-key"] == image
    answer = http.get(f"/i/{image}/thumb/flip:axis=x")
    assert answer.headers["surrogate-key"] == f"{image} preset-thumb"
    missing = http.get(f"/i/{image}/none")
    assert (missing.status_code, "surrogate-key" in missing.headers) == (422, False)


def test_other_caches_want_commas(tmp_path) -> None:
    mine = Service(tmp_path / "data", FILMROLL_CACHE_TAG_HEADER="Cache-Tag")
    with mine, mine.client() as http:
        http.put("/v1/presets/thumb", json={"instructions": SMALL})
        image = upload(http, tiny_jpeg(1)).json()["id"]
        tags = http.get(f"/i/{image}/thumb").headers["cache-tag"]
    assert tags == f"{image},preset-thumb"


def test_a_cdn_is_purged_in_its_own_form(http: httpx.Client) -> None:
    with Receiver() as cdn:
        made = subscribed(
            http,
            cdn.url,
            headers={"Authorization": "Bearer s3cret", "Surrogate-Key": "{tag}"},
            body='{"tags":["{tag}"]}',
        )
        image = upload(http, tiny_jpeg(2)).json()["id"]
        asked = time.time()
        assert http.delete(f"/v1/images/{image}").status_code == 204
        assert http.delete(f"/v1/images/{image}").status_code == 204
        [post] = cdn.wait(1)
        assert time.time() - asked > 5  # by when no machine hands it out any more
        http.put("/v1/presets/hero", json={"instructions": SMALL})
        http.delete("/v1/presets/hero")
        posts = cdn.wait(3)
    assert json.loads(post.body) == {"tags": [image]}
    assert post.headers["surrogate-key"] == image
    assert post.headers["authorization"] == "Bearer s3cret"
    assert post.headers["content-type"] == "application/json"
    Webhook(made["secret"]).verify(post.body, post.headers)
    assert [one.headers["surrogate-key"] for one in posts[1:]] == ["preset-hero"] * 2


def test_keys_of_the_cdn_are_never_shown(http: httpx.Client) -> None:
    made = subscribed(http, "http://127.0.0.1:9/", headers={"Fastly-Key": "s3cret"}, body="{tag}")
    for shown in (made, http.get(f"/v1/webhooks/{made['id']}").json()):
        assert shown["headers"] == ["fastly-key"]
        assert shown["body"] == "{tag}"
        assert "s3cret" not in json.dumps(shown)


def test_only_those_who_name_purges_are_told(http: httpx.Client) -> None:
    with Receiver() as everything, Receiver() as cdn:
        all_else = http.post("/v1/webhooks", json={"url": everything.url}).json()
        subscribed(http, cdn.url)
        image = upload(http, tiny_jpeg(3)).json()["id"]
        http.delete(f"/v1/images/{image}")
        [post] = cdn.wait(1)
        log = http.get(f"/v1/webhooks/{all_else['id']}/deliveries").json()["items"]
    assert (post.type, post.data) == ("image.deleted", {"id": image, "tag": image})
    assert [one["event"] for one in log] == ["image.ready"]


def test_a_purge_that_fails_is_tried_again_by_the_next_process(tmp_path) -> None:
    place = tmp_path / "data"
    reach = {"FILMROLL_FETCH_ALLOW": "127.0.0.1"}
    with Receiver(Answer(503)) as cdn:
        with Service(place, module=IMPATIENT, **reach) as first, first.client() as http:
            subscribed(http, cdn.url, body="{tag}")
            image = upload(http, tiny_jpeg(4)).json()["id"]
            http.delete(f"/v1/images/{image}")
            first.kill()
        assert cdn.posts == []
        with Service(place, module=IMPATIENT, **reach):
            posts = cdn.wait(2)
    assert [post.body for post in posts] == [image.encode()] * 2
    assert len({post.id for post in posts}) == 1


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"headers": {"Host": "x"}}, "/headers/Host"),
        ({"headers": {"x": "{tag}"}, "events": None}, "/events"),
        ({"body": "x" * 5000}, "/body"),
        ({"headers": {"x": 1}}, "/headers/x"),
    ],
)
def test_forms_that_cannot_be_are_refused(http: httpx.Client, fields, pointer) -> None:
    body = {"url": "http://127.0.0.1:9/", "events": PURGES, **fields}
    answer = http.post("/v1/webhooks", json=body)
    assert answer.status_code == 422
    assert answer.json()["pointer"] == pointer
