"""format=auto on the wire: what each client gets, what caches are told, and AVIF made behind."""

import json
import time

import httpx
import pytest
import pyvips

from filmroll.catalog.tombstones import FRESH_SECONDS
from filmroll.model import variant_prefix
from filmroll.usecases.avif import AVIF_PIXELS
from tests.e2e.service import AWS, IMPATIENT, Service, until
from tests.e2e.stored import Stored
from tests.e2e.test_export import new_batch, results, unpacked
from tests.e2e.test_upload import upload
from tests.samples import FIXTURES, gif, jpeg

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
OLD_CHROME = "image/webp,image/apng,image/*,*/*;q=0.8"
SMALL = "resize:width=300/output:format=auto"
LARGE = "resize:width=1600,enlarge=true/output:format=auto"
LADYBIRD = (FIXTURES / "ladybird.jpg").read_bytes()  # 1200 × 750
DUNE = (FIXTURES / "dune.jpg").read_bytes()  # 900 × 563
assert 1600 * 1001 > AVIF_PIXELS > 300 * 188

ACCEPTS = [
    (CHROME, "avif"),
    ("image/avif", "avif"),
    (OLD_CHROME, "webp"),
    ("image/avif;q=0,image/webp,*/*", "webp"),
    ("image/avif;q=0.1,image/webp;q=0.2,*/*;q=0.3", "jpeg"),
    ("*/*", "jpeg"),
    ("image/*", "jpeg"),
    (None, "jpeg"),
]


def get(http: httpx.Client, path: str, accept: str | None, method: str = "GET", **headers: str):
    request = http.build_request(method, path, headers=headers)
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    return http.send(request)


@pytest.fixture(scope="module")
def image(service) -> str:
    with service.client() as http:
        return upload(http, LADYBIRD).json()["id"]


@pytest.mark.parametrize("turn", ["cold", "hot"])
@pytest.mark.parametrize(("accept", "form"), ACCEPTS)
def test_each_client_gets_its_own(http, image, accept, form, turn) -> None:
    answer = get(http, f"/i/{image}/{SMALL}", accept)
    assert answer.status_code == 200, turn
    assert answer.headers["content-type"] == f"image/{form}"
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    loader = pyvips.Image.new_from_buffer(answer.content, "").get("vips-loader")
    assert loader.startswith({"avif": "heif"}.get(form, form))


def test_tags_differ_and_are_good_for_their_own_clients_only(http, image) -> None:
    path = f"/i/{image}/{SMALL}"
    tags = {accept: get(http, path, accept).headers["etag"] for accept in (CHROME, OLD_CHROME, "")}
    assert len(set(tags.values())) == 3
    for accept, own in tags.items():
        for tag in tags.values():
            answer = get(http, path, accept, **{"If-None-Match": tag})
            assert answer.status_code == (304 if tag == own else 200)
            assert answer.headers["vary"] == "Accept"
            assert answer.headers["etag"] == own


def test_a_304_needs_no_picture(http) -> None:
    one, other = (upload(http, jpeg(90, 60, seed=seed)).json()["id"] for seed in (71, 72))
    tag = get(http, f"/i/{one}/{SMALL}", CHROME).headers["etag"].replace(one, other)
    answer = get(http, f"/i/{other}/{SMALL}", CHROME, **{"If-None-Match": tag})
    assert (answer.status_code, answer.headers["vary"]) == (304, "Accept")
    assert http.get(f"/v1/images/{other}").json()["variants"] == []


def test_head_and_ranges(http, image) -> None:
    path = f"/i/{image}/{SMALL}"
    for accept in (CHROME, OLD_CHROME, None):
        whole = get(http, path, accept)
        head = get(http, path, accept, "HEAD")
        for name in ("content-type", "content-length", "etag", "vary", "repr-digest"):
            assert head.headers[name] == whole.headers[name]
        part = get(http, path, accept, Range="bytes=10-19")
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        assert part.headers["vary"] == "Accept"
        outside = get(http, path, accept, Range="bytes=9999999-")
        assert (outside.status_code, outside.headers["vary"]) == (416, "Accept")


