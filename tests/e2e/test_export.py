"""Whole batches on their way out, as zip and as tar."""

import hashlib
import io
import json
import tarfile
import time
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import pyvips

from filmroll.model import SigningKey
from filmroll.signing import signed
from tests.e2e.service import Service
from tests.e2e.test_access import bearer, make_key, make_signing_key
from tests.samples import jpeg, png, tiny_jpeg
from tests.unit.archives.making import tar

KINDS = ("zip", "tar")
SMALL = "resize:width=40/output:format=webp"
FAILURES = "filmroll-failures.ndjson"
LARGE_BYTES = 400_000  # more than is read at once


def new_batch(http: httpx.Client, files: Mapping[str, bytes] | None = None, **fields) -> str:
    answer = http.post("/v1/batches", json=fields)
    assert answer.status_code == 201, answer.text
    batch = answer.json()["id"]
    if files:
        answer = http.post(f"/v1/batches/{batch}/archive", content=tar(files))
        end = json.loads(answer.text.splitlines()[-1])
        assert (end["state"], end["stored"]) == ("end", len(files)), answer.text[-2000:]
    return batch


def put(http: httpx.Client, batch: str, ref: str, body: bytes) -> dict:
    answer = http.put(f"/v1/batches/{batch}/items/{quote(ref, safe='')}", content=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def results(http: httpx.Client, batch: str) -> list[dict]:
    answer = http.get(f"/v1/batches/{batch}/results")
    return [json.loads(line) for line in answer.text.splitlines()]


def unpacked(kind: str, data: bytes) -> dict[str, bytes]:
    """Return the files of an archive in its order; both readers complain of what is no whole."""
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}
    assert data.endswith(bytes(1024))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def export(http: httpx.Client, batch: str, kind: str = "zip", **query: str) -> dict[str, bytes]:
    answer = http.get(f"/i/batches/{batch}.{kind}", params=query)
    assert answer.status_code == 200, answer.text
    return unpacked(kind, answer.content)


