"""Pushing what does not fit into one request: large pictures, and archives of many."""

import hashlib
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import pyvips

from filmroll import Client
from filmroll.client import ApiError
from tests.e2e.parts import archive
from tests.e2e.relay import Relay
from tests.e2e.service import Service, until
from tests.e2e.test_push import ended, fill, ledger, push, started
from tests.samples import encoded, png_chunk, tiny_jpeg

PART = 16 << 20
IEND_BYTES = 12
SMALLER = "resize:width=20/output:format=webp"


@pytest.fixture(scope="module")
def noise() -> bytes:
    picture = pyvips.Image.gaussnoise(6500, 6000, seed=11).cast("uchar")
    return encoded(picture, ".png", compression=0)


@pytest.fixture
def large(noise: bytes, request: pytest.FixtureRequest) -> bytes:
    """Return a picture of three parts, which no other test sends."""
    comment = png_chunk(b"tEXt", b"Comment\0" + request.node.name.encode())
    body = noise[:-IEND_BYTES] + comment + noise[-IEND_BYTES:]
    assert 2 * PART < len(body) < 3 * PART
    return body


@pytest.fixture
def folder(tmp_path: Path, large: bytes) -> Path:
    root = fill(tmp_path / "scans", "small.jpg")
    (root / "large.png").write_bytes(large)
    return root


def is_there(http: httpx.Client, batch: str, ref: str, body: bytes) -> None:
    line = ledger(http, batch)[ref]
    assert line["sha256"] == hashlib.sha256(body).hexdigest()
    image = http.get(f"/v1/images/{line['image']}").json()
    assert http.get(image["url"]).content == body


def test_a_large_picture_arrives_and_again_is_there(http, service, folder, large) -> None:
    (folder / "large.json").write_text(json.dumps({"tags": ["said"], "name": "Own"}))
    code, summary = push(service, folder, "--variant", SMALLER, cwd=folder.parent)
    assert (code, summary["sent"], summary["failed"]) == (0, 2, 0)
    is_there(http, summary["batch"], "large.png", large)
    line = ledger(http, summary["batch"])["large.png"]
    image = http.get(f"/v1/images/{line['image']}").json()
    assert (image["tags"], image["name"]) == (["said"], "Own")
    assert [one["state"] for one in image["variants"]] == ["ready"]
    with Relay(service.port) as line:
        code, again = pushed_over(line, folder, "--variant", SMALLER)
        assert (code, again["had"], again["sent"]) == (0, 2, 0)
        assert line.up < 20_000


def test_a_killed_push_sends_only_the_missing_parts(http, service, folder, large) -> None:
    with Relay(service.port) as line:
        process = start_over(line, folder, "--streams", 1)
        wait_for_bytes(line, PART + (8 << 20))
        process.kill()
        process.communicate()
    with Relay(service.port) as line:
        code, summary = pushed_over(line, folder, "--streams", 1)
        assert (code, summary["failed"]) == (0, 0)
        assert line.up < len(large) - PART + 50_000
    is_there(http, summary["batch"], "large.png", large)


def test_a_line_that_breaks_all_the_time_costs_a_part_each(http, service, folder, large) -> None:
    with Relay(service.port, breaks_after=PART + (4 << 20)) as line:
        code, summary = pushed_over(line, folder, "--streams", 1)
        assert (code, summary["failed"]) == (0, 0)
        assert line.broken
        assert line.up < len(large) + (line.broken + 1) * PART
    is_there(http, summary["batch"], "large.png", large)


def test_outlasts_the_death_of_the_server(data: Path, folder: Path, large: bytes) -> None:
    with Service(data) as service, Relay(service.port) as line, service.client() as http:
        process = start_over(line, folder)
        wait_for_bytes(line, len(large) // 2)
        service.kill()
        time.sleep(1)
        service.start()
        code, summary = ended(process)
        assert (code, summary["failed"]) == (0, 0)
        is_there(http, summary["batch"], "large.png", large)


def test_what_is_large_but_no_picture_is_a_failure(http, service, tmp_path: Path) -> None:
    root = fill(tmp_path / "mixed", "good.jpg")
    (root / "bad.jpg").write_bytes(bytes(2 * PART + 1))
    code, summary = push(service, root, cwd=tmp_path)
    assert (code, summary["sent"], summary["failed"]) == (1, 1, 1)
    (line,) = map(json.loads, (tmp_path / summary["failures"]).read_text().splitlines())
    assert (line["ref"], line["problem"]["code"]) == ("bad.jpg", "unsupported-media")
    assert ledger(http, summary["batch"])["good.jpg"]["state"] == "succeeded"


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Path]:
    """Return a zip of some parts, with one member that is no picture."""
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as target:
        for number in range(300):
            target.writestr(f"{number % 5}/{number:03}.jpg", tiny_jpeg(number, 60_000))
        target.writestr("5/bad.jpg", b"no picture")
    assert path.stat().st_size > PART
    return path


