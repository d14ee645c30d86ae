"""Many images deleted, or made variants of, as a batch; with servers that die in the middle."""

import json
import time
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from tests.e2e.bulk import (
    SMALL,
    View,
    check_sums,
    ledger,
    manifest,
    new_batch,
    photo,
    problem,
    put,
    send_archive,
    sha256,
    view,
    wait_until_final,
)
from tests.e2e.service import IMPATIENT, Service
from tests.e2e.stored import Stored
from tests.samples import tiny_jpeg
from tests.unit.archives.making import tar


def filled(http: httpx.Client, count: int, **fields: object) -> tuple[str, list[str]]:
    """Return a batch of so many images, and their ids."""
    batch = new_batch(http, **fields)
    files = {f"{n}.jpg": tiny_jpeg(n) for n in range(count)}
    verdicts, end = send_archive(http, batch, tar(files))
    assert end["stored"] == count
    return batch, [one["image"] for one in verdicts]


def states_of(http: httpx.Client, images: list[str]) -> set[int]:
    return {http.get(f"/v1/images/{image}").status_code for image in images}


def blobs(service: Service, root: str = "o") -> set[str]:
    return Stored(service.data).names(root)


def test_the_images_of_a_batch_are_deleted(http: httpx.Client, service: Service) -> None:
    batch, images = filled(http, 450, variants=[])
    _, others = filled(http, 3)
    made = new_batch(http, name="away", action="delete", where={"batch": batch})
    done = wait_until_final(http, made)
    assert (done["state"], done["action"], done["where"]) == (
        "completed",
        "delete",
        {"batch": batch},
    )
    assert (done["counts"]["declared"], done["counts"]["succeeded"]) == (450, 450)
    lines = ledger(http, made)
    assert lines.keys() == set(images)
    assert {line["state"] for line in lines.values()} == {"succeeded"}
    assert states_of(http, images[::50]) == {410}
    assert states_of(http, others) == {200}
    assert not blobs(service) & set(images)
    assert http.get("/v1/images", params={"batch": batch}).json()["items"] == []
    assert len(ledger(http, batch)) == 450, "its own ledger tells what came"


def test_images_are_found_by_tag_digest_and_time(http: httpx.Client) -> None:
    tag, bodies = f"t{time.time()}", [photo(f"found {n} {time.time()}") for n in range(4)]
    first, second = (
        http.post("/v1/images", content=body, params={"tag": tag}).json() for body in bodies[:2]
    )
    third, fourth = (http.post("/v1/images", content=body).json() for body in bodies[2:])
    by_tag = new_batch(http, action="variants", where={"tag": tag}, variants=[SMALL])
    by_sha = new_batch(
        http, action="variants", where={"sha256": sha256(bodies[2])}, variants=[SMALL]
    )
    after = new_batch(
        http,
        action="variants",
        where={"created_after": third["created_at"], "sha256": sha256(bodies[3])},
        variants=[SMALL],
    )
    for made, expected in ((by_tag, [first, second]), (by_sha, [third]), (after, [fourth])):
        assert wait_until_final(http, made)["state"] == "completed"
        assert ledger(http, made).keys() == {one["id"] for one in expected}
    assert datetime.fromisoformat(third["created_at"]) < datetime.fromisoformat(
        fourth["created_at"]
    )


def test_variants_are_made_of_the_images_of_a_batch(http: httpx.Client) -> None:
    batch, images = filled(http, 40)
    wanted = [SMALL, "flip:axis=x"]
    made = new_batch(http, action="variants", where={"batch": batch}, variants=wanted)
    done = wait_until_final(http, made, 60)
    assert (done["state"], done["variants"]) == ("completed", wanted)
    assert (done["counts"]["duplicate"], done["counts"]["stored"]) == (40, 0)
    assert check_sums(http, made).keys() == set(images)
    for image in images:
        found = http.get(f"/v1/images/{image}").json()
        assert {one["instructions"]: one["state"] for one in found["variants"]} == dict.fromkeys(
            wanted, "ready"
        )
    again = new_batch(http, action="variants", where={"batch": batch}, variants=wanted)
    assert wait_until_final(http, again)["counts"]["succeeded"] == 40


def test_what_cannot_be_made_fails_its_line(http: httpx.Client) -> None:
    batch, images = filled(http, 2)
    crop = ["crop:x=5000,y=5000,width=10,height=10"]
    made = new_batch(http, action="variants", where={"batch": batch}, variants=crop)
    assert wait_until_final(http, made)["state"] == "completed_with_errors"
    lines = check_sums(http, made)
    assert {line["problem"]["code"] for line in lines.values()} == {"invalid-instructions"}
    assert states_of(http, images) == {200}


def test_a_filter_that_finds_nothing_is_done_at_once(http: httpx.Client) -> None:
    made = new_batch(http, action="delete", where={"tag": "nobody has this tag"})
    assert wait_until_final(http, made)["counts"]["declared"] == 0


