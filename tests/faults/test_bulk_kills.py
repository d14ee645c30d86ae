"""kill -9 of the API, the worker and the client in the middle of a batch, ten times over.

Pushed again, every ref is there exactly once, with its bytes; the sums are those of the ledger,
and no job and no message is left over.
"""

import hashlib
import json
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.service import IMPATIENT, ROOT, Service, environment
from tests.samples import tiny_jpeg

pytestmark = pytest.mark.slow

ITEMS = 20_000
WITH_VARIANT = 600  # by a sidecar; pixels of all would take minutes and show nothing more
KILLS = 10
SIDECAR = json.dumps({"variants": ["resize:width=24/output:format=png"], "tags": ["small"]})


@pytest.mark.timeout(600)
def test_a_batch_survives_kills_of_everybody(tmp_path: Path) -> None:
    digests = make_folder(tmp_path / "pictures")
    chance = random.Random(20)
    data = tmp_path / "data"
    worker = Service(data, "worker", module=IMPATIENT)
    api = Service(
        data, "upload-api", module=IMPATIENT, FILMROLL_WORKER_URL=f"http://127.0.0.1:{worker.port}"
    )
    with worker, api:
        client = push(api, tmp_path)
        in_the_middle = 0
        for victim in shuffled_victims(chance):
            time.sleep(chance.uniform(0.3, 1.2))
            in_the_middle += client.poll() is None
            if victim == "client" or client.poll() is not None:
                client.kill()
                client.wait()
                client = push(api, tmp_path)
            if victim != "client":
                service = api if victim == "api" else worker
                service.kill()
                service.start()
        assert in_the_middle > KILLS // 2, "the pictures are too few for so slow kills"
        assert client.wait(300) in {0, 1}, (tmp_path / "push.log").read_text()
        client = push(api, tmp_path)
        assert client.wait(300) == 0, (tmp_path / "push.log").read_text()
        assert_exactly_once(api, digests)
        assert_nothing_left_over(data)


def shuffled_victims(chance: random.Random) -> list[str]:
    victims = ["api", "worker", "client"] * (KILLS // 3 + 1)
    victims = victims[:KILLS]
    chance.shuffle(victims)
    return victims


def make_folder(folder: Path) -> dict[str, str]:
    """Return the digests of the pictures by their refs."""
    digests = {}
    for number in range(ITEMS):
        path = folder / f"{number // 1000:02}" / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        body = tiny_jpeg(number)
        path.write_bytes(body)
        digests[str(path.relative_to(folder))] = hashlib.sha256(body).hexdigest()
        if number % (ITEMS // WITH_VARIANT) == 0:
            path.with_suffix(".json").write_text(SIDECAR)
    return digests


def push(api: Service, folder: Path) -> "subprocess.Popen[bytes]":
    with (folder / "push.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "filmroll", "push", str(folder / "pictures"), "--batch", "all"],
            env=environment(FILMROLL_URL=api.url, PYTHONPATH=str(ROOT)),
            cwd=folder,
            stdout=log,
            stderr=log,
        )


def assert_exactly_once(api: Service, digests: dict[str, str]) -> None:
    with api.client() as http:
        batches = http.get("/v1/batches", params={"name": "all"}).json()["items"]
        lines = [line for batch in batches for line in results(http, batch["id"])]
        held = {line["ref"]: line["sha256"] for line in lines}
        assert held == digests
        assert Counter(line["state"] for line in lines) == {"succeeded": len(lines)}
        for batch in batches:
            assert_sums(http, batch["id"])
        images = {line["image"] for line in lines}
        assert len(images) == ITEMS
        assert {image["id"] for image in listed(http)} == images
        for line in random.Random(3).sample(lines, 100):
            image = http.get(f"/v1/images/{line['image']}").json()
            assert (image["sha256"], image["state"]) == (digests[line["ref"]], "ready")


def results(http, batch: str) -> list[dict]:
    answer = http.get(f"/v1/batches/{batch}/results")
    return [json.loads(line) for line in answer.text.splitlines()]


def listed(http) -> list[dict]:
    images, cursor = [], None
    while True:
        query = {"limit": 200} | ({"cursor": cursor} if cursor else {})
        page = http.get("/v1/images", params=query).json()
        images += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return images


def assert_sums(http, batch: str) -> None:
    """The sums of a batch are those of its ledger."""
    counts = http.get(f"/v1/batches/{batch}").json()["counts"]
    lines = results(http, batch)
    states = Counter(line["state"] for line in lines)
    twins = sum(line.get("duplicate", False) for line in lines)
    assert counts == {
        "declared": len(lines),
        "received": counts["received"],  # what a line does not show
        "duplicate": twins,
        "stored": len(lines) - twins,
        "processing": states["processing"],
        "succeeded": states["succeeded"],
        "failed": states["failed"],
        "bytes": sum(line["bytes"] for line in lines),
    }


def assert_nothing_left_over(data: Path) -> None:
    """Every job has ended; its messages, sent again or not, go as well."""
    with sqlite3.connect(f"file:{data}/catalog.db?mode=ro", uri=True) as catalog:
        query = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')"
        assert catalog.execute(query).fetchone() == (0,)
    deadline = time.monotonic() + 60
    while messages(data):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def messages(data: Path) -> int:
    with sqlite3.connect(f"file:{data}/queue.db?mode=ro", uri=True) as queue:
        return int(queue.execute("SELECT count(*) FROM messages").fetchone()[0])