def large_jpeg(seed: int, size: int = LARGE_BYTES) -> bytes:
    """Return a JPEG of many comments, which no other seed gives."""
    body, comment = tiny_jpeg(seed), b"\xff\xfe\x60\x00".ljust(2 + 0x6000)
    return body[:2] + comment * (size // len(comment)) + body[2:]


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"


# --------------------------------------------------------------------------------- what comes out


def test_thousands_of_items_come_back_as_they_went(http: httpx.Client) -> None:
    files = {f"album {number % 9}/größe {number}.jpg": tiny_jpeg(number) for number in range(3000)}
    files["large.jpg"] = large_jpeg(1)
    batch = new_batch(http, files)
    ledger = results(http, batch)
    for kind in KINDS:
        found = export(http, batch, kind)
        assert list(found) == [line["ref"] for line in ledger]
        sums = [hashlib.sha256(data).hexdigest() for data in found.values()]
        assert sums == [line["sha256"] for line in ledger]


def test_files_are_as_old_as_their_images(http: httpx.Client) -> None:
    batch = new_batch(http, {"a.jpg": tiny_jpeg(1)})
    (line,) = results(http, batch)
    text = http.get(f"/v1/images/{line['image']}").json()["created_at"]
    created = datetime.fromisoformat(text)
    answer = http.get(f"/i/batches/{batch}.tar", params={"variant": SMALL})
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        assert archive.getmember("a.webp").mtime == int(created.timestamp())
    answer = http.get(f"/i/batches/{batch}.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        even = created.replace(second=created.second // 2 * 2)
        assert archive.getinfo("a.jpg").date_time == even.timetuple()[:6]


def test_the_headers(http: httpx.Client) -> None:
    named = new_batch(http, {"a.jpg": tiny_jpeg(1)}, name='Größe / "2"')
    nameless = new_batch(http)
    for kind, content_type in (("zip", "application/zip"), ("tar", "application/x-tar")):
        answer = http.get(f"/i/batches/{named}.{kind}")
        assert answer.headers["content-type"] == content_type
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["accept-ranges"] == "none"
        assert answer.headers["x-content-type-options"] == "nosniff"
        disposition = answer.headers["content-disposition"]
        assert disposition.endswith(f"filename*=UTF-8''Gr%C3%B6%C3%9Fe%20_%20_2_.{kind}")
        bare = http.head(f"/i/batches/{named}.{kind}")
        assert (bare.status_code, bare.content) == (200, b"")
        assert bare.headers["content-disposition"] == disposition
        plain = http.get(f"/i/batches/{nameless}.{kind}").headers["content-disposition"]
        assert f'filename="{nameless}.{kind}"' in plain


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch_is_an_empty_archive(http: httpx.Client, kind: str) -> None:
    assert export(http, new_batch(http), kind) == {}
    assert export(http, new_batch(http), kind, variant=SMALL) == {}


def test_what_has_an_image_is_there_and_nothing_else(http: httpx.Client) -> None:
    kept, gone, shared = (tiny_jpeg(seed) for seed in (90_001, 90_002, 90_003))
    batch = new_batch(http, {"kept.jpg": kept}, on_duplicate="reuse")
    deleted = put(http, batch, "gone.jpg", gone)
    other = http.post("/v1/images", content=shared).json()
    line = json.dumps({"ref": "declared.jpg", "sha256": "0" * 64})
    twin = json.dumps({"ref": "twin.jpg", "sha256": other["sha256"]})
    ndjson = {"Content-Type": "application/x-ndjson"}
    answer = http.post(f"/v1/batches/{batch}/items", content=f"{line}\n{twin}", headers=ndjson)
    assert [json.loads(each)["state"] for each in answer.text.splitlines()] == ["need", "have"]
    refuse = http.put(f"/v1/batches/{batch}/items/text.jpg", content=b"no picture")
    assert refuse.status_code == 415
    assert http.delete(f"/v1/images/{deleted['image']}").status_code == 204
    for _ in ("open", "sealed"):
        assert export(http, batch) == {"kept.jpg": kept, "twin.jpg": shared}
        assert http.post(f"/v1/batches/{batch}/seal").status_code == 200


def test_names_lead_nowhere_and_are_unique(http: httpx.Client) -> None:
    batch = new_batch(http)
    refs = ["../../x.jpg", "/x.jpg", "x.jpg", "C:\\dir\\x.jpg", FAILURES, "../"]
    for number, ref in enumerate(refs):
        put(http, batch, ref, tiny_jpeg(number))
    expected = ["x.jpg", "x (2).jpg", "x (3).jpg", "C_/dir/x.jpg"]
    expected += ["filmroll-failures (2).ndjson", "unnamed"]
    for kind in KINDS:
        found = export(http, batch, kind)
        assert found == {name: tiny_jpeg(number) for number, name in enumerate(expected)}


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_can_be_sent_to_another_batch(http: httpx.Client, kind: str) -> None:
    files = {f"dir/{number}.jpg": tiny_jpeg(number) for number in range(50)}
    data = http.get(f"/i/batches/{new_batch(http, files)}.{kind}").content
    batch = new_batch(http)
    http.post(f"/v1/batches/{batch}/archive", content=data)
    assert export(http, batch) == files


# --------------------------------------------------------------------------------------- variants


def test_variants_are_made_and_kept(http: httpx.Client) -> None:
    names = ["b.jpg", "a.jpg", "a.png", "no extension"]
    batch = new_batch(http, {name: jpeg(200, 150, seed=at) for at, name in enumerate(names)})
    found = export(http, batch, variant=SMALL)
    assert list(found) == ["b.webp", "a.webp", "a (2).webp", "no extension.webp"]
    for line, data in zip(results(http, batch), found.values(), strict=True):
        assert pyvips.Image.new_from_buffer(data, "").width == 40
        assert http.get(f"/i/{line['image']}/{SMALL}").content == data
        kept = http.get(f"/v1/images/{line['image']}").json()["variants"]
        assert [one["instructions"] for one in kept] == [SMALL]
    assert export(http, batch, "tar", variant=SMALL) == found


def test_a_preset(http: httpx.Client) -> None:
    http.put("/v1/presets/of-a-batch", json={"instructions": "resize:width=33"})
    batch = new_batch(http, {"a.jpg": jpeg(200, 150)})
    (data,) = export(http, batch, variant="of-a-batch").values()
    assert pyvips.Image.new_from_buffer(data, "").width == 33


def test_what_cannot_be_made_is_left_out_and_told(http: httpx.Client) -> None:
    broken = bytearray(png(200, 200, seed=5))
    broken[len(broken) // 2 : len(broken) // 2 + 64] = bytes(64)  # the walk sees no pixels
    good = jpeg(200, 150)
    files = {"good.jpg": good, "narrow.jpg": jpeg(90, 150), "broken.png": bytes(broken)}
    batch = new_batch(http, {**files, "last.jpg": good})
    for kind in KINDS:
        found = export(http, batch, kind, variant="crop:width=100,height=100,x=0,y=0")
        assert list(found) == ["good.jpg", "last.jpg", FAILURES]
        told = [json.loads(line) for line in found[FAILURES].splitlines()]
        assert [(one["ref"], one["problem"]["code"]) for one in told] == [
            ("narrow.jpg", "invalid-instructions"),
            ("broken.png", "corrupt-image"),
        ]
        assert told[0]["problem"]["status"] == 422
    assert export(http, batch) == {**files, "last.jpg": good}


def test_engines_without_a_place_are_waited_for(data: Path) -> None:
    files = {f"{number}.jpg": jpeg(800, 600, seed=number) for number in range(24)}
    tight = {"FILMROLL_ENGINES": "1", "FILMROLL_WAITING_LINE": "0"}
    with Service(data, **tight) as service, service.client() as http:
        found = export(http, new_batch(http, files), variant="resize:width=300")
    assert list(found) == list(files)


# --------------------------------------------------------------------------------- what is refused


def test_what_is_no_batch_and_what_is_no_way_to_ask(http: httpx.Client) -> None:
    batch = new_batch(http)
    for path in ("0" * 26 + ".zip", f"{batch}.rar", batch, f"{batch}.zip/", f"{batch}/a.zip", ""):
        refused(http.get(f"/i/batches/{path}"), 404, "not-found")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = http.request(method, f"/i/batches/{batch}.zip")
        refused(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == "GET, HEAD"
    for query, code in (
        ("variant=resize:width=0", "invalid-instructions"),
        ("variant=", "invalid-instructions"),
        ("variant=no-such-preset", "unknown-preset"),
        (f"variant={SMALL}&variant=thumb", "invalid-request"),
        (f"varaint={SMALL}", "invalid-request"),
    ):
        refused(http.get(f"/i/batches/{batch}.zip?{query}"), 422, code)


def test_signatures_and_keys(data: Path) -> None:
    up, read = make_key(data, "up", "upload"), make_key(data, "read", "read")
    key = SigningKey(
        **dict(zip(("id", "secret"), make_signing_key(data), strict=True)), created_at=0
    )
    variables = {"FILMROLL_ACCESS": "keys", "FILMROLL_UNSIGNED_PRESETS": "true"}
    with Service(data, **variables) as service, service.client() as http:
        with service.client(headers=bearer(up)) as uploads:
            batch = new_batch(uploads, {"a.jpg": jpeg(200, 150)})
        path = f"/i/batches/{batch}.zip"
        refused(http.get(path), 403, "invalid-signature")
        refused(http.get(path, params={"variant": "thumb"}), 403, "invalid-signature")
        refused(http.get(path, headers=bearer(up)), 403, "forbidden")
        for query in ("", f"?variant={SMALL}", f"?variant={quote(SMALL)}"):
            assert http.get(path + query, headers=bearer(read)).status_code == 200
            good = signed(path + query, int(time.time()) + 60, key)
            assert len(unpacked("zip", http.get(good).content)) == 1
            for bad in (good.replace(".zip", ".tar"), good.replace("variant=", "variant=flip/")):
                if bad != good:
                    refused(http.get(bad), 403, "invalid-signature")
        plain = signed(path, int(time.time()) + 60, key)
        for smuggled in (f"&variant={SMALL}", f"&%76ariant={SMALL}", "&variant=thumb", "&variant"):
            refused(http.get(plain + smuggled), 403, "invalid-signature")
        refused(http.get(signed(path, 1_000_000, key)), 403, "expired-signature")
        links = http.get(f"/v1/batches/{batch}", headers=bearer(read)).json()["links"]
        for kind in KINDS:
            assert len(unpacked(kind, http.get(links[kind]).content)) == 1


def test_presets_only(data: Path) -> None:
    with Service(data, FILMROLL_PRESETS_ONLY="true") as service, service.client() as http:
        batch = new_batch(http, {"a.jpg": jpeg(200, 150)})
        http.put("/v1/presets/t", json={"instructions": "resize:width=20"})
        assert list(export(http, batch, variant="t")) == ["a.jpg"]
        assert list(export(http, batch)) == ["a.jpg"]
        for variant in (SMALL, "t/flip:axis=x"):
            answer = http.get(f"/i/batches/{batch}.zip", params={"variant": variant})
            refused(answer, 403, "forbidden")


def test_the_download_role_alone(data: Path) -> None:
    with Service(data) as service, service.client() as http:
        batch = new_batch(http, {"a.jpg": tiny_jpeg(1)})
    with Service(data, "download-api") as service, service.client() as http:
        assert export(http, batch) == {"a.jpg": tiny_jpeg(1)}
    with Service(data, "upload-api") as service, service.client() as http:
        assert http.get(f"/i/batches/{batch}.zip").status_code == 404
