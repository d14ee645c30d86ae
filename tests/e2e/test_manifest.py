"""Manifests over HTTP: what is there, what is missing, what is wrong; in flat memory."""

import gzip
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.bulk import (
    NDJSON,
    SMALL,
    View,
    answers,
    check_sums,
    declare,
    item_path,
    ledger,
    manifest,
    new_batch,
    photo,
    problem,
    put,
    seal,
    sha256,
    view,
    wait_until_final,
)
from tests.e2e.service import Service

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def states(verdicts: list[View]) -> list[str]:
    return [one["state"] for one in verdicts]


def test_what_is_missing_is_needed_then_there(http: httpx.Client) -> None:
    batch = new_batch(http, variants=[SMALL])
    bodies = {ref: photo(ref) for ref in ("a/1.jpg", "ü 2.jpg", "3.jpg")}
    items = [
        {"ref": ref, "sha256": sha256(body), "bytes": len(body), "tags": [ref], "name": f"N {ref}"}
        for ref, body in bodies.items()
    ]
    first = declare(http, batch, *items)
    assert states(first) == ["need"] * 3
    assert view(http, batch)["counts"]["declared"] == 3
    for verdict in first:
        upload = verdict["upload"]
        assert (upload["method"], upload["headers"]) == ("PUT", {})
        assert upload["url"] == f"{http.base_url}{item_path(batch, verdict['ref'])}".replace(
            "//v1", "/v1"
        )
        assert http.put(upload["url"], content=bodies[verdict["ref"]]).status_code == 201
    again = declare(http, batch, *items)
    assert states(again) == ["have"] * 3
    lines = check_sums(http, batch)
    assert [one["image"] for one in again] == [lines[ref]["image"] for ref in bodies]
    image = http.get(f"/v1/images/{lines['3.jpg']['image']}").json()
    assert (image["name"], image["tags"]) == ("N 3.jpg", ["3.jpg"])


def test_bytes_that_are_not_those_declared_are_refused(http: httpx.Client) -> None:
    batch = new_batch(http)
    declare(http, batch, {"ref": "a", "sha256": sha256(photo("declared"))})
    found = problem(put(http, batch, "a", photo("others")), 409, "conflict")
    assert found["expected"] == sha256(photo("declared"))
    assert ledger(http, batch)["a"]["state"] == "declared"
    assert put(http, batch, "a", photo("declared")).status_code == 201
    other = {"ref": "a", "sha256": sha256(photo("others"))}
    (verdict,) = declare(http, batch, other)
    assert (verdict["state"], verdict["problem"]["code"]) == ("rejected", "conflict")


def test_what_the_manifest_says_holds_unless_the_upload_says_otherwise(http: httpx.Client) -> None:
    batch = new_batch(http)
    said = {"tags": ["m"], "metadata": {"from": "manifest"}, "variants": ["flip:axis=x"]}
    declare(http, batch, {"ref": "a", **said}, {"ref": "b", **said})
    put(http, batch, "a", photo("a"))
    put(http, batch, "b", photo("b"), params={"tag": "own", "variant": "flip:axis=y"})
    images = [http.get(f"/v1/images/{ledger(http, batch)[ref]['image']}").json() for ref in "ab"]
    assert [image["tags"] for image in images] == [["m"], ["own"]]
    assert [image["metadata"] for image in images] == [{"from": "manifest"}] * 2
    made = [[one["instructions"] for one in image["variants"]] for image in images]
    assert made == [["flip:axis=x"], ["flip:axis=y"]]


