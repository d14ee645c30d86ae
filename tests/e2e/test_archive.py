"""Archives over HTTP: stored while they stream, member by member, and none answered that is not."""

import hashlib
import json
import threading
import time
import zipfile
from collections.abc import Iterator

import httpx
import pytest

from filmroll.model import original_key
from tests.e2e.archives import FILES, KINDS, told, totals
from tests.e2e.bulk import (
    SMALL,
    View,
    answers,
    check_sums,
    ledger,
    new_batch,
    photo,
    problem,
    put,
    seal,
    send_archive,
    sha256,
    view,
    wait_until_final,
)
from tests.e2e.service import Service
from tests.e2e.stored import Stored
from tests.samples import jpeg, tiny_jpeg
from tests.unit.archives.making import entry, tar, tar_of, zip_


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_is_stored_and_again_is_there(http: httpx.Client, kind: str) -> None:
    batch, body = new_batch(http), KINDS[kind](FILES)
    verdicts, end = send_archive(http, batch, body)
    assert [one["ref"] for one in verdicts] == list(FILES)
    assert set(told(verdicts).values()) == {"stored"}
    assert end == {"ref": None, "state": "end", **totals(stored=len(FILES))}
    lines = check_sums(http, batch)
    for verdict in verdicts:
        line, data = lines[verdict["ref"]], FILES[verdict["ref"]]
        assert (line["sha256"], line["bytes"], line["image"]) == (
            verdict["sha256"],
            verdict["bytes"],
            verdict["image"],
        )
        assert verdict["sha256"] == sha256(data)
    assert http.get(lines["dir 0/000.jpg"]["url"]).content == FILES["dir 0/000.jpg"]
    verdicts, end = send_archive(http, batch, body)
    assert end == {"ref": None, "state": "end", **totals(have=len(FILES))}
    assert [one["image"] for one in verdicts] == [lines[ref]["image"] for ref in FILES]
    assert view(http, batch)["counts"]["stored"] == len(FILES)


def test_large_and_small_members_come_in_their_order(http: httpx.Client) -> None:
    files = {f"{n}.jpg": tiny_jpeg(n, 5000) for n in range(20)}
    files["7.jpg"] = large = jpeg(64, 48) + bytes(3_000_000)
    files["19.jpg"] = jpeg(64, 48, seed=1) + bytes(1_200_000)
    batch = new_batch(http)
    for kind in ("tar", "zip"):
        verdicts, _ = send_archive(http, batch, KINDS[kind](files))
        assert [one["ref"] for one in verdicts] == list(files)
    assert http.get(ledger(http, batch)["7.jpg"]["url"]).content == large
    assert check_sums(http, batch).keys() == files.keys()


def test_what_is_no_image_costs_only_itself(http: httpx.Client) -> None:
    files = {f"{n}.jpg": tiny_jpeg(n) for n in range(600)}
    files["499.jpg"] = files["499.jpg"][:200]
    files["500.jpg"] = b"no picture at all"
    files["501.jpg"] = b""
    batch = new_batch(http, variants=[])
    verdicts, end = send_archive(http, batch, tar(files))
    assert end == {"ref": None, "state": "end", **totals(stored=597, rejected=3)}
    codes = {one["ref"]: one["problem"]["code"] for one in verdicts if "problem" in one}
    assert codes == {
        "499.jpg": "corrupt-image",
        "500.jpg": "unsupported-media",
        "501.jpg": "empty-body",
    }
    lines = check_sums(http, batch)
    assert {ref for ref, line in lines.items() if line["state"] == "failed"} == codes.keys()
    files |= {ref: tiny_jpeg(int(ref[:3]) + 1000) for ref in codes}
    verdicts, end = send_archive(http, batch, tar(files))
    assert end == {"ref": None, "state": "end", **totals(stored=3, have=597)}
    assert seal(http, batch)["state"] == "completed"


def test_a_damaged_member_of_a_zip_costs_only_itself(http: httpx.Client) -> None:
    files = {f"{n}.jpg": tiny_jpeg(n, 4000) for n in range(30)}
    body = bytearray(zip_(files, zipfile.ZIP_STORED))
    at = body.find(files["17.jpg"])
    body[at + 2000] ^= 0xFF
    batch = new_batch(http)
    verdicts, end = send_archive(http, batch, bytes(body))
    assert (end["state"], end["stored"], end["rejected"]) == ("end", 29, 1)
    (bad,) = [one for one in verdicts if one["state"] == "rejected"]
    assert (bad["ref"], bad["problem"]["code"]) == ("17.jpg", "corrupt-member")
    assert "17.jpg" not in check_sums(http, batch)


