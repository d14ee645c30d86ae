"""Large objects in parts: in any order, refused as S3 refuses, and each become what it was for."""

import base64
import hashlib
import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from filmroll.model import new_id
from tests.e2e import raw
from tests.e2e.parts import (
    LEAST,
    archive,
    batch_ended,
    begin,
    complete,
    cut,
    ended,
    heavy_png,
    kept,
    listed,
    problem,
    put,
    send_all,
    sent,
    until,
)
from tests.e2e.service import Service
from tests.e2e.test_upload import THUMB
from tests.samples import jpeg, tiny_jpeg

GIB = 1 << 30


def digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@pytest.fixture
def upload(http: httpx.Client) -> str:
    return begin(http)


# ------------------------------------------------------------------------------------- an image


@pytest.mark.parametrize("at_once", [1, 8])
def test_an_image_in_parts_is_an_image_as_any(http: httpx.Client, at_once: int) -> None:
    body = heavy_png()
    upload = begin(http, name="a.png", variants=[THUMB], tags=["t"], metadata={"n": 1})
    parts = send_all(http, upload, cut(body), at_once)
    answer = complete(http, upload, parts)
    assert answer.status_code == 201, answer.text
    image = answer.json()
    assert answer.headers["location"] == f"/v1/images/{image['id']}"
    assert (image["state"], image["name"], image["tags"]) == ("ready", "a.png", ["t"])
    assert image["sha256"] == hashlib.sha256(body).hexdigest()
    assert http.get(image["url"]).content == body
    assert http.get(image["variants"][0]["url"]).status_code == 200
    found = http.get(f"/v1/uploads/{upload}").json()
    assert (found["state"], found["image"]) == ("completed", image["id"])


def test_a_small_image_may_come_in_one_part(http: httpx.Client) -> None:
    assert sent(http, tiny_jpeg(7)).json()["bytes"] == len(tiny_jpeg(7))


def test_it_is_told_how_to_cut_what_it_will_send(http: httpx.Client) -> None:
    said = http.post("/v1/uploads", json={"bytes": 200 << 20}).json()
    assert (said["part_bytes"], said["parts"]) == (64 << 20, 4)
    wished = http.post("/v1/uploads", json={"bytes": 20 << 20, "part_bytes": LEAST}).json()
    assert (wished["part_bytes"], wished["parts"]) == (LEAST, 4)
    most = {"bytes": 50_000 * GIB, "purpose": "archive"}
    assert http.post("/v1/uploads", json=most).json()["parts"] == 10_000


def test_an_image_can_be_left_to_a_job(http: httpx.Client) -> None:
    upload = begin(http, variants=[THUMB])
    parts = send_all(http, upload, {1: jpeg(800, 600, seed=3)})
    answer = complete(http, upload, parts, "respond-async")
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    job = until(http, answer.headers["location"], "succeeded")
    assert (job["kind"], job["id"]) == ("upload", upload)
    until(http, f"/v1/images/{job['image']}", "ready")


def test_a_variant_that_no_picture_of_this_size_allows_fails_the_upload(http: httpx.Client) -> None:
    answer = sent(http, jpeg(64, 64), variants=["crop:x=0,y=0,width=100,height=100"])
    assert problem(answer) == (422, "invalid-instructions")


def test_an_item_of_a_batch_may_come_in_parts(http: httpx.Client) -> None:
    batch = http.post("/v1/batches", json={"variants": [THUMB]}).json()["id"]
    body = heavy_png(seed=1)
    image = sent(http, body, batch=batch, ref="a/b.png", metadata={"k": 1}).json()
    assert (image["batch"], image["ref"]) == (batch, "a/b.png")
    line = http.get(f"/v1/batches/{batch}/items/a%2Fb.png").json()
    assert (line["image"], line["metadata"]) == (image["id"], {"k": 1})
    http.post(f"/v1/batches/{batch}/seal")
    assert batch_ended(http, batch)["counts"]["succeeded"] == 1
    late = http.post("/v1/uploads", json={"batch": batch, "ref": "b"})
    assert problem(late) == (409, "conflict")


# ----------------------------------------------------------------------------------- an archive


def members(count: int) -> dict[str, bytes]:
    small = {f"small/{number}.jpg": tiny_jpeg(number) for number in range(count)}
    return small | {f"large/{seed}.png": heavy_png(seed) for seed in range(2)}