BROKEN = [
    (b"{", "malformed-request"),
    (b"\xff\xfe", "malformed-request"),
    (b"[]", "invalid-request"),
    (b"null", "invalid-request"),
    (b"{}", "invalid-request"),
    (b'{"ref": 7}', "invalid-request"),
    (b'{"ref": "a", "what": 1}', "invalid-request"),
    (b'{"ref": "a", "sha256": "xyz"}', "invalid-request"),
    (b'{"ref": "a", "bytes": -1}', "invalid-request"),
    (b'{"ref": "a", "bytes": 1.5}', "invalid-request"),
    (b'{"ref": "a", "tags": "t"}', "invalid-request"),
    (b'{"ref": "a", "source": "what"}', "invalid-request"),
    (b'{"ref": "a", "source": {"url": 7}}', "invalid-request"),
    (b'{"ref": "\\ud800"}', "malformed-request"),
    (b'{"ref": "a", "metadata": ' + b"[" * 5000 + b"]" * 5000 + b"}", None),
    (b'{"ref": "a", "metadata": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}", None),
]
WRONG = [
    {"ref": ""},
    {"ref": "x" * 1025},
    {"ref": "a\nb"},
    {"ref": "a", "variants": ["resize:width=none"]},
    {"ref": "a", "variants": ["no-such-preset"]},
    {"ref": "a", "variants": [[{"op": "what"}]]},
    {"ref": "a", "tags": ["x" * 101]},
    {"ref": "a", "tags": [f"{n}" for n in range(51)]},
    {"ref": "a", "name": "a\nb"},
    {"ref": "a", "metadata": {"a": "x" * 17_000}},
    {"ref": "a", "source": {"url": "ftp://example.org/a.jpg"}},
    {"ref": "a", "source": {"url": "file:///etc/passwd"}},
    {"ref": "a", "source": {"url": "http://"}},
    {"ref": "a", "source": {"url": "http://[::1"}},
    {"ref": "a", "source": {"url": "import/a.jpg"}},
    {"ref": "a", "source": {"blob": "o/ab/abc"}},
    {"ref": "a", "source": {"blob": "import/../o/ab/abc"}},
    {"ref": "a", "source": {"blob": "http://example.org/a.jpg"}},
]


def test_a_line_that_is_none_costs_only_itself(http: httpx.Client) -> None:
    batch = new_batch(http)
    good = [json.dumps({"ref": f"good {n}"}).encode() for n in range(len(BROKEN))]
    body = b"".join(fine + b"\n" + bad + b"\n" for fine, (bad, _) in zip(good, BROKEN, strict=True))
    verdicts = answers(manifest(http, batch, body))
    assert states(verdicts[::2]) == ["need"] * len(good)
    for at, (verdict, (_, code)) in enumerate(zip(verdicts[1::2], BROKEN, strict=True)):
        ref = "a" if code and b'"ref": "a"' in BROKEN[at][0] else None
        assert (verdict["ref"], verdict["line"], verdict["state"]) == (ref, 2 * at + 2, "rejected")
        assert code is None or verdict["problem"]["code"] == code, BROKEN[at]
    assert view(http, batch)["counts"]["declared"] == len(good)


@pytest.mark.parametrize("item", WRONG, ids=lambda item: str(list(item.items())[-1])[:40])
def test_an_item_out_of_form_is_rejected(http: httpx.Client, item: View) -> None:
    batch = new_batch(http)
    verdict, other = declare(http, batch, item, {"ref": "other"})
    assert (verdict["state"], other["state"]) == ("rejected", "need"), verdict
    assert verdict["problem"]["code"] in {
        "invalid-request",
        "invalid-instructions",
        "unknown-preset",
    }
    assert ledger(http, batch).keys() == {"other"}


def test_lines_are_numbered_as_they_were_sent(http: httpx.Client) -> None:
    body = b'\n\n{"ref": "a"}\r\n\n{\n   \n{'
    verdicts = answers(manifest(http, new_batch(http), body))
    assert [(one["state"], one.get("line")) for one in verdicts] == [
        ("need", None),
        ("rejected", 5),
        ("rejected", 7),
    ]


def test_a_line_that_is_too_long_is_told_of(http: httpx.Client) -> None:
    """What came before it is answered; where the next line begins is known, so it goes on."""
    batch = new_batch(http)
    for size in (70_000, 3_000_000):
        long = json.dumps({"ref": "long", "metadata": {"a": "x" * size}}).encode()
        body = b'{"ref": "a"}\n' + long + b'\n{"ref": "b"}\n'
        verdicts = answers(manifest(http, batch, body))
        assert states(verdicts) == ["need", "rejected", "need"]
        assert (verdicts[1]["line"], verdicts[1]["problem"]["code"]) == (2, "too-large")
    assert ledger(http, batch).keys() == {"a", "b"}


def test_a_line_of_just_64_kib_is_taken(http: httpx.Client) -> None:
    line = json.dumps({"ref": "a"}).encode().ljust(64 << 10)
    assert states(answers(manifest(http, new_batch(http), line + b"\n" + line))) == ["need"] * 2


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "zstd", "identity", "GZIP"])
def test_a_manifest_may_be_packed(http: httpx.Client, encoding: str) -> None:
    body = b"".join(json.dumps({"ref": f"{n}"}).encode() + b"\n" for n in range(3000))
    pack = {"zstd": zstd.compress, "identity": bytes}.get(encoding, gzip.compress)
    headers = NDJSON | {"Content-Encoding": encoding}
    verdicts = answers(manifest(http, new_batch(http), pack(body), headers))
    assert [one["ref"] for one in verdicts] == [f"{n}" for n in range(3000)]
    assert set(states(verdicts)) == {"need"}