def test_what_nobody_meant_to_send_is_left_out(http: httpx.Client) -> None:
    body = tar_of(
        [
            entry("dir/", type=b"5"),
            entry("dir/good.jpg", photo("good")),
            entry("dir/link.jpg", type=b"2", linkname="good.jpg"),
            entry("dir/.DS_Store", b"x"),
            entry("__MACOSX/dir/._good.jpg", b"x"),
            entry("../../escape.jpg", photo("escape")),
            entry("/absolute.jpg", photo("absolute")),
            entry("x" * 1100 + ".jpg", photo("long")),
            entry("a\nb.jpg", photo("control")),
            entry("dir/../other.jpg", photo("dots")),
        ]
    )
    batch = new_batch(http)
    verdicts, end = send_archive(http, batch, body)
    assert end == {"ref": None, "state": "end", **totals(stored=1, skipped=4, rejected=5)}
    assert [one.get("reason") for one in verdicts if one["state"] == "skipped"] == [
        "directory",
        "symlink",
        "dotfile",
        "resource-fork",
    ]
    problems = [one["problem"] for one in verdicts if one["state"] == "rejected"]
    assert {one["code"] for one in problems} == {"refused-member"}
    assert check_sums(http, batch).keys() == {"dir/good.jpg"}


# ------------------------------------------------------------------------------------- sidecars


def said(**fields: object) -> bytes:
    return json.dumps(fields).encode()


ALL_SAID = said(name="Own", tags=["a", "b"], metadata={"by": "me"}, variants=["flip:axis=x"])


@pytest.mark.parametrize("first", ["image", "sidecar"])
def test_a_sidecar_says_what_belongs_to_its_image(http: httpx.Client, first: str) -> None:
    pair = {"dir/a.jpg": photo(f"{first}"), "dir/a.json": ALL_SAID}
    if first == "sidecar":
        pair = dict(reversed(pair.items()))
    files = {"before.jpg": photo("before"), **pair, "after.jpg": photo("after")}
    batch = new_batch(http, variants=[SMALL])
    verdicts, end = send_archive(http, batch, tar(files))
    assert end == {"ref": None, "state": "end", **totals(stored=3, skipped=1)}
    assert told(verdicts)["dir/a.json"] == "skipped"
    image = http.get(f"/v1/images/{ledger(http, batch)['dir/a.jpg']['image']}").json()
    assert (image["name"], image["tags"], image["metadata"]) == ("Own", ["a", "b"], {"by": "me"})
    assert [one["instructions"] for one in image["variants"]] == ["flip:axis=x"]
    other = http.get(f"/v1/images/{ledger(http, batch)['after.jpg']['image']}").json()
    assert (other["name"], other["tags"]) == ("after.jpg", [])


BAD_SIDECARS = {
    "no JSON": b"{",
    "no object": b"[]",
    "an unknown field": said(what=1),
    "a ref": said(ref="other"),
    "a wrong variant": said(variants=["resize:width=no"]),
    "a wrong tag": said(tags=[""]),
    "too much": said(metadata={"a": "x" * 20_000}),
    "far too much": said(metadata={"a": "x" * 70_000}),
    "very much": said(metadata={"a": "x" * 2_000_000}),
    "nothing": b"",
}


def test_an_image_whose_sidecar_is_wrong_is_rejected_alone(http: httpx.Client) -> None:
    files: dict[str, bytes] = {}
    for name, text in BAD_SIDECARS.items():
        files |= {f"{name}.jpg": photo(name), f"{name}.json": text, f"{name} good.jpg": photo("x")}
    batch = new_batch(http)
    verdicts, end = send_archive(http, batch, tar(files))
    assert end["state"] == "end", end
    found = told(verdicts)
    for name in BAD_SIDECARS:
        assert (found[f"{name}.jpg"], found[f"{name} good.jpg"]) == ("rejected", "stored"), name
    assert len(check_sums(http, batch)) == len(BAD_SIDECARS)


def test_a_sidecar_without_its_image_is_left_out(http: httpx.Client) -> None:
    files = {
        "a.json": ALL_SAID,
        "b.json": ALL_SAID,
        "c.jpg": photo("c"),
        "d.jpg": photo("d"),
        "c.json": ALL_SAID,
    }
    batch = new_batch(http)
    _, end = send_archive(http, batch, tar(files))
    assert end == {"ref": None, "state": "end", **totals(stored=2, skipped=3)}
    assert ledger(http, batch)["c.jpg"].get("tags") is None


def test_a_sidecar_that_is_too_large_to_hold_leaves_no_trace(
    http: httpx.Client, service: Service
) -> None:
    large = said(metadata={"a": "x" * 3_000_000})
    image = jpeg(64, 48) + bytes(2_000_000)
    files = {"a.json": large, "a.jpg": image, "b.json": large, "c.jpg": image}
    verdicts, _ = send_archive(http, new_batch(http), tar(files))
    assert told(verdicts) == {
        "a.jpg": "rejected",
        "a.json": "skipped",
        "b.json": "skipped",
        "c.jpg": "stored",
    }
    assert not list((service.data / "spool").glob("spool-*"))


# ------------------------------------------------------------------------------ several, closed


def test_a_name_that_comes_twice_is_one_item(http: httpx.Client) -> None:
    first, other = photo("first"), photo("other")
    body = tar_of([entry("a.jpg", first), entry("a.jpg", first), entry("a.jpg", other)])
    batch = new_batch(http)
    verdicts, end = send_archive(http, batch, body)
    assert [one["state"] for one in verdicts] == ["stored", "have", "rejected"]
    assert verdicts[2]["problem"]["code"] == "conflict"
    assert check_sums(http, batch)["a.jpg"]["sha256"] == sha256(first)
    assert (end["stored"], end["have"], end["rejected"]) == (1, 1, 1)
    image = ledger(http, batch)["a.jpg"]
    assert http.get(image["url"]).content == first


