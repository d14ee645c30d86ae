"""Batches over HTTP, in as few words as the tests need."""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from tests.e2e.service import AWS
from tests.samples import jpeg

NDJSON = {"Content-Type": "application/x-ndjson"}
SMALL = "resize:width=20/output:format=webp"
FINAL = {"completed", "completed_with_errors", "cancelled", "expired"}

View = dict[str, Any]


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def photo(number: int | str) -> bytes:
    """Return a small JPEG of its own."""
    plain = jpeg(40, 30, seed=800)
    comment = f"{number}".encode()
    return plain[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + plain[2:]


def new_batch(http: httpx.Client, **fields: object) -> str:
    answer = http.post("/v1/batches", json=fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def view(http: httpx.Client, batch: str) -> View:
    return dict(http.get(f"/v1/batches/{batch}").json())


def item_path(batch: str, ref: str) -> str:
    return f"/v1/batches/{batch}/items/{quote(ref, safe='')}"


def put(http: httpx.Client, batch: str, ref: str, body: bytes, **options: Any) -> httpx.Response:
    return http.put(item_path(batch, ref), content=body, **options)


def declare(http: httpx.Client, batch: str, *items: View) -> list[View]:
    """Send a manifest; return the verdicts."""
    return answers(manifest(http, batch, "".join(f"{json.dumps(item)}\n" for item in items)))


def manifest(
    http: httpx.Client, batch: str, body: Any, headers: Mapping[str, str] = NDJSON
) -> httpx.Response:
    return http.post(f"/v1/batches/{batch}/items", content=body, headers=headers)


def send_archive(http: httpx.Client, batch: str, body: Any) -> tuple[list[View], View]:
    """Send an archive; return the answers to its members, and the last line."""
    *members, end = answers(http.post(f"/v1/batches/{batch}/archive", content=body))
    return members, end


def answers(response: httpx.Response) -> list[View]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def seal(http: httpx.Client, batch: str, **fields: object) -> View:
    answer = http.post(f"/v1/batches/{batch}/seal", json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def wait_until_final(http: httpx.Client, batch: str, seconds: float = 30) -> View:
    deadline = time.monotonic() + seconds
    while (found := view(http, batch))["state"] not in FINAL:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def ledger(http: httpx.Client, batch: str) -> dict[str, View]:
    """Return the lines of a batch by ref, once its sums agree with them."""
    lines = answers(http.get(f"/v1/batches/{batch}/results"))
    by_ref = {line["ref"]: line for line in lines}
    assert len(by_ref) == len(lines)
    return by_ref


def sums(lines: Iterable[View]) -> dict[str, int]:
    """Return what the sums of a batch with these lines are, by the words of the contract."""
    found = list(lines)
    kept = [line for line in found if "image" in line]
    return {
        "declared": len(found),
        "duplicate": sum(line.get("duplicate", False) for line in found),
        "stored": sum(not line.get("duplicate") for line in kept),
        "bytes": sum(line["bytes"] for line in kept),
        **{
            state: sum(line["state"] == state for line in found)
            for state in ("processing", "succeeded", "failed")
        },
    }


def check_sums(http: httpx.Client, batch: str) -> dict[str, View]:
    """Hold the sums of a batch against its ledger; return the ledger.

    If something ends while they are read, they are read again; in a cluster for some seconds, until
    each process knows of the ends that others have noted.
    """
    deadline = time.monotonic() + 10 * AWS
    before, counts = None, view(http, batch)["counts"]
    while True:
        before, lines = counts, ledger(http, batch)
        counts = view(http, batch)["counts"]
        agree = {key: counts[key] for key in sums([])} == sums(lines.values())
        if counts == before and (agree or time.monotonic() > deadline):
            break
    assert agree, (counts, lines)
    return lines


def problem(response: httpx.Response, status: int, code: str) -> View:
    """Return the problem that a request was answered with; check which."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = dict(response.json())
    assert (found["status"], found["code"]) == (status, code)
    return found