def test_what_cannot_be_unpacked_is_refused(http: httpx.Client) -> None:
    batch, body = new_batch(http), gzip.compress(b'{"ref": "a"}\n' * 10)
    unknown = manifest(http, batch, body, NDJSON | {"Content-Encoding": "br"})
    problem(unknown, 415, "unsupported-media")
    packed = NDJSON | {"Content-Encoding": "gzip"}
    assert manifest(http, batch, b'{"ref": "a"}\n', packed).status_code == 422
    assert manifest(http, batch, gzip.compress(bytes(200 << 20)), packed).status_code in {413, 422}
    assert http.get("/healthz").status_code == 200


def test_a_manifest_that_breaks_off_says_so(http: httpx.Client) -> None:
    """As an archive does: all that was answered is true, and the last line tells why it ends."""
    batch = new_batch(http)
    items = ({"ref": f"{n}", "sha256": sha256(b"%d" % n)} for n in range(8_000))
    lines = b"".join(json.dumps(item).encode() + b"\n" for item in items)
    packed = gzip.compress(lines)
    damaged = packed[: len(packed) // 2] + b"damaged" * 10 + packed[len(packed) // 2 :]
    for body in (packed[: len(packed) // 2], damaged):
        answer = manifest(http, batch, body, NDJSON | {"Content-Encoding": "gzip"})
        *verdicts, end = answers(answer)
        assert (end["ref"], end["state"]) == (None, "broken")
        assert end["problem"]["status"] == 422
        needed = {one["ref"] for one in verdicts if one["state"] == "need"}
        assert len(needed) > 1000
        assert needed <= ledger(http, batch).keys()


@pytest.mark.parametrize("kind", [None, "application/json", "text/plain"])
def test_a_manifest_has_a_content_type(http: httpx.Client, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = manifest(http, new_batch(http), b'{"ref": "a"}\n', headers)
    problem(answer, 415, "unsupported-media")
    answer = manifest(http, new_batch(http), b"", NDJSON)
    assert (answer.status_code, answer.content) == (200, b"")
    query = http.post(f"/v1/batches/{new_batch(http)}/items?what=x", content=b"", headers=NDJSON)
    problem(query, 422, "invalid-request")


def test_bytes_that_are_kept_need_not_be_sent(http: httpx.Client) -> None:
    body = photo(f"kept {time.time()}")
    kept = put(http, new_batch(http), "first", body).json()["image"]
    item = {"ref": "a", "sha256": sha256(body)}
    reuse = new_batch(http, on_duplicate="reuse", variants=[SMALL])
    verdict, unknown, other = declare(
        http, reuse, item, {"ref": "b"}, {"ref": "c", "sha256": sha256(b"never seen")}
    )
    assert (verdict["state"], verdict["image"]) == ("have", kept)
    assert (unknown["state"], other["state"]) == ("need", "need")
    assert states(declare(http, reuse, item)) == ["have"]
    seal(http, reuse)
    wait_until_final(http, reuse)
    lines = check_sums(http, reuse)
    assert (lines["a"]["state"], lines["a"]["duplicate"]) == ("succeeded", True)
    counts = view(http, reuse)["counts"]
    assert (counts["duplicate"], counts["received"], counts["bytes"]) == (1, 0, len(body))
    image = http.get(f"/v1/images/{kept}").json()
    assert [one["state"] for one in image["variants"]] == ["ready"]
    reject = new_batch(http, on_duplicate="reject")
    for _ in range(2):
        (verdict,) = declare(http, reject, item)
        assert (verdict["state"], verdict["problem"]["code"]) == ("rejected", "duplicate")
        assert verdict["problem"]["image"] == kept
    assert seal(http, reject)["counts"]["failed"] == 1
    (verdict,) = declare(http, new_batch(http), item)
    assert verdict["state"] == "need"


def test_an_image_that_was_deleted_is_not_reused(http: httpx.Client) -> None:
    body = photo(f"deleted {time.time()}")
    kept = put(http, new_batch(http), "first", body).json()["image"]
    batch = new_batch(http, on_duplicate="reuse")
    http.delete(f"/v1/images/{kept}")
    assert states(declare(http, batch, {"ref": "a", "sha256": sha256(body)})) == ["need"]
    assert put(http, batch, "a", body).status_code == 201


def test_a_sealed_batch_still_says_what_is_there(http: httpx.Client) -> None:
    batch, body = new_batch(http), photo("sealed manifest")
    item = {"ref": "a", "sha256": sha256(body)}
    declare(http, batch, item, {"ref": "never"})
    put(http, batch, "a", body)
    before = seal(http, batch)
    verdicts = declare(http, batch, item, {"ref": "never"}, {"ref": "new"})
    assert states(verdicts) == ["have", "rejected", "rejected"]
    assert [one["problem"]["code"] for one in verdicts[1:]] == ["conflict"] * 2
    assert view(http, batch) == before


def test_a_manifest_into_a_batch_that_is_sealed_meanwhile(service: Service) -> None:
    """What is answered as needed is in the ledger, and nothing is after the seal."""
    with service.client() as http, service.client() as other:
        batch = new_batch(http)

        def body() -> Iterator[bytes]:
            for number in range(40):
                if number == 20:
                    time.sleep(1)  # what was sent may be held on its way
                    seal(other, batch)
                yield b"".join(
                    json.dumps({"ref": f"{number} {n}"}).encode() + b"\n" for n in range(100)
                )

        verdicts = answers(manifest(http, batch, body()))
        lines = check_sums(http, batch)
        assert {one["ref"] for one in verdicts if one["state"] == "need"} == lines.keys()
        assert {line["state"] for line in lines.values()} == {"failed"}
        assert len(lines) < 4000 == len(verdicts)
        assert view(http, batch)["state"] == "completed_with_errors"


def test_results_go_back_into_a_manifest_as_they_are(http: httpx.Client) -> None:
    source = new_batch(http, variants=[SMALL])
    declare(http, source, {"ref": "never", "tags": ["t"], "bytes": 7, "metadata": {"a": [1]}})
    declare(http, source, {"ref": "imported", "source": {"blob": "import/none.jpg"}})
    put(http, source, "good", photo("good"), params={"tag": "x", "variant": "flip:axis=x"})
    put(http, source, "bad", b"no picture")
    seal(http, source)
    wait_until_final(http, source)
    target = new_batch(http)
    results = http.get(f"/v1/batches/{source}/results").content
    verdicts = answers(manifest(http, target, results))
    assert [one["ref"] for one in verdicts] == ["never", "imported", "good", "bad"]
    assert states(verdicts) == ["need", "queued", "need", "need"]
    line = ledger(http, target)["never"]
    assert (line["tags"], line["metadata"], line["bytes"]) == (["t"], {"a": [1]}, 7)
    assert put(http, target, "bad", photo("other than it was")).status_code in {201, 409}


def test_failed_lines_go_back_into_their_own_batch(http: httpx.Client) -> None:
    batch = new_batch(http)
    put(http, batch, "bad", b"no picture")
    failed = http.get(f"/v1/batches/{batch}/results?state=failed").content
    assert states(answers(manifest(http, batch, failed))) == ["need"]
    assert put(http, batch, "bad", b"no picture").status_code == 415
    check_sums(http, batch)


def test_the_same_ref_over_and_over_is_one_line(http: httpx.Client) -> None:
    batch = new_batch(http)
    verdicts = declare(http, batch, *[{"ref": "a"}] * 1200)
    assert states(verdicts) == ["need"] * 1200
    assert view(http, batch)["counts"]["declared"] == 1


def test_several_manifests_at_once_make_one_ledger(service: Service, http: httpx.Client) -> None:
    batch = new_batch(http)

    def send() -> None:
        with service.client() as own:
            verdicts = declare(own, batch, *({"ref": f"{n}"} for n in range(2000)))
            assert states(verdicts) == ["need"] * 2000

    clients = [threading.Thread(target=send) for _ in range(6)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len(check_sums(http, batch)) == 2000


LONG = 100_000


def resident(pid: int) -> int:
    """Return the memory that a process has in use, in MiB."""
    (line,) = [
        one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in one
    ]
    return int(line.split()[1]) >> 10


@pytest.mark.slow
def test_a_long_manifest_takes_flat_memory(data: Path) -> None:
    with Service(data) as service, service.client() as http:
        batch, most = new_batch(http), 0
        before = resident(service.process.pid)

        def body() -> Iterator[bytes]:
            nonlocal most
            for start in range(0, LONG, 2000):
                most = max(most, resident(service.process.pid))
                yield b"".join(
                    b'{"ref": "folder/%07d.jpg", "sha256": "%064x", "bytes": 4096}\n' % (n, n)
                    for n in range(start, start + 2000)
                )

        began = time.monotonic()
        with http.stream(
            "POST", f"/v1/batches/{batch}/items", content=body(), headers=NDJSON
        ) as response:
            answered = sum(chunk.count(b"\n") for chunk in response.iter_bytes())
        seconds = time.monotonic() - began
        assert answered == LONG
        assert view(http, batch)["counts"]["declared"] == LONG
        with http.stream("GET", f"/v1/batches/{batch}/results") as response:
            read = sum(chunk.count(b"\n") for chunk in response.iter_bytes())
        most = max(most, resident(service.process.pid))
        assert read == LONG
        assert most - before < 100, f"{before} MiB before, {most} MiB then"
        print(f"{LONG / seconds:.0f} lines a second; {before} MiB before, {most} MiB at most")
