"""Large objects in parts: in any order, again and at once, and each become what it was for."""

import hashlib
import json
import random
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from filmroll.model import new_id
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
    problem,
    put,
    send_all,
    sent,
    until,
)
from tests.e2e.service import ROOT, Service
from tests.e2e.stored import Stored
from tests.e2e.test_upload import THUMB
from tests.samples import jpeg, tiny_jpeg


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
    most = {"bytes": 50_000 << 30, "purpose": "archive"}
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


def blobs(service: Service, root: str) -> list[str]:
    return Stored(service.data).keys(root)


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
        assert [Stored(data).read(key) for key in left] == [b"stays, too"]
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


def test_the_lines_of_the_page_run(service: Service, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "large.md").read_text()
    match = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    assert match
    (tmp_path / "huge.tif").write_bytes(heavy_png(seed=6))
    script = match[1].replace("localhost:8000", service.url).replace("-b 64m", f"-b {LEAST}")
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    image = json.loads(done.stdout)
    assert (image["name"], image["variants"][0]["state"]) == ("huge.tif", "ready")
    assert image["sha256"] == hashlib.sha256(heavy_png(seed=6)).hexdigest()
