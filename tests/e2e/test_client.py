"""The Python client against a real service, in both of its forms."""

import hashlib
import inspect
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import pyvips

from filmroll import AsyncClient, Client
from filmroll.client import ApiError, AsyncBatch, Batch, Unreachable
from tests.e2e.service import ROOT, Service, free_port
from tests.samples import jpeg

SMALLER = "resize:width=50/output:format=webp"


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url) as opened:
        yield opened


def public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}


def test_both_forms_have_the_same_methods() -> None:
    for blocking, core in ((Client, AsyncClient), (Batch, AsyncBatch)):
        assert public(blocking) - {"core", "portal", "view"} == public(core), core
        for name in public(core):
            assert inspect.getdoc(getattr(blocking, name)), name


def test_puts_a_path_bytes_and_an_open_file(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    data = jpeg(200, 150, seed=700)
    path.write_bytes(data)
    image = client.put(path, tags=["a", "b"], metadata={"n": 1}, variants=[SMALLER])
    assert (image["name"], image["tags"], image["metadata"]) == ("photo.jpg", ["a", "b"], {"n": 1})
    assert image["state"] == "ready"
    assert (image["variants"][0]["width"], image["variants"][0]["format"]) == (50, "webp")
    assert client.put(data, name="own name")["name"] == "own name"
    with path.open("rb") as file:
        again = client.put(file)
    assert (again["name"], again["sha256"]) == ("photo.jpg", hashlib.sha256(data).hexdigest())
    body = io.BytesIO(b"before it" + data)
    body.seek(len(b"before it"))
    assert client.put(body)["sha256"] == again["sha256"]


def test_variants_may_come_later(client: Client) -> None:
    image = client.put(jpeg(64, 48, seed=701), variants=[SMALLER], later=True)
    assert image["variants"][0]["state"] == "pending"
    while image["state"] == "stored":
        image = client.image(image["id"])
    assert image["variants"][0]["state"] == "ready"


def test_gets_bytes_and_files(client: Client, tmp_path: Path) -> None:
    data = jpeg(120, 90, seed=702)
    image = client.put(data)
    assert client.get(image["id"]) == data
    assert client.get(image["url"]) == data
    target = client.get(image["id"], SMALLER, to=tmp_path / "small.webp")
    assert pyvips.Image.new_from_file(str(target)).width == 50
    first = client.get(image["id"], SMALLER, to=tmp_path)
    second = client.get(image["id"], SMALLER, to=tmp_path)
    assert first.name == f"{image['id']}-resize-width-50-output-format-webp.webp"
    assert second.name == first.name.replace(".webp", " (2).webp")
    assert sorted(tmp_path.iterdir()) == sorted([target, first, second])


def test_deletes_and_refusals_have_codes(client: Client) -> None:
    image = client.put(jpeg(64, 48, seed=703))
    client.delete(image["id"])
    client.delete(image["id"])
    with pytest.raises(ApiError) as caught:
        client.get(image["id"])
    assert (caught.value.status, caught.value.code) == (410, "deleted")
    with pytest.raises(ApiError) as caught:
        client.put(b"no picture")
    assert (caught.value.status, caught.value.code) == (415, "unsupported-media")
    with pytest.raises(ApiError) as caught:
        client.put(jpeg(64, 48, seed=703), variants=["resize:width=no"])
    assert "pointer" in caught.value.figures
    with pytest.raises(ValueError, match="not an address"):
        client.get("http://elsewhere.example/i/x")


def test_lists_images(client: Client) -> None:
    ids = [client.put(jpeg(64, 48, seed=710 + n), tags=["listed"])["id"] for n in range(3)]
    assert [view["id"] for view in client.images(tag="listed")] == ids[::-1]
    assert [view["id"] for view in client.images(tag="listed", limit=2)] == ids[:0:-1]


def test_a_batch_from_its_first_line_to_its_end(client: Client) -> None:
    first, second, third = (jpeg(60, 40, seed=720 + n) for n in range(3))
    batch = client.create_batch(name="by hand", variants=[SMALLER], on_duplicate="new")
    line = {"ref": "a/1.jpg", "sha256": hashlib.sha256(first).hexdigest(), "tags": ["x"]}
    assert [one["state"] for one in batch.items([line, {"ref": ""}])] == ["need", "rejected"]
    assert batch.put("a/1.jpg", first)["sha256"] == line["sha256"]
    assert [one["state"] for one in batch.items([line])] == ["have"]
    with pytest.raises(ApiError) as caught:
        batch.put("a/1.jpg", second)
    assert (caught.value.status, caught.value.code) == (409, "conflict")
    verdicts = list(batch.archive(tar({"2.jpg": second, "no.jpg": b"no", "3.jpg": third})))
    assert [one["state"] for one in verdicts] == ["stored", "rejected", "stored", "end"]
    assert client.find_batch("by hand").id == batch.id
    assert batch.id in {view["id"] for view in client.batches(state="open")}
    batch.seal()
    assert batch.wait(30)["state"] == "completed_with_errors"
    assert batch.view["counts"]["succeeded"] == 3
    assert [one["ref"] for one in batch.results("failed")] == ["no.jpg"]
    assert [one["ref"] for one in batch.results()] == ["a/1.jpg", "2.jpg", "no.jpg", "3.jpg"]
    found = client.image(batch.line("a/1.jpg")["image"])
    assert (found["tags"], found["batch"], found["ref"]) == (["x"], batch.id, "a/1.jpg")


def test_a_batch_is_called_off(client: Client) -> None:
    batch = client.create_batch()
    assert client.batch(batch.id).cancel()["state"] == "cancelled"
    assert batch.wait(1)["state"] == "cancelled"
    with pytest.raises(ApiError):
        batch.put("a.jpg", jpeg(64, 48, seed=730))


def test_waiting_has_an_end(client: Client) -> None:
    batch = client.create_batch()
    with pytest.raises(TimeoutError, match="open"):
        batch.wait(1)
    batch.cancel()


async def test_the_asynchronous_form(service: Service, tmp_path: Path) -> None:
    async with AsyncClient(service.url) as client:
        image = await client.put(jpeg(64, 48, seed=740), variants=[SMALLER])
        target = await client.get(image["id"], SMALLER, to=tmp_path / "a.webp")
        assert pyvips.Image.new_from_file(str(target)).width == 50
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a.jpg").write_bytes(jpeg(64, 48, seed=741))
        summary = await client.push([tmp_path / "in"])
    assert (summary["sent"], summary["failed"], summary["state"]) == (1, 0, "completed")


def test_the_examples_of_the_page_run(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "client.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "photos").mkdir()
    for number, name in enumerate(("photo.jpg", "photos/1.jpg", "photos/2.jpg")):
        (tmp_path / name).write_bytes(jpeg(900, 600, seed=760 + number))
    (tmp_path / "photos.tar").write_bytes(tar({"in.jpg": jpeg(64, 48, seed=763), "no.txt": b"no"}))
    script = "".join(blocks).replace("http://127.0.0.1:8000", service.url)
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert pyvips.Image.new_from_file("small.webp").width == 200
    shown = done.stdout.splitlines()
    assert shown[1:4] == ["a/1.jpg have", "b need", "in.jpg stored None"]
    assert "2 0 0" in shown


def test_nobody_there() -> None:
    with Client(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(Unreachable):
        client.image("0" * 26)


def test_patience_outlasts_a_restart(data: Path) -> None:
    with Service(data) as service, Client(service.url) as client:
        image = client.put(jpeg(64, 48, seed=750))
        service.kill()
        service.start()
        assert client.image(image["id"])["id"] == image["id"]


def tar(files: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return body.getvalue()