def test_an_archive_is_unpacked_into_the_batch(http, service, photos, tmp_path: Path) -> None:
    fill(tmp_path, "beside/it.jpg")
    sources = ["photos.zip", "beside", "--variant", SMALLER]
    code, summary = push(service, *sources, cwd=tmp_path)
    assert (code, summary["found"], summary["sent"], summary["failed"]) == (1, 2, 2, 1)
    lines = ledger(http, summary["batch"])
    assert len(lines) == 302
    assert {line["state"] for line in lines.values()} == {"succeeded", "failed"}
    with zipfile.ZipFile(photos) as source:
        for name in source.namelist()[:-1]:
            assert lines[name]["sha256"] == hashlib.sha256(source.read(name)).hexdigest()
    (failure,) = map(json.loads, (tmp_path / summary["failures"]).read_text().splitlines())
    assert (failure["ref"], failure["problem"]["code"]) == ("5/bad.jpg", "unsupported-media")
    with Relay(service.port) as line:
        code, again = pushed_over(line, *sources, cwd=tmp_path)
        assert (code, again["had"], again["sent"], again["batch"]) == (1, 2, 0, summary["batch"])
        assert line.up < 20_000


def test_an_archive_that_is_none_is_a_failure(service, tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"no archive at all")
    (tmp_path / "cut.tar").write_bytes(archive({"a.jpg": tiny_jpeg(1)})[:2000])
    code, summary = push(service, "no.zip", "cut.tar", "--tag", "t", cwd=tmp_path)
    assert (code, summary["failed"]) == (1, 2)
    code, summary = push(service, "no.zip", "cut.tar", cwd=tmp_path)
    failures = map(json.loads, (tmp_path / summary["failures"]).read_text().splitlines())
    codes = {line["ref"]: line["problem"]["code"] for line in failures}
    assert (code, codes["no.zip"], codes["cut.tar"]) == (1, "unsupported-media", "broken-archive")
    (tmp_path / "no.zip").write_bytes(b"")
    code, summary = push(service, "no.zip", "--failures", "f.ndjson", cwd=tmp_path)
    (line,) = map(json.loads, (tmp_path / "f.ndjson").read_text().splitlines())
    assert (code, line["problem"]["detail"]) == (1, "the file is empty")
    (tmp_path / "cut.tar").write_bytes(archive({"a.jpg": tiny_jpeg(1)}))
    manifest = tmp_path / "mended.ndjson"
    manifest.write_text(json.dumps({"ref": "cut.tar", "archive": True}))
    code, mended = push(service, manifest, cwd=tmp_path)
    assert (code, mended["sent"], mended["state"]) == (0, 1, "completed")


def test_the_client_sends_large_files_in_parts(service, folder, large) -> None:
    with Client(service.url) as client:
        image = client.put(folder / "large.png", tags=["a"], variants=[SMALLER])
        assert (image["name"], image["tags"], image["bytes"]) == ("large.png", ["a"], len(large))
        batch = client.create_batch()
        item = batch.put("ref", folder / "large.png", metadata={"n": 1})
        assert (item["sha256"], item["state"]) == (image["sha256"], "succeeded")
        path = folder / "photos.tar"
        path.write_bytes(archive({f"{n}.jpg": tiny_jpeg(n, 5000 + n) for n in range(40)}))
        counts = batch.unpack(path)["counts"]
        assert (counts["received"], counts["failed"]) == (41, 0)
        with pytest.raises(ApiError, match="zip") as refused:
            batch.unpack(folder / "large.png")
        assert refused.value.status == 415


