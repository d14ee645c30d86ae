"""Archives that end early, are none, or whose sender never reads: what came whole is kept."""

import gzip
import random
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.archives import FILES, KINDS, ndjson_lines, read_all, told, totals
from tests.e2e.bulk import check_sums, new_batch, photo, send_archive, sha256, view
from tests.e2e.raw import connected, head
from tests.e2e.service import Service
from tests.samples import jpeg, tiny_jpeg
from tests.unit.archives.making import tar


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_of_an_archive_that_ends_early_all_that_came_whole_is_kept(
    http: httpx.Client, kind: str
) -> None:
    body, chance = KINDS[kind](FILES), random.Random(kind)
    batch, kept = new_batch(http), 0
    for cut in sorted(chance.randrange(len(body) // 20, len(body) - 2000) for _ in range(4)):
        verdicts, end = send_archive(http, batch, body[:cut])
        assert (end["ref"], end["state"], end["problem"]["code"]) == (
            None,
            "broken",
            "broken-archive",
        )
        assert end["have"] == kept, "what was stored before is sent in vain only once"
        lines = check_sums(http, batch)
        assert list(told(verdicts)) == list(FILES)[: len(verdicts)]
        assert told(verdicts).keys() == lines.keys()
        kept = len(lines)
    verdicts, end = send_archive(http, batch, body)
    assert end == {"ref": None, "state": "end", **totals(have=kept, stored=len(FILES) - kept)}
    assert 0 < kept < len(FILES)


def test_of_a_connection_that_is_cut_all_that_came_is_kept(
    service: Service, http: httpx.Client
) -> None:
    body, chance = tar(FILES), random.Random(3)
    batch = new_batch(http)
    for _ in range(3):
        cut = chance.randrange(len(body) // 3, len(body))
        with connected(service) as connection:
            path = f"/v1/batches/{batch}/archive"
            connection.sendall(head("POST", path, Content_Length=len(body)) + body[:cut])
            time.sleep(0.3)
            connection.shutdown(socket.SHUT_WR)
            answered = read_all(connection)
        lines = check_sums(http, batch)
        # A balancer may end it by an answer of its own, which names no item.
        refs = [one["ref"] for one in ndjson_lines(answered) if one.get("ref")]
        assert set(refs) <= lines.keys()
    _, end = send_archive(http, batch, body)
    assert (end["state"], end["have"] + end["stored"]) == ("end", len(FILES))
    assert end["have"] > 0
    for ref, line in check_sums(http, batch).items():
        assert line["sha256"] == sha256(FILES[ref])


NO_ARCHIVES = {
    "nothing": b"",
    "text": b"no archive at all, said the name of the file\n" * 100,
    "a picture": jpeg(64, 48),
    "packed text": gzip.compress(b"text" * 1000),
    "an empty packed": gzip.compress(b""),
    "a damaged packed": gzip.compress(tar(FILES))[:40],
}


@pytest.mark.parametrize("name", NO_ARCHIVES)
def test_what_is_no_archive_is_refused(http: httpx.Client, name: str) -> None:
    batch = new_batch(http)
    answer = http.post(f"/v1/batches/{batch}/archive", content=NO_ARCHIVES[name])
    assert answer.status_code in {415, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert view(http, batch)["counts"]["declared"] == 0


@pytest.mark.parametrize("kind", ["tar", "zip", "tar.gz"])
def test_an_empty_archive_holds_nothing(http: httpx.Client, kind: str) -> None:
    verdicts, end = send_archive(http, new_batch(http), KINDS[kind]({}))
    assert (verdicts, end) == ([], {"ref": None, "state": "end", **totals()})


def test_a_member_that_is_too_large_costs_only_itself(data: Path) -> None:
    with Service(data, FILMROLL_MAX_UPLOAD_BYTES="2000000") as service, service.client() as http:
        large = jpeg(64, 48) + bytes(2_000_000)
        files = {"a.jpg": photo("a"), "large.jpg": large, "b.jpg": photo("b")}
        for kind in ("tar", "zip", "zip into a pipe"):
            batch = new_batch(http)
            verdicts, end = send_archive(http, batch, KINDS[kind](files))
            assert (end["state"], end["stored"], end["rejected"]) == ("end", 2, 1)
            (bad,) = [one for one in verdicts if one["state"] == "rejected"]
            assert (bad["ref"], bad["problem"]["code"]) == ("large.jpg", "too-large")
        assert not list((data / "spool").glob("*"))


def test_a_client_that_never_reads_its_verdicts(service: Service, http: httpx.Client) -> None:
    """The answer is larger than all buffers on the way, and the body read to its end."""
    batch = new_batch(http)
    names = [f"{'x' * 200}/{'y' * 200}/{n}.jpg" for n in range(1500)]
    body = tar({name: tiny_jpeg(n, 2500) for n, name in enumerate(names)})
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(
            head("POST", f"/v1/batches/{batch}/archive", Content_Length=len(body)) + body
        )
        deadline = time.monotonic() + 30
        while view(http, batch)["counts"]["stored"] < len(names):
            assert time.monotonic() < deadline, view(http, batch)["counts"]
            time.sleep(0.1)
        answered = read_all(connection)
    assert len([one for one in ndjson_lines(answered) if one.get("state") == "stored"]) > 1000
    assert check_sums(http, batch).keys() == set(names)
