"""Originals that clients fetch from S3 itself: a redirect to a signed URL."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest

from deploy.local.cluster import Stores, create_stores
from deploy.local.http import get
from filmroll.client import Client
from filmroll.model import new_id
from filmroll.signing import signature
from tests.e2e.service import Service, filmroll
from tests.e2e.test_upload import upload
from tests.samples import jpeg, tiny_jpeg


@pytest.fixture(scope="module")
def variables(seaweedfs, ministack) -> dict[str, str]:
    found = Stores(seaweedfs, ministack).variables(new_id())
    create_stores(found)
    return found | {"FILMROLL_REDIRECT_ORIGINALS": "true"}


@pytest.fixture(scope="module")
def service(tmp_path_factory, variables) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("redirect") / "data", **variables) as running:
        yield running


def test_the_store_sends_an_original_with_its_type(http: httpx.Client) -> None:
    body = jpeg(400, 300, seed=70)
    image = upload(http, body).json()["id"]
    answer = http.get(f"/i/{image}")
    assert (answer.status_code, answer.content) == (302, b"")
    assert answer.headers["cache-control"] == "private, max-age=120"
    assert answer.headers["access-control-allow-origin"] == "*"
    found = get(answer.headers["location"])
    assert (found.status_code, found.content) == (200, body)
    assert found.headers["content-type"] == "image/jpeg"
    assert "content-disposition" not in found.headers
    part = get(answer.headers["location"], headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, body[5:10])


def test_under_the_name_that_is_wanted(http: httpx.Client) -> None:
    image = upload(http, tiny_jpeg(71)).json()["id"]
    for wanted, name in (("grün.jpg", "filename*=UTF-8''gr%C3%BCn.jpg"), ("", f"{image}.jpeg")):
        answer = http.get(f"/i/{image}", params={"dl": wanted})
        found = get(answer.headers["location"])
        assert found.status_code == 200
        assert name in found.headers["content-disposition"]


def test_what_needs_no_bytes_needs_no_redirect(http: httpx.Client) -> None:
    body = tiny_jpeg(72)
    image = upload(http, body).json()
    path = f"/i/{image['id']}"
    head = http.head(path)
    assert (head.status_code, int(head.headers["content-length"])) == (200, len(body))
    for name, value in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
        assert http.get(path, headers={name: head.headers[value]}).status_code == 304
    variant = http.get(f"{path}/resize:width=8")
    assert (variant.status_code, variant.headers["content-type"]) == (200, "image/jpeg")


def test_a_deleted_image_is_gone_here_and_there(http: httpx.Client) -> None:
    image = upload(http, tiny_jpeg(73)).json()["id"]
    url = http.get(f"/i/{image}").headers["location"]
    http.delete(f"/v1/images/{image}")
    assert http.get(f"/i/{image}").status_code == 410
    assert get(url).status_code == 404


def test_the_client_follows(service: Service, tmp_path) -> None:
    body = jpeg(300, 200, seed=74)
    with service.client() as http:
        image = upload(http, body).json()["id"]
    with Client(service.url) as client:
        assert client.get(image, to=tmp_path).read_bytes() == body


def test_the_redirect_ends_with_the_signature(tmp_path, variables) -> None:
    place = tmp_path / "data"
    settings = variables | {"FILMROLL_ACCESS": "keys"}
    with Service(place, **variables) as first, first.client() as http:
        path = f"/i/{upload(http, tiny_jpeg(75)).json()['id']}"
    for command in (("create", "k", "--scope", "admin"), ("create-signing",)):
        made = filmroll("keys", *command, FILMROLL_DATA=str(place), **settings)
        assert made.returncode == 0, made.stderr
    kid, secret = re.search(r"kid\s+(\S+)\s+secret\s+(\S+)", made.stdout).groups()
    with Service(place, **settings) as keyed, keyed.client() as http:
        exp = int(time.time()) + 60
        query = {"exp": exp, "kid": kid, "sig": signature(secret, path, exp, kid)}
        signed = http.get(path, params=query)
        assert http.get(path).status_code == 403
    assert signed.status_code == 302
    assert signed.headers["cache-control"].startswith("private, max-age=")
    assert 0 < int(signed.headers["cache-control"].rpartition("=")[2]) <= 30
    assert 0 < int(httpx.URL(signed.headers["location"]).params["X-Amz-Expires"]) <= 60


def test_a_stand_in_is_sent_from_here(tmp_path, variables) -> None:
    body = tiny_jpeg(76)
    with Service(tmp_path / "data", **variables) as first, first.client() as http:
        image = upload(http, body).json()["id"]
    more = variables | {"FILMROLL_FALLBACK_IMAGE": image}
    with Service(tmp_path / "data", **more) as second, second.client() as http:
        answer = http.get(f"/i/{new_id()}")
    assert (answer.status_code, answer.content) == (404, body)


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        ({"FILMROLL_REDIRECT_ORIGINALS": "true"}, "FILMROLL_BLOBS=s3://"),
        ({"FILMROLL_ACCEL_LOCATION": "/_b/", "FILMROLL_BLOBS": "s3://x"}, "FILMROLL_BLOBS=file://"),
        ({"FILMROLL_ACCEL_LOCATION": "_b"}, "FILMROLL_ACCEL_LOCATION"),
    ],
)
def test_it_does_not_start_with_a_store_that_cannot(settings, needs) -> None:
    run = filmroll("serve", **settings)
    assert run.returncode != 0
    assert needs in run.stderr
