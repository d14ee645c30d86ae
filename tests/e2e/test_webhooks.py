"""Webhooks, with real receivers on this machine: that answer, fail, hang, mislead, are gone."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.e2e.receiver import Answer, Receiver
from tests.e2e.service import IMPATIENT, Service, filmroll, free_port
from tests.samples import jpeg, png, tiny_jpeg

SMALL = "resize:width=20"
Http = httpx.Client


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that may reach this machine, and is impatient."""
    place = tmp_path_factory.mktemp("hooked") / "data"
    with Service(place, module=IMPATIENT, FILMROLL_FETCH_ALLOW="127.0.0.1") as running:
        yield running


@pytest.fixture
def http(hooked: Service) -> Iterator[Http]:
    """A client; what a test has made to be told is removed after it."""
    with hooked.client() as client:
        yield client
        for webhook in client.get("/v1/webhooks").json()["items"]:
            client.delete(f"/v1/webhooks/{webhook['id']}")


def subscribed(http: Http, url: str, **fields: Any) -> dict[str, Any]:
    answer = http.post("/v1/webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def uploaded(http: Http, seed: int = 1, **params: Any) -> dict[str, Any]:
    answer = http.post("/v1/images", params=params, content=tiny_jpeg(seed))
    assert answer.is_success, answer.text
    return dict(answer.json())


def opened(http: Http, **fields: Any) -> str:
    answer = http.post("/v1/batches", json=fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def filled(http: Http, batch: str, *refs: str) -> None:
    for seed, ref in enumerate(refs):
        answer = http.put(f"/v1/batches/{batch}/items/{ref}", content=tiny_jpeg(seed))
        assert answer.status_code == 201, answer.text
    assert http.post(f"/v1/batches/{batch}/seal").is_success


def deliveries(http: Http, webhook: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    answer = http.get(f"/v1/webhooks/{webhook['id']}/deliveries", params=params)
    assert answer.is_success, answer.text
    return list(answer.json()["items"])


def logged(
    http: Http, webhook: dict[str, Any], wanted: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Return the newest delivery once it is as wanted."""
    deadline = time.monotonic() + 20
    while not (found := deliveries(http, webhook)) or not wanted(found[0]):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found[0]


def delivered(delivery: dict[str, Any]) -> bool:
    return delivery["state"] == "delivered"


def tried(delivery: dict[str, Any]) -> bool:
    return delivery["attempts"] > 0 and bool(delivery["detail"])


def test_an_image_is_told_of_and_the_signature_holds(http: Http) -> None:
    with Receiver() as receiver:
        webhook = subscribed(http, receiver.url, name="shop")
        image = uploaded(http, name="a.jpg", tag="t")
        [post] = receiver.wait(1)
    event = Webhook(webhook["secret"]).verify(post.body, post.headers)
    assert event["type"] == "image.ready"
    assert event["data"]["id"] == image["id"]
    assert {key: event["data"][key] for key in ("state", "name", "sha256", "batch")} == {
        key: image[key] for key in ("state", "name", "sha256", "batch")
    }
    assert event["timestamp"] >= image["created_at"]
    assert post.headers["content-type"] == "application/json"
    assert post.path == "/hook"
    done = logged(http, webhook, delivered)
    assert (done["id"], done["event"]) == (post.id, "image.ready")
    assert (done["attempts"], done["status"], done["detail"]) == (1, 200, None)
    assert done["data"] == event["data"]


def test_bodies_stay_small(http: Http) -> None:
    with Receiver() as receiver:
        subscribed(http, receiver.url)
        long = {"name": "\N{CAMERA}" * 255, "metadata": '{"m": "%s"}' % ("m" * 16_000)}
        uploaded(http, tag=[f"{n}{'ü' * 90}" for n in range(50)], **long)
        [post] = receiver.wait(1)
    assert len(post.body) < 20_000


def test_variants_come_first(http: Http) -> None:
    with Receiver() as receiver:
        subscribed(http, receiver.url)
        answer = http.post(
            "/v1/images",
            params={"variant": SMALL},
            content=jpeg(),
            headers={"Prefer": "respond-async"},
        )
        [post] = receiver.wait(1)
        assert (post.type, post.data["id"]) == ("image.ready", answer.json()["id"])
        found = http.get(f"/v1/images/{post.data['id']}").json()
        assert [variant["state"] for variant in found["variants"]] == ["ready"]


def test_an_image_whose_variants_fail_is_told_of_with_its_job(http: Http) -> None:
    body = bytearray(png(200, 200, seed=5))
    body[len(body) // 2 : len(body) // 2 + 64] = bytes(64)  # nobody sees it who does not decode
    with Receiver() as receiver:
        subscribed(http, receiver.url)
        answer = http.post(
            "/v1/images",
            params={"variant": SMALL},
            content=bytes(body),
            headers={"Prefer": "respond-async"},
        )
        posts = {post.type: post.data for post in receiver.wait(2)}
    image = answer.json()["id"]
    assert set(posts) == {"image.failed", "job.failed"}
    assert posts["image.failed"]["problem"]["code"] == "corrupt-image"
    assert posts["image.failed"]["id"] == posts["job.failed"]["image"] == image
    assert posts["job.failed"]["problem"]["code"] == "corrupt-image"


def test_a_fetch_that_fails_is_told_of(http: Http) -> None:
    with Receiver() as receiver:
        subscribed(http, receiver.url, events=["job.failed"])
        url = f"http://10.1.2.3:{free_port()}/a.jpg"
        http.post("/v1/images", json={"url": url}, headers={"Prefer": "respond-async"})
        [post] = receiver.wait(1)
    assert (post.data["kind"], post.data["image"]) == ("fetch", None)
    assert post.data["problem"]["code"] == "forbidden-address"


def test_only_what_was_asked_for_is_sent(http: Http) -> None:
    with Receiver() as batches, Receiver() as images:
        subscribed(http, batches.url, events=["batch.completed"])
        subscribed(http, images.url, events=["image.ready"])
        image = uploaded(http)
        filled(http, batch := opened(http, name="b"), "x")
        ready = images.wait(2)
        [ended] = batches.wait(1)
    assert {post.data["id"]: post.data["batch"] for post in ready}[image["id"]] is None
    assert {(post.data["batch"], post.data["ref"]) for post in ready} == {
        (batch, "x"),
        (None, None),
    }
    assert (ended.data["id"], ended.data["name"], ended.data["state"]) == (batch, "b", "completed")
    counts = ended.data["counts"]
    assert (counts["declared"], counts["succeeded"], counts["failed"]) == (1, 1, 0)


def test_items_of_batches_are_told_only_to_those_who_name_them(http: Http) -> None:
    with Receiver() as receiver:
        subscribed(http, receiver.url)
        filled(http, opened(http, variants=[SMALL]), "a", "b")
        receiver.wait(1)
        time.sleep(1.5)
        assert [post.type for post in receiver.posts] == ["batch.completed"]


def test_a_batch_tells_the_webhook_that_it_names_and_no_other(http: Http) -> None:
    both = ["batch.completed", "image.ready"]
    with Receiver() as named, Receiver() as other:
        webhook = subscribed(http, named.url, events=both)
        subscribed(http, other.url, events=both)
        batch = opened(http, webhook=webhook["id"], variants=[SMALL])
        filled(http, batch, "a", "b")
        posts = named.wait(3)
        filled(http, later := opened(http), "c")
        assert {post.data.get("batch") or post.data["id"] for post in other.wait(2)} == {later}
    assert sorted(post.type for post in posts) == ["batch.completed", *["image.ready"] * 2]
    assert {post.data["ref"] for post in posts if post.type == "image.ready"} == {"a", "b"}


@pytest.mark.parametrize("ending", ["cancelled", "completed_with_errors"])
def test_however_a_batch_ends_it_is_told(http: Http, ending: str) -> None:
    with Receiver() as receiver:
        subscribed(http, receiver.url)
        batch = opened(http)
        lines = {"Content-Type": "application/x-ndjson"}
        http.post(f"/v1/batches/{batch}/items", content=b'{"ref": "a"}', headers=lines)
        if ending == "cancelled":
            http.delete(f"/v1/batches/{batch}")
        else:
            http.post(f"/v1/batches/{batch}/seal")
        [post] = receiver.wait(1)
    assert (post.type, post.data["state"]) == ("batch.completed", ending)


def test_what_fails_is_sent_again_under_its_id(http: Http) -> None:
    with Receiver(Answer(500, text="Oh no\x1b[2J"), Answer(503)) as receiver:
        webhook = subscribed(http, receiver.url)
        uploaded(http)
        posts = receiver.wait(3)
        done = logged(http, webhook, delivered)
    assert {post.id for post in posts} == {done["id"]}
    assert {post.body for post in posts} == {posts[0].body}
    for post in posts:
        Webhook(webhook["secret"]).verify(post.body, post.headers)
    assert (done["attempts"], done["status"], done["detail"]) == (3, 200, None)


def test_after_the_last_attempt_it_has_failed(http: Http) -> None:
    with Receiver(*[Answer(500, text="Oh no\x1b[2J")] * 4) as receiver:
        webhook = subscribed(http, receiver.url)
        uploaded(http)
        receiver.wait(4)
        failed = logged(http, webhook, lambda one: one["state"] == "failed")
        assert (failed["attempts"], failed["status"], failed["detail"]) == (4, 500, "Oh no[2J")
        assert deliveries(http, webhook, state="failed") == [failed]
        assert deliveries(http, webhook, state="delivered") == []


def test_a_busy_receiver_says_when_to_come_again(http: Http) -> None:
    with Receiver(Answer(429, [("Retry-After", "3600")])) as receiver:
        webhook = subscribed(http, receiver.url)
        uploaded(http)
        waiting = logged(http, webhook, tried)
    assert (waiting["state"], waiting["status"]) == ("pending", 429)
    assert waiting["due_at"] > waiting["created_at"]
    assert minutes_between(waiting["created_at"], waiting["due_at"]) == pytest.approx(60, abs=1)


def minutes_between(earlier: str, later: str) -> float:
    hours = [int(text[11:13]) * 60 + int(text[14:16]) for text in (earlier, later)]
    return (hours[1] - hours[0]) % (24 * 60)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(http: Http, status: int) -> None:
    with Receiver() as inside:
        with Receiver(Answer(status, [("Location", inside.url)])) as receiver:
            webhook = subscribed(http, receiver.url)
            uploaded(http)
            failed = logged(http, webhook, tried)
        assert failed["status"] == status
        assert "redirect" in failed["detail"]
        assert not inside.posts


def test_what_is_not_public_is_not_reached(tmp_path: Path) -> None:
    with Receiver() as receiver, Service(tmp_path / "data") as service, service.client() as http:
        webhook = subscribed(http, receiver.url)
        uploaded(http)
        failed = logged(http, webhook, tried)
        assert (failed["state"], failed["status"]) == ("pending", None)
        assert "public" in failed["detail"]
        assert not receiver.posts


def test_one_that_hangs_holds_up_no_other(http: Http) -> None:
    held = threading.Event()
    with Receiver(*[Answer(held=held)] * 3) as hanging, Receiver() as receiver:
        subscribed(http, hanging.url)
        subscribed(http, receiver.url)
        began = time.monotonic()
        images = {uploaded(http, seed)["id"] for seed in range(3)}
        assert {post.data["id"] for post in receiver.wait(3)} == images
        assert time.monotonic() - began < 5
        assert len(hanging.wait(1)) == 1, "before it answers one, it gets no other"
        held.set()


def test_one_that_hangs_does_not_keep_the_service_from_stopping(tmp_path: Path) -> None:
    held = threading.Event()
    with Receiver(Answer(held=held)) as receiver, impatient(tmp_path / "data") as service:
        with service.client() as http:
            subscribed(http, receiver.url)
            uploaded(http)
            receiver.wait(1)
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 10
        held.set()


def test_one_that_is_gone_is_disabled(http: Http) -> None:
    with Receiver(Answer(410)) as receiver:
        webhook = subscribed(http, receiver.url)
        uploaded(http)
        failed = logged(http, webhook, lambda one: one["state"] == "failed")
        assert (failed["attempts"], failed["status"]) == (1, 410)
        found = http.get(f"/v1/webhooks/{webhook['id']}").json()
        assert found["state"] == "disabled"
        assert "410" in found["detail"]
        replay = f"/v1/webhooks/{webhook['id']}/deliveries/{failed['id']}/replay"
        assert http.post(replay).json()["code"] == "conflict"
        refused = http.post("/v1/batches", json={"webhook": webhook["id"]})
        assert (refused.status_code, refused.json()["pointer"]) == (422, "/webhook")
        time.sleep(1.1)
        uploaded(http, 2)
        time.sleep(1.5)
        assert len(receiver.posts) == len(deliveries(http, webhook)) == 1


def test_replay(http: Http) -> None:
    with Receiver() as receiver:
        webhook = subscribed(http, receiver.url)
        uploaded(http)
        done = logged(http, webhook, delivered)
        replay = f"/v1/webhooks/{webhook['id']}/deliveries/{done['id']}/replay"
        answer = http.post(replay)
        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["finished_at"]) == ("pending", None)
        first, second = receiver.wait(2)
        again = logged(http, webhook, delivered)
    assert (first.id, first.body) == (second.id, second.body)
    assert (again["id"], again["attempts"]) == (done["id"], 2)


def test_a_log_in_pages(http: Http) -> None:
    with Receiver() as receiver:
        webhook = subscribed(http, receiver.url)
        images = [uploaded(http, seed)["id"] for seed in range(5)]
        receiver.wait(5)
        found: list[str] = []
        params: dict[str, Any] = {"limit": 2}
        while True:
            page = http.get(f"/v1/webhooks/{webhook['id']}/deliveries", params=params).json()
            found += [one["data"]["id"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            params["cursor"] = page["next_cursor"]
    assert found == images[::-1]


def test_the_secret_is_shown_once_and_can_be_brought_along(http: Http) -> None:
    secret = "whsec_" + base64.b64encode(bytes(range(24))).decode()
    headers = {"Idempotency-Key": "make-it-once"}
    body = {"url": "https://example.com/hook", "secret": secret, "events": ["job.failed"]}
    made = http.post("/v1/webhooks", json=body, headers=headers)
    again = http.post("/v1/webhooks", json=body, headers=headers)
    assert made.json() == again.json()
    assert made.json()["secret"] == secret
    found = http.get(made.headers["location"]).json()
    assert found == {key: value for key, value in made.json().items() if key != "secret"}
    assert http.get("/v1/webhooks").json() == {"items": [found]}
    assert found["events"] == ["job.failed"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"url": "ftp://example.com/"}, "/url"),
        ({"url": "https://me:pw@example.com/"}, "/url"),
        ({"url": "https:///path"}, "/url"),
        ({"url": "https://example.com:99999/"}, "/url"),
        ({"url": "https://example.com/" + "x" * 2048}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["image.gone"]}, "/events/0"),
        ({"secret": "whsec_c2hvcnQ="}, "/secret"),
        ({"secret": base64.b64encode(bytes(32)).decode()}, "/secret"),
        ({"secret": "whsec_" + base64.b64encode(bytes(65)).decode()}, "/secret"),
        ({"secret": "whsec_?" + base64.b64encode(bytes(32)).decode()}, "/secret"),
        ({"name": ""}, "/name"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_refused(http: Http, fields: dict[str, Any], pointer: str) -> None:
    answer = http.post("/v1/webhooks", json={"url": "https://example.com/", **fields})
    assert (answer.status_code, answer.json()["pointer"]) == (422, pointer)


def test_what_there_is_not(http: Http) -> None:
    webhook = subscribed(http, "https://example.com/")
    other = subscribed(http, "https://example.com/")
    unknown = other["id"][::-1]
    here = f"/v1/webhooks/{webhook['id']}"
    for method, path in [
        ("GET", f"/v1/webhooks/{unknown}"),
        ("GET", "/v1/webhooks/none"),
        ("DELETE", f"/v1/webhooks/{unknown}"),
        ("GET", f"/v1/webhooks/{unknown}/deliveries"),
        ("POST", f"{here}/deliveries/{unknown}/replay"),
        ("POST", f"{here}/deliveries/none/replay"),
    ]:
        assert http.request(method, path).status_code == 404, path
    assert http.get(f"{here}/deliveries", params={"cursor": "x"}).json()["pointer"] == "/cursor"
    assert http.get(f"{here}/deliveries", params={"state": "lost"}).json()["pointer"] == "/state"
    refused = http.post("/v1/batches", json={"webhook": unknown})
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/webhook")


def test_a_webhook_that_was_removed_is_told_nothing_more(http: Http) -> None:
    with Receiver(Answer(500)) as receiver:
        webhook = subscribed(http, receiver.url)
        uploaded(http)
        receiver.wait(1)
        assert http.delete(f"/v1/webhooks/{webhook['id']}").status_code == 204
        assert http.delete(f"/v1/webhooks/{webhook['id']}").status_code == 404
        uploaded(http, 2)
        time.sleep(2)
        assert len(receiver.posts) == 1


def test_making_and_replaying_need_an_admin(tmp_path: Path) -> None:
    data = tmp_path / "data"
    keys = {}
    for scope in ("admin", "upload", "read"):
        made = filmroll("keys", "create", scope, "--scope", scope, FILMROLL_DATA=str(data))
        keys[scope] = next(word for word in made.stdout.split() if word.startswith("fr_"))
    with Service(data, FILMROLL_ACCESS="keys") as service, service.client() as http:

        def ask(scope: str, method: str, path: str, **options: Any) -> httpx.Response:
            headers = {"Authorization": f"Bearer {keys[scope]}"}
            return http.request(method, path, headers=headers, **options)

        body = {"url": "https://example.com:8443/hooks/T0KEN?key=secret"}
        assert ask("upload", "POST", "/v1/webhooks", json=body).status_code == 403
        webhook = ask("admin", "POST", "/v1/webhooks", json=body).json()
        here = f"/v1/webhooks/{webhook['id']}"
        for path in ("/v1/webhooks", here, f"{here}/deliveries"):
            assert ask("read", "GET", path).status_code == 200
            assert ask("upload", "GET", path).status_code == 403
        for scope, url in (("admin", body["url"]), ("read", "https://example.com:8443")):
            assert ask(scope, "GET", here).json()["url"] == url
            (listed,) = ask(scope, "GET", "/v1/webhooks").json()["items"]
            assert listed["url"] == url
        replay = f"{here}/deliveries/{webhook['id']}/replay"
        assert ask("read", "POST", replay).status_code == 403
        assert ask("read", "DELETE", here).status_code == 403
        assert ask("admin", "DELETE", here).status_code == 204


@contextmanager
def impatient(data: Path, role: str = "serve") -> Iterator[Service]:
    with Service(data, role, module=IMPATIENT, FILMROLL_FETCH_ALLOW="127.0.0.1") as service:
        yield service


def test_a_kill_between_completion_and_sending_loses_nothing(tmp_path: Path) -> None:
    """The Upload API alone sends nothing: what it has written down must last beyond its death."""
    with Receiver() as receiver:
        with impatient(tmp_path / "data", "upload-api") as service, service.client() as http:
            webhook = subscribed(http, receiver.url, events=["image.ready", "batch.completed"])
            image = uploaded(http)
            filled(http, batch := opened(http), "a")
            service.kill()
        assert not receiver.posts
        with impatient(tmp_path / "data") as service, service.client() as http:
            receiver.wait(3)
            time.sleep(1.5)  # long enough for one that comes twice
            assert {one["state"] for one in deliveries(http, webhook)} == {"delivered"}
    ids = {post.id: (post.type, post.data["id"]) for post in receiver.posts}
    assert len(receiver.posts) == len(ids) == 3
    assert ("image.ready", image["id"]) in ids.values()
    assert ("batch.completed", batch) in ids.values()


def test_a_kill_while_sending_sends_it_again_under_its_id(tmp_path: Path) -> None:
    held = threading.Event()
    with Receiver(Answer(held=held)) as receiver, impatient(tmp_path / "data") as service:
        with service.client() as http:
            webhook = subscribed(http, receiver.url)
            uploaded(http)
            receiver.wait(1)
        service.kill()
        held.set()
        service.start()
        first, second = receiver.wait(2)
        with service.client() as http:
            done = logged(http, webhook, delivered)
    assert first.id == second.id == done["id"]
    assert done["attempts"] == 2