def test_an_archive_in_parts_is_a_batch(http: httpx.Client) -> None:
    files = members(100) | {"../evil.jpg": tiny_jpeg(1), "text.jpg": b"no image"}
    upload = begin(http, name="a.tar", purpose="archive", variants=[THUMB])
    answer = complete(http, upload, send_all(http, upload, cut(archive(files)), 8))
    assert answer.status_code == 202, answer.text
    batch = answer.json()
    assert answer.headers["location"] == f"/v1/batches/{batch['id']}"
    assert (batch["name"], batch["variants"]) == ("a.tar", [THUMB])
    found = batch_ended(http, batch["id"])
    assert (found["counts"]["succeeded"], found["counts"]["failed"]) == (102, 2)
    failed = http.get(f"/v1/batches/{batch['id']}/results?state=failed").text
    assert "refused-member" in failed
    assert "unsupported-media" in failed
    assert ended(http, upload)["state"] == "completed"
    line = http.get(f"/v1/batches/{batch['id']}/items/large%2F1.png").json()
    assert http.get(line["url"]).content == files["large/1.png"]


def test_an_archive_may_go_into_a_batch_that_is_there(http: httpx.Client) -> None:
    batch = http.post("/v1/batches", json={}).json()["id"]
    uploads = [begin(http, purpose="archive", batch=batch) for _ in range(2)]
    for number, upload in enumerate(uploads):
        whole = archive({f"{number}/{one}.jpg": tiny_jpeg(one) for one in range(20)})
        answer = complete(http, upload, send_all(http, upload, cut(whole)))
        assert answer.json()["id"] == batch
    assert [ended(http, upload)["state"] for upload in uploads] == ["completed", "completed"]
    found = http.get(f"/v1/batches/{batch}").json()
    assert (found["state"], found["counts"]["succeeded"]) == ("open", 40)