@pytest.mark.parametrize(
    "rest",
    ["output:f=AUTO", "output:format=%61uto", "resize:w=200/output:f=auto,q=auto", "autothumb"],
)
def test_however_it_is_spelt(http, image, rest) -> None:
    preset = {"instructions": "resize:width=210/output:format=auto"}
    assert http.put("/v1/presets/autothumb", json=preset).status_code == 200
    for _ in range(2):
        for accept, form in ((CHROME, "avif"), (None, "jpeg"), (OLD_CHROME, "webp")):
            answer = get(http, f"/i/{image}/{rest}", accept)
            assert (answer.status_code, answer.headers["vary"]) == (200, "Accept")
            assert answer.headers["content-type"] == f"image/{form}"


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "/resize:width=80",
        "/output:quality=auto",
        "/output:format=auto-webp",
        "/crop:width=9999",
    ],
)
def test_what_does_not_vary_does_not_say_so(http, image, rest) -> None:
    for accept in (CHROME, None):
        assert "vary" not in get(http, f"/i/{image}{rest}", accept).headers


def test_errors_that_depend_on_it_say_so(http, image) -> None:
    for rest in ("output:format=auto,max_bytes=9", "crop:width=9999/output:format=auto"):
        answer = get(http, f"/i/{image}/{rest}", CHROME)
        assert (answer.status_code, answer.headers["vary"]) == (422, "Accept")
        assert answer.headers["cache-control"] == "no-store"
    reached = get(http, f"/i/{image}/output:format=auto,max_bytes=9", None).json()
    assert (reached["limit"], reached["pointer"]) == (9, "/0/max_bytes")
    assert reached["actual"] > 1000


def test_animations_keep_moving(http) -> None:
    moving = upload(http, gif(4)).json()["id"]
    for accept, form in ((CHROME, "webp"), (None, "gif")):
        answer = get(http, f"/i/{moving}/output:format=auto", accept)
        assert answer.headers["content-type"] == f"image/{form}"
        assert pyvips.Image.new_from_buffer(answer.content, "", n=-1).get("n-pages") == 4


def test_declared_with_an_upload_it_is_ready_for_everyone(http) -> None:
    made = upload(http, jpeg(400, 300, seed=73), SMALL).json()
    variants = {one["instructions"]: one for one in made["variants"]}
    assert list(variants) == [
        f"{SMALL}-avif-webp",
        f"{SMALL}-webp",
        f"{SMALL}-basic",
    ]
    for accept, choice in ((CHROME, "avif-webp"), (OLD_CHROME, "webp"), (None, "basic")):
        one = variants[f"{SMALL}-{choice}"]
        answer = get(http, f"/i/{made['id']}/{SMALL}", accept)
        assert answer.headers["content-type"] == one["content_type"]
        assert len(answer.content) == one["bytes"]
        assert get(http, one["url"], accept).content == answer.content
    assert len(http.get(f"/v1/images/{made['id']}").json()["variants"]) == 3


def test_an_archive_holds_what_every_program_opens(http) -> None:
    batch = new_batch(http, {"a.jpg": jpeg(200, 150, seed=74)})
    answer = get(http, f"/i/batches/{batch}.zip?variant=output:format=auto", CHROME)
    assert [*unpacked("zip", answer.content)] == ["a.jpg"]
    assert unpacked("zip", answer.content)["a.jpg"].startswith(b"\xff\xd8\xff")


def test_nothing_of_it_is_left_when_the_image_goes(http, service) -> None:
    image = upload(http, jpeg(100, 80, seed=75)).json()["id"]
    for accept in (CHROME, OLD_CHROME, None):
        assert get(http, f"/i/{image}/{SMALL}", accept).status_code == 200
    assert len(Stored(service.data).keys(variant_prefix(image))) == 3
    assert http.delete(f"/v1/images/{image}").status_code == 204
    if AWS:  # another machine's memory holds it for so long
        time.sleep(FRESH_SECONDS + 1)
    for accept in (CHROME, OLD_CHROME, None):
        answer = get(http, f"/i/{image}/{SMALL}", accept)
        assert (answer.status_code, answer.headers["cache-control"]) == (410, "no-store")
    assert Stored(service.data).keys(variant_prefix(image)) == []


def test_limits_say_how_large_an_avif_is_waited_for(http) -> None:
    assert http.get("/v1/limits").json()["avif_pixels_at_once"] == AVIF_PIXELS


# --------------------------------------------------------------------------- made behind the back


def avif_at_last(http: httpx.Client, path: str, seconds: float = 60) -> httpx.Response:
    """Return the answer once it is an AVIF."""

    def found() -> httpx.Response | None:
        answer = get(http, path, CHROME)
        assert answer.status_code == 200, answer.text
        return answer if answer.headers["content-type"] == "image/avif" else None

    return until(found, seconds, 0.3)