def test_bytes_that_come_twice_are_one_image_where_they_are_reused(http: httpx.Client) -> None:
    same = photo(f"twice {time.time()}")
    files = {f"{n}.jpg": same for n in range(5)}
    batch = new_batch(http, on_duplicate="reuse", variants=[SMALL])
    verdicts, end = send_archive(http, batch, tar(files))
    assert end == {"ref": None, "state": "end", **totals(stored=1, have=4)}
    assert len({one["image"] for one in verdicts}) == 1
    seal(http, batch)
    assert wait_until_final(http, batch)["state"] == "completed"
    counts = view(http, batch)["counts"]
    assert (counts["stored"], counts["duplicate"], counts["received"]) == (1, 4, 5)
    check_sums(http, batch)


def test_several_archives_into_one_batch_at_once(service: Service, http: httpx.Client) -> None:
    batch = new_batch(http)
    parts = [dict(list(FILES.items())[start : start + 60]) for start in range(0, 150, 30)]
    ends: list[View] = []

    def send(files: dict[str, bytes]) -> None:
        with service.client() as own:
            ends.append(send_archive(own, batch, tar(files))[1])

    clients = [threading.Thread(target=send, args=[files]) for files in parts]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert sum(end["stored"] for end in ends) == len(FILES)
    assert sum(end["have"] for end in ends) == sum(map(len, parts)) - len(FILES)
    lines = check_sums(http, batch)
    assert {ref: line["sha256"] for ref, line in lines.items()} == {
        ref: sha256(data) for ref, data in FILES.items()
    }
    images = {line["image"] for line in lines.values()}
    assert len(images) == len(FILES)


def test_a_closed_batch_says_what_it_has_and_takes_nothing(http: httpx.Client) -> None:
    batch, body = new_batch(http), photo("a")
    put(http, batch, "a.jpg", body)
    sealed = seal(http, batch)
    archive = tar({"a.jpg": body, "b.jpg": photo("b"), "c.jpg": b"no picture"})
    verdicts, end = send_archive(http, batch, archive)
    assert told(verdicts) == {"a.jpg": "have", "b.jpg": "rejected", "c.jpg": "rejected"}
    assert {one["problem"]["code"] for one in verdicts[1:]} == {"conflict"}
    assert end["state"] == "end"
    assert view(http, batch) == sealed


def test_an_archive_into_a_batch_that_is_sealed_meanwhile(
    service: Service, http: httpx.Client
) -> None:
    batch, body = new_batch(http), tar(FILES)

    def slowly() -> Iterator[bytes]:
        for number, at in enumerate(range(0, len(body), len(body) // 20)):
            if number == 10:
                time.sleep(1)  # what was taken is on its way to the disk after half a second
                with service.client() as own:
                    seal(own, batch)
            yield body[at : at + len(body) // 20]

    verdicts, end = send_archive(http, batch, slowly())
    lines = check_sums(http, batch)
    stored = {ref for ref, state in told(verdicts).items() if state == "stored"}
    assert stored == lines.keys()
    assert (end["stored"], end["rejected"]) == (len(stored), len(FILES) - len(stored))
    assert 0 < len(stored) < len(FILES)


def test_variants_of_what_an_archive_brings_are_made(http: httpx.Client) -> None:
    batch = new_batch(http, variants=[SMALL])
    files = {f"{n}.jpg": photo(n) for n in range(40)}
    _, end = send_archive(http, batch, tar(files))
    assert end["stored"] == 40
    seal(http, batch, expected_count=40)
    assert wait_until_final(http, batch)["state"] == "completed"
    for line in check_sums(http, batch).values():
        image = http.get(f"/v1/images/{line['image']}").json()
        assert [one["state"] for one in image["variants"]] == ["ready"]


def test_the_bytes_in_the_store_are_those_of_the_ledger(
    http: httpx.Client, service: Service
) -> None:
    batch = new_batch(http)
    answers(http.post(f"/v1/batches/{batch}/archive", content=tar(FILES)))
    stored = Stored(service.data)
    for line in ledger(http, batch).values():
        kept = stored.read(original_key(line["image"]))
        assert hashlib.sha256(kept).hexdigest() == line["sha256"]


def test_a_packed_archive_is_known_by_its_bytes(http: httpx.Client) -> None:
    for kind in ("image/jpeg", "application/zip", "text/plain"):
        batch = new_batch(http)
        answer = http.post(
            f"/v1/batches/{batch}/archive",
            content=KINDS["tar.gz"]({"a.jpg": photo("a")}),
            headers={"Content-Type": kind},
        )
        assert answers(answer)[-1]["stored"] == 1
    problem(http.post(f"/v1/batches/{batch}/archive?what=x", content=b""), 422, "invalid-request")