def test_a_broken_archive_fails_and_what_came_before_is_kept(http: httpx.Client) -> None:
    whole = archive(members(30))
    upload = begin(http, purpose="archive", name="broken.tar")
    parts = send_all(http, upload, cut(whole[: len(whole) // 2]))
    batch = complete(http, upload, parts).json()["id"]
    assert ended(http, upload)["problem"]["code"] == "broken-archive"
    found = batch_ended(http, batch)
    assert found["state"] == "completed_with_errors"
    assert (found["counts"]["succeeded"], found["counts"]["failed"]) == (30, 1)
    failed = http.get(f"/v1/batches/{batch}/results?state=failed").json()
    assert (failed["ref"], failed["problem"]["code"]) == ("broken.tar", "broken-archive")
    assert problem(complete(http, upload, parts)) == (422, "broken-archive")


def test_what_is_no_archive_fails(http: httpx.Client) -> None:
    upload = begin(http, purpose="archive")
    complete(http, upload, send_all(http, upload, {1: tiny_jpeg(1)}))
    assert ended(http, upload)["problem"]["code"] == "unsupported-media"


def test_a_batch_that_is_sealed_too_early_is_told_of(http: httpx.Client) -> None:
    batch = http.post("/v1/batches", json={}).json()["id"]
    upload = begin(http, purpose="archive", batch=batch)
    parts = send_all(http, upload, cut(archive(members(10))))
    http.post(f"/v1/batches/{batch}/seal")
    assert problem(complete(http, upload, parts)) == (409, "conflict")
    assert http.get(f"/v1/uploads/{upload}").json()["state"] == "open"


# ------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("fields", "status", "pointer"),
    [
        ({"purpose": "film"}, 422, "/purpose"),
        ({"unknown": 1}, 422, "/unknown"),
        ({"bytes": 0}, 422, "/bytes"),
        ({"bytes": 5 * GIB + 1}, 413, None),
        ({"bytes": 50_000 * GIB + 1, "purpose": "archive"}, 413, None),
        ({"part_bytes": LEAST - 1}, 422, "/part_bytes"),
        ({"part_bytes": 5 * GIB + 1}, 422, "/part_bytes"),
        ({"bytes": 100 * GIB, "part_bytes": LEAST, "purpose": "archive"}, 422, "/part_bytes"),
        ({"sha256": "no"}, 422, "/sha256"),
        ({"expires_in": 8 * 86_400}, 422, "/expires_in"),
        ({"variants": ["resize:width=0"]}, 422, "/variants/0/0/width"),
        ({"batch": new_id(), "ref": "a"}, 422, "/batch"),
        ({"batch": new_id()}, 422, "/ref"),
        ({"ref": "a"}, 422, "/ref"),
        ({"purpose": "archive", "ref": "a"}, 422, "/ref"),
        ({"purpose": "archive", "tags": ["t"]}, 422, "/tags"),
        ({"purpose": "archive", "batch": new_id(), "variants": [THUMB]}, 422, "/variants"),
        ({"name": "a\n"}, 422, "/name"),
    ],
)
def test_what_cannot_be_is_refused_at_the_beginning(
    http: httpx.Client, fields: dict[str, object], status: int, pointer: str | None
) -> None:
    answer = http.post("/v1/uploads", json=fields)
    assert (answer.status_code, answer.json().get("pointer")) == (status, pointer), answer.text


@pytest.mark.parametrize("number", ["0", "10001", "-1", "one", "1.5", "99999999999"])
def test_parts_have_the_numbers_1_to_10000(http: httpx.Client, upload: str, number: str) -> None:
    answer = http.put(f"/v1/uploads/{upload}/parts/{number}", content=b"x")
    assert problem(answer) == (422, "invalid-request")


def test_the_last_number_is_taken(http: httpx.Client, upload: str) -> None:
    assert put(http, upload, 10_000, b"x").status_code == 200


def test_a_part_with_wrong_digests_is_not_kept(http: httpx.Client, upload: str) -> None:
    body, other = b"a part", b"another"
    md5 = base64.b64encode(hashlib.md5(other).digest()).decode()
    for wrong in ({"content_md5": md5}, {"content_digest": digest(other)}):
        assert problem(put(http, upload, 1, body, **wrong)) == (400, "digest-mismatch")
    for broken in ({"content_md5": "?"}, {"content_md5": "AAAA"}, {"repr_digest": "sha-256=:A:"}):
        assert problem(put(http, upload, 1, body, **broken)) == (400, "malformed-request")
    assert kept(http, upload) == []
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    right = put(http, upload, 1, body, content_md5=md5, content_digest=digest(body))
    assert right.headers["etag"] == f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def test_an_empty_part_is_none(http: httpx.Client, upload: str) -> None:
    assert problem(put(http, upload, 1, b"")) == (422, "empty-body")


def test_a_part_that_is_too_large_is_refused_before_its_body(http: httpx.Client) -> None:
    upload = begin(http, bytes=LEAST)
    assert problem(put(http, upload, 1, bytes(LEAST + 1))) == (413, "too-large")


def test_one_part_has_at_most_five_gibibytes(http: httpx.Client, service: Service) -> None:
    path = f"/v1/uploads/{begin(http)}/parts/1"
    with raw.connected(service) as connection:
        connection.sendall(raw.head("PUT", path, Content_Length=5 * GIB + 1, Expect="100-continue"))
        response, body = raw.answer(connection)
    assert (response.status, json.loads(body)["limit"]) == (413, 5 * GIB)


def test_a_part_of_unknown_length_is_refused_at_its_limit(http: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (bytes(1 << 20) for _ in range(6))

    upload = begin(http, bytes=LEAST)
    answer = http.put(f"/v1/uploads/{upload}/parts/1", content=chunks())
    assert problem(answer) == (413, "too-large")


def test_wrong_lists_are_refused_and_the_upload_stays_open(http: httpx.Client) -> None:
    body = heavy_png(seed=2)
    parts = cut(body)
    upload = begin(http, bytes=len(body))
    right = send_all(http, upload, parts)
    put(http, upload, 7, b"one too many")
    etags = [str(part["etag"]) for part in right]
    wrong = {
        "invalid-part-order": [[], right[::-1], right[1:], [right[0], right[2]], right[:1] * 2],
        "invalid-part": [
            listed({1: etags[0], 2: etags[0], 3: etags[2]}),
            listed(dict.fromkeys(range(1, 12), "x")),
        ],
        "size-mismatch": [right[:2]],
    }
    for code, lists in wrong.items():
        for one in lists:
            assert problem(complete(http, upload, one)) == (422, code), one
    over = [{"n": n, "etag": "x"} for n in range(1, 10_002)]
    assert problem(complete(http, upload, over)) == (422, "invalid-part")
    assert http.get(f"/v1/uploads/{upload}").json()["state"] == "open"
    assert complete(http, upload, right).status_code == 201


def test_all_parts_but_the_last_have_five_mebibytes(http: httpx.Client, upload: str) -> None:
    parts = send_all(http, upload, {1: bytes(LEAST - 1), 2: b"x"})
    answer = complete(http, upload, parts)
    assert problem(answer) == (422, "part-too-small")
    assert answer.json()["pointer"] == "/parts/0"


def test_the_digest_of_the_whole_is_verified(http: httpx.Client) -> None:
    body = tiny_jpeg(11)
    right, wrong = hashlib.sha256(body).hexdigest(), "0" * 64
    assert sent(http, body, sha256=right).status_code == 201
    assert problem(sent(http, body, sha256=wrong)) == (400, "digest-mismatch")
    upload = begin(http, sha256=right)
    parts = send_all(http, upload, {1: body})
    assert problem(complete(http, upload, parts, sha256=wrong)) == (422, "invalid-request")
    assert complete(http, upload, parts, sha256=right).status_code == 201
    archived = begin(http, purpose="archive")
    parts = send_all(http, archived, {1: archive({"a.jpg": body})})
    batch = complete(http, archived, parts, sha256=wrong).json()["id"]
    assert ended(http, archived)["problem"]["code"] == "digest-mismatch"
    assert batch_ended(http, batch)["counts"]["succeeded"] == 0


def test_what_is_no_image_has_failed(http: httpx.Client) -> None:
    upload = begin(http)
    parts = send_all(http, upload, {1: b"no image"})
    for _ in range(2):
        assert problem(complete(http, upload, parts)) == (415, "unsupported-media")
    assert problem(put(http, upload, 1, b"x")) == (409, "conflict")
    assert http.get(f"/v1/uploads/{upload}").json()["state"] == "failed"


def test_no_bytes_can_be_sent_to_the_disk_directly(http: httpx.Client, upload: str) -> None:
    answer = http.post(f"/v1/uploads/{upload}/part-urls", json={"parts": [1, 2]})
    assert problem(answer) == (409, "direct-not-supported")
    wrong = http.post(f"/v1/uploads/{upload}/part-urls", json={"parts": [0]})
    assert wrong.status_code == 422


def test_unknown_uploads_are_unknown(http: httpx.Client) -> None:
    for unknown in (new_id(), "x", "%2e%2e"):
        path = f"/v1/uploads/{unknown}"
        requests = [
            http.get(path),
            http.delete(path),
            http.put(f"{path}/parts/1", content=b"x"),
            http.post(f"{path}/complete", json={"parts": []}),
        ]
        assert [answer.status_code for answer in requests] == [404] * 4


# ---------------------------------------------------------------------------- again, and at once


def test_a_part_that_is_sent_again_takes_the_place_of_the_first(
    http: httpx.Client, upload: str
) -> None:
    body = heavy_png(seed=3)
    put(http, upload, 2, b"wrong")
    parts = send_all(http, upload, cut(body))
    assert kept(http, upload) == [{**one, "etag": str(one["etag"]).strip('"')} for one in parts]
    assert complete(http, upload, parts).json()["sha256"] == hashlib.sha256(body).hexdigest()


def test_one_part_sent_by_many_at_once_is_one_of_them(http: httpx.Client, upload: str) -> None:
    bodies = [tiny_jpeg(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda body: put(http, upload, 1, body), bodies))
    image = complete(http, upload, kept(http, upload)).json()
    assert http.get(image["url"]).content in bodies


def test_completing_twice_and_at_once_is_completing_once(http: httpx.Client) -> None:
    upload = begin(http, variants=[THUMB])
    parts = send_all(http, upload, cut(heavy_png(seed=4)))
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: complete(http, upload, parts), range(4)))
    answers.append(complete(http, upload, parts))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert problem(complete(http, upload, parts[:1])) == (409, "conflict")
    assert problem(put(http, upload, 1, b"late")) == (409, "conflict")


def test_beginning_and_completing_under_a_key_happens_once(http: httpx.Client) -> None:
    key = {"Idempotency-Key": new_id()}
    first, again = (http.post("/v1/uploads", json={"name": "a"}, headers=key) for _ in range(2))
    assert first.json() == again.json()
    other = http.post("/v1/uploads", json={"name": "b"}, headers=key)
    assert problem(other) == (422, "idempotency-key-reused")
    upload = first.json()["id"]
    body = {"parts": send_all(http, upload, {1: tiny_jpeg(12)})}
    key = {"Idempotency-Key": new_id()}
    path = f"/v1/uploads/{upload}/complete"
    one, two = (http.post(path, json=body, headers=key) for _ in range(2))
    assert (one.status_code, one.json()) == (two.status_code, two.json())


def test_parts_are_listed_by_pages(http: httpx.Client, upload: str) -> None:
    send_all(http, upload, dict.fromkeys((1, 2, 5, 9), b"x"))
    path, seen, cursor = f"/v1/uploads/{upload}", [], None
    while True:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = http.get(path, params=query).json()
        seen += [item["n"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [1, 2, 5, 9]
    assert page["received"] == {"parts": 4, "bytes": 4}
    assert http.get(path, params={"cursor": "x"}).status_code == 422


# ------------------------------------------------------------------------------------- the end


def blobs(service: Service, root: str) -> list[Path]:
    return [path for path in (service.data / "blobs" / root).rglob("*") if path.is_file()]


def test_an_aborted_upload_is_gone_with_its_parts(http: httpx.Client, upload: str) -> None:
    parts = send_all(http, upload, {1: tiny_jpeg(1)})
    assert http.delete(f"/v1/uploads/{upload}").status_code == 204
    for answer in (
        http.get(f"/v1/uploads/{upload}"),
        http.delete(f"/v1/uploads/{upload}"),
        put(http, upload, 2, b"x"),
        complete(http, upload, parts),
    ):
        assert problem(answer) == (410, "upload-gone")


def test_a_completed_upload_cannot_be_aborted(http: httpx.Client) -> None:
    upload = begin(http)
    image = complete(http, upload, send_all(http, upload, {1: tiny_jpeg(13)})).json()
    assert problem(http.delete(f"/v1/uploads/{upload}")) == (409, "conflict")
    assert http.get(image["url"]).status_code == 200


def test_parts_of_ended_uploads_leave_the_disk(data: Path) -> None:
    with Service(data) as service, service.client() as http:
        sent(http, heavy_png())
        aborted = begin(http)
        send_all(http, aborted, cut(heavy_png()))
        http.delete(f"/v1/uploads/{aborted}")
        open_ = begin(http)
        put(http, open_, 1, b"stays")
        put(http, open_, 1, b"stays, too")
        deadline = time.monotonic() + 20
        while len(left := blobs(service, "p")) > 1 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert [path.read_bytes() for path in left] == [b"stays, too"]
        assert blobs(service, "o")
        assert list((service.data / "spool").iterdir()) == []


def test_four_services_share_the_parts_of_an_upload(data: Path) -> None:
    body, whole = heavy_png(seed=5), archive(members(40))
    with ExitStack() as stack:
        stack.enter_context(Service(data, "worker"))
        services = [stack.enter_context(Service(data, "upload-api")) for _ in range(4)]
        clients = [stack.enter_context(service.client()) for service in services]
        choice = random.Random(4)
        image = begin(clients[0])
        packed = begin(clients[1], purpose="archive")
        sends = [(image, n, part) for n, part in cut(body).items()] * 2
        sends += [(packed, n, part) for n, part in cut(whole).items()] * 2
        choice.shuffle(sends)
        with ThreadPoolExecutor(8) as threads:
            work = [threads.submit(put, choice.choice(clients), *send) for send in sends]
        assert {one.result().status_code for one in work} == {200}
        for upload in (image, packed):
            parts = [kept(client, upload) for client in clients]
            assert parts == [parts[0]] * 4
            answers = [complete(client, upload, parts[0], "respond-async") for client in clients]
            assert {answer.status_code for answer in answers} == {202}
        kept_image = clients[3].get(f"/v1/images/{ended(clients[2], image)['image']}").json()
        assert kept_image["sha256"] == hashlib.sha256(body).hexdigest()
        found = batch_ended(clients[0], str(ended(clients[1], packed)["batch"]))
        assert found["counts"]["succeeded"] == 42
        assert found["counts"]["failed"] == 0