def start_over(line: Relay, *arguments: object, cwd: Path | None = None):
    """Begin a push over a line of its own."""
    cwd = cwd or Path(str(arguments[0])).parent
    return started(line, *arguments, cwd=cwd)


def pushed_over(line: Relay, *arguments: object, cwd: Path | None = None):
    return ended(start_over(line, *arguments, cwd=cwd))


def wait_for_bytes(line: Relay, size: int) -> None:
    until(lambda: line.up >= size, 30, pause=0.002)  # a part takes but a few hundredths of a second


def test_members_that_share_a_name_are_told_of(http, service, tmp_path: Path) -> None:
    for number, name in enumerate(("a.tar", "b.tar")):
        (tmp_path / name).write_bytes(archive({"IMG_1.jpg": tiny_jpeg(9000 + number)}))
    code, summary = push(service, "a.tar", "b.tar", "--no-seal", cwd=tmp_path)
    assert (code, summary["sent"], summary["failed"]) == (1, 2, 1)
    lines = ledger(http, summary["batch"])
    (told,) = lines.keys() - {"IMG_1.jpg"}
    assert told in {"a.tar: IMG_1.jpg", "b.tar: IMG_1.jpg"}
    assert lines[told]["problem"]["code"] == "conflict"
    assert lines["IMG_1.jpg"]["state"] == "succeeded"


def test_a_mended_archive_is_no_failure_any_more(service, tmp_path: Path) -> None:
    whole = archive({"a.jpg": tiny_jpeg(9100), "b.jpg": tiny_jpeg(9101)})
    (tmp_path / "m.tar").write_bytes(whole[:6000])
    code, first = push(service, "m.tar", "--no-seal", cwd=tmp_path)
    assert (code, first["sent"], first["failed"]) == (1, 0, 1)
    (tmp_path / "m.tar").write_bytes(whole)
    code, second = push(
        service, tmp_path / first["failures"], "--batch", first["name"], cwd=tmp_path
    )
    assert (code, second["sent"], second["failed"]) == (0, 1, 0)
    assert (second["batch"], second["state"]) == (first["batch"], "completed")


def test_a_deleted_image_is_sent_again(http, service, folder, large) -> None:
    _, first = push(service, folder, "--no-seal", cwd=folder.parent)
    line = ledger(http, first["batch"])["large.png"]
    assert http.delete(f"/v1/images/{line['image']}").is_success
    code, second = push(service, folder, cwd=folder.parent)
    assert (code, second["sent"], second["failed"]) == (0, 1, 0)
    assert second["batch"] == first["batch"]
    is_there(http, second["batch"], "large.png", large)


def test_a_file_that_changes_on_the_way_is_a_failure(http, service, folder, large) -> None:
    with Relay(service.port) as line:
        process = start_over(line, folder, "--streams", 1, "--no-seal")
        wait_for_bytes(line, PART + (4 << 20))
        with (folder / "large.png").open("r+b") as file:
            file.seek(len(large) - 100)
            file.write(b"changed")
        code, summary = ended(process)
    assert (code, summary["failed"]) == (1, 1)
    (folder / "large.png").write_bytes(large)
    code, again = push(service, folder, cwd=folder.parent)
    assert (code, again["failed"]) == (0, 0)
    is_there(http, again["batch"], "large.png", large)


def test_two_at_once_are_one(http, service, folder, large) -> None:
    with Relay(service.port) as line:
        both = [start_over(line, folder, "--streams", number) for number in (1, 2)]
        outcomes = [ended(process) for process in both]
    assert [code for code, _ in outcomes] == [0, 0], outcomes
    for _, summary in outcomes:
        is_there(http, summary["batch"], "large.png", large)


def test_a_zip_in_a_folder_stays_a_failure(http, service, tmp_path: Path) -> None:
    root = fill(tmp_path / "odd", "good.jpg")
    with zipfile.ZipFile(root / "in.zip", "w") as target:
        target.writestr("inside.jpg", tiny_jpeg(9200))
    code, summary = push(service, root, cwd=tmp_path)
    assert (code, summary["failed"]) == (1, 1)
    code, again = push(service, summary["failures"], cwd=tmp_path)
    assert (code, again["failed"]) == (1, 1)
    assert "inside.jpg" not in ledger(http, again["batch"])