def test_it_is_begun_once_under_a_key(http: httpx.Client) -> None:
    batch, _ = filled(http, 2)
    body = {"action": "delete", "where": {"batch": batch}}
    headers = {"Idempotency-Key": f"act {time.time()}"}
    made = {http.post("/v1/batches", json=body, headers=headers).json()["id"] for _ in range(3)}
    assert len(made) == 1
    assert wait_until_final(http, made.pop())["counts"]["succeeded"] == 2


# ----------------------------------------------------------------------- what it must not become


def test_nothing_is_sent_into_a_batch_that_acts(http: httpx.Client) -> None:
    """A line of a delete names an image: whoever could write one could have any image deleted."""
    victim = http.post("/v1/images", content=photo(f"victim {time.time()}")).json()["id"]
    batch, images = filled(http, 450)
    made = new_batch(http, action="delete", where={"batch": batch})
    item = {"ref": victim, "source": {"blob": "import/none.jpg"}}
    problem(manifest(http, made, json.dumps(item)), 409, "conflict")
    for ref in ("new", images[-1]):
        problem(put(http, made, ref, photo("new")), 409, "conflict")
    _, end = send_archive(http, made, tar({"a.jpg": photo("a")}))
    assert (end["stored"], end["rejected"]) == (0, 1)
    assert wait_until_final(http, made)["counts"]["declared"] == 450
    assert states_of(http, [victim]) == {200}


def test_a_batch_that_acts_is_not_sealed_from_outside(http: httpx.Client) -> None:
    batch, images = filled(http, 450)
    made = new_batch(http, action="delete", where={"batch": batch})
    answer = http.post(f"/v1/batches/{made}/seal", json={})
    assert answer.status_code in {200, 409}
    assert wait_until_final(http, made)["counts"]["succeeded"] == 450
    assert states_of(http, images[::50]) == {410}


def at_rest(http: httpx.Client, batch: str, seconds: float = 30) -> dict[str, View]:
    """Wait until no line of a batch is under way; return the ledger."""
    deadline = time.monotonic() + seconds
    while True:
        lines = ledger(http, batch)
        if {line["state"] for line in lines.values()} <= {"succeeded", "failed", "cancelled"}:
            return check_sums(http, batch)
        assert time.monotonic() < deadline, view(http, batch)
        time.sleep(0.1)


def test_a_deletion_that_is_cancelled_tells_what_is_gone(http: httpx.Client) -> None:
    batch, images = filled(http, 1000)
    made = new_batch(http, action="delete", where={"batch": batch})
    while not view(http, made)["counts"]["declared"]:
        time.sleep(0.002)
    http.delete(f"/v1/batches/{made}")
    lines = at_rest(http, made)
    time.sleep(0.5)  # what was begun is ended, and nothing more is begun
    assert ledger(http, made) == lines
    gone = {image for image in images if http.get(f"/v1/images/{image}").status_code == 410}
    assert gone == {ref for ref, line in lines.items() if line["state"] == "succeeded"}


def test_to_cancel_the_job_is_to_cancel_the_batch(http: httpx.Client) -> None:
    batch, _ = filled(http, 600)
    made = new_batch(http, action="delete", where={"batch": batch})
    assert http.delete(f"/v1/jobs/{made}").status_code == 200
    assert wait_until_final(http, made)["state"] == "cancelled"
    deadline = time.monotonic() + 20
    while http.get(f"/v1/jobs/{made}").json()["state"] not in {"succeeded", "cancelled"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    at_rest(http, made)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, 3])
def test_a_deletion_outlives_its_server(data: Path, kills: int) -> None:
    with Service(data, module=IMPATIENT) as service:
        with service.client() as http:
            batch, images = filled(http, 500)
            kept, _ = filled(http, 1)
            made = new_batch(http, action="delete", where={"batch": batch})
        for kill in range(kills):
            with service.client() as http:
                deadline = time.monotonic() + 20
                while view(http, made)["counts"]["declared"] < 150 * kill + 1:
                    assert time.monotonic() < deadline
                    time.sleep(0.001)
            service.kill()
            service.start()
        with service.client() as http:
            done = wait_until_final(http, made, 60)
            assert (done["state"], done["counts"]["succeeded"]) == ("completed", 500)
            assert ledger(http, made).keys() == set(images)
            assert states_of(http, images[::25]) == {410}
            assert len(http.get("/v1/images", params={"batch": kept}).json()["items"]) == 1
            assert not blobs(service) & set(images)


@pytest.mark.slow
def test_variants_outlive_their_server(data: Path) -> None:
    with Service(data, module=IMPATIENT) as service:
        with service.client() as http:
            batch, images = filled(http, 300)
            made = new_batch(http, action="variants", where={"batch": batch}, variants=[SMALL])
            while not view(http, made)["counts"]["declared"]:
                time.sleep(0.001)
        service.kill()
        service.start()
        with service.client() as http:
            done = wait_until_final(http, made, 60)
            assert (done["state"], done["counts"]["succeeded"]) == ("completed", 300)
            assert check_sums(http, made).keys() == set(images)
            found = [http.get(f"/v1/images/{image}").json() for image in images[::10]]
            assert {one["state"] for image in found for one in image["variants"]} == {"ready"}
            assert json.dumps(found).count(SMALL) >= len(found)