def test_a_large_avif_is_made_behind_the_back(http) -> None:
    image = upload(http, DUNE).json()["id"]
    path = f"/i/{image}/{LARGE}"
    begun = get(http, path, CHROME)
    assert begun.headers["content-type"] == "image/webp"
    assert (
        begun.headers["cache-control"]
        == "public, max-age=300, stale-while-revalidate=300, stale-if-error=86400"
    )
    assert begun.headers["vary"] == "Accept"
    again = get(http, path, CHROME, **{"If-None-Match": begun.headers["etag"]})
    assert again.status_code in {200, 304}
    if again.status_code == 304:
        assert (
            again.headers["cache-control"]
            == "public, max-age=300, stale-while-revalidate=300, stale-if-error=86400"
        )
    ended = avif_at_last(http, path)
    assert ended.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert ended.headers["etag"] != begun.headers["etag"]
    assert len(ended.content) < len(begun.content)
    stale = get(http, path, CHROME, **{"If-None-Match": begun.headers["etag"]})
    assert (stale.status_code, stale.content) == (200, ended.content)
    assert get(http, path, OLD_CHROME).content == begun.content
    texts = [one["instructions"] for one in http.get(f"/v1/images/{image}").json()["variants"]]
    assert sorted(texts) == [f"{LARGE}-avif-webp", f"{LARGE}-webp"]


def states(image: dict) -> dict[str, str]:
    """Return the state of each variant by the word that ``auto`` has come to."""
    return {one["instructions"].rpartition("=auto-")[2]: one["state"] for one in image["variants"]}


def shown(http: httpx.Client, image: str) -> dict[str, str]:
    return states(http.get(f"/v1/images/{image}").json())


def wait_for_all(http: httpx.Client, image: str) -> None:
    ready = dict.fromkeys(["avif-webp", "webp", "basic"], "ready")
    until(lambda: shown(http, image) == ready, 60, 0.3)


def test_declared_with_an_upload_a_large_avif_holds_up_nothing(http) -> None:
    answer = upload(http, DUNE, LARGE)
    assert answer.status_code == 201
    image = answer.json()
    assert image["state"] == "ready"
    assert states(image) == {"webp": "ready", "basic": "ready", "avif-webp": "pending"}
    assert get(http, f"/i/{image['id']}/{LARGE}", CHROME).headers["content-type"] == "image/webp"
    wait_for_all(http, image["id"])


def test_asked_for_later_it_holds_up_nothing_either(http) -> None:
    image = upload(http, DUNE).json()["id"]
    answer = http.post(f"/v1/images/{image}/variants", json={"variants": [LARGE]})
    assert answer.status_code == 201
    assert states(answer.json()) == {"webp": "ready", "basic": "ready", "avif-webp": "pending"}
    wait_for_all(http, image)


def test_of_a_batch_it_holds_up_no_line(http) -> None:
    batch = new_batch(http, {"a.jpg": DUNE}, variants=[LARGE])
    until(lambda: results(http, batch)[0]["state"] == "succeeded", 60, 0.1)
    wait_for_all(http, results(http, batch)[0]["image"])


def test_others_are_served_while_it_is_made(http) -> None:
    images = [upload(http, DUNE).json()["id"] for _ in range(3)]
    for image in images:
        assert get(http, f"/i/{image}/{LARGE}", CHROME).headers["content-type"] == "image/webp"
    begun = time.monotonic()
    assert get(http, f"/i/{images[0]}/resize:width=64", None).status_code == 200
    assert time.monotonic() - begun < 5
    for image in images:
        avif_at_last(http, f"/i/{image}/{LARGE}")


@pytest.mark.skipif(AWS, reason="a cluster's processes are killed in tests/cluster")
def test_a_kill_does_not_lose_what_was_to_be_made(data) -> None:
    with Service(data, module=IMPATIENT) as service:
        with service.client() as http:
            image = upload(http, DUNE).json()["id"]
            path = f"/i/{image}/{LARGE}"
            begun = get(http, path, CHROME)
            assert begun.headers["content-type"] == "image/webp"
        service.kill()
        service.start()
        with service.client() as http:
            assert get(http, path, OLD_CHROME).content == begun.content
            ended = avif_at_last(http, path, 90)
            service.kill()
            service.start()
        with service.client() as http:
            assert get(http, path, CHROME).content == ended.content
            log = [json.loads(line) for line in service.log.read_text().splitlines() if "{" in line]
    assert not [line for line in log if line.get("level") == "error"]
