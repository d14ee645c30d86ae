"""The clients that people use, unmodified: PyPI's tuspy and npm's tus-js-client."""

import io
from pathlib import Path

import httpx
import pytest
from tusclient.client import TusClient

from tests.e2e.parts import MIB, archive, batch_ended, heavy_png
from tests.e2e.raw import connected, head
from tests.e2e.service import IMPATIENT, Service
from tests.e2e.tus import BYTES, ROOT, SPOKEN, JsClient, become, begin, offset, patch, standing
from tests.samples import tiny_jpeg

CHUNK = 5 * MIB


@pytest.fixture
def body() -> bytes:
    return heavy_png()


@pytest.fixture
def file(tmp_path: Path, body: bytes) -> Path:
    path = tmp_path / "heavy.png"
    path.write_bytes(body)
    return path


@pytest.fixture(scope="session")
def tuspy(service: Service) -> TusClient:
    return TusClient(service.url + ROOT)


@pytest.fixture(scope="session")
def js(service: Service) -> JsClient:
    return JsClient(service)


# ---------------------------------------------------------------------------------------- tuspy


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("chunk", [CHUNK, 1 << 40])
def test_tuspy(
    http: httpx.Client, tuspy: TusClient, body: bytes, *, chunk: int, checked: bool
) -> None:
    sender = tuspy.uploader(
        file_stream=io.BytesIO(body),
        chunk_size=chunk,
        metadata={"filename": "a.png", "tags": '["t"]'},
        upload_checksum=checked,
    )
    sender.upload()
    assert become(http, sender.url) == body
    image = http.get(standing(http, sender.url).headers["content-location"]).json()
    assert (image["name"], image["tags"]) == ("a.png", ["t"])


def test_tuspy_goes_on_where_another_stopped(
    http: httpx.Client, tuspy: TusClient, body: bytes
) -> None:
    first = tuspy.uploader(file_stream=io.BytesIO(body), chunk_size=CHUNK)
    first.upload(stop_at=CHUNK)
    second = tuspy.uploader(file_stream=io.BytesIO(body), chunk_size=CHUNK, url=first.url)
    assert second.offset == CHUNK
    second.upload()
    assert become(http, second.url) == body


# --------------------------------------------------------------------------------- tus-js-client


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunkSize": CHUNK},
        {"uploadLengthDeferred": True, "chunkSize": CHUNK},
        {"uploadDataDuringCreation": True},
        {"uploadDataDuringCreation": True, "chunkSize": CHUNK},
        {"overridePatchMethod": True},
        {"parallelUploads": 3},
        {"parallelUploads": 2, "chunkSize": 2 * MIB},
        {"chunkSize": 4 * MIB, "pauseAfter": 4 * MIB},
    ],
    ids=lambda options: ",".join(options) or "whole",
)
def test_tus_js_client(
    http: httpx.Client, js: JsClient, file: Path, body: bytes, options: dict
) -> None:
    said = {"metadata": {"filename": "a.png", "filetype": "image/png"}}
    sent = js.upload(file, **said, **options)
    assert "failure" not in sent, sent
    assert become(http, sent["url"]) == body
    assert sent["become"] == standing(http, sent["url"]).headers["content-location"]
    assert http.get(sent["become"]).json()["name"] == "a.png"
    assert all(status < 300 for _, status in sent["answers"]), sent


def test_tus_js_client_terminates(http: httpx.Client, js: JsClient, file: Path) -> None:
    sent = js.upload(file, chunkSize=CHUNK, terminateAfter=CHUNK)
    assert ["DELETE", 204] in sent["answers"]
    assert standing(http, sent["url"]).status_code == 404


def test_tus_js_client_is_told_at_once_what_is_no_image(js: JsClient, tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("no picture")
    sent = js.upload(text)
    assert sent["failure"]["status"] == 415
    assert [method for method, _ in sent["answers"]] == ["POST", "PATCH"], "it did not try again"
    assert "unsupported-media" in sent["failure"]["message"]


def test_tus_js_client_sends_an_archive(http: httpx.Client, js: JsClient, tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(50)]
    tar = tmp_path / "a.tar"
    tar.write_bytes(archive({name: tiny_jpeg(at) for at, name in enumerate(names)}))
    sent = js.upload(tar, metadata={"purpose": "archive"}, parallelUploads=2)
    assert sent["become"].startswith("/v1/batches/")
    batch = batch_ended(http, sent["become"].rsplit("/", 1)[-1])
    assert batch["counts"]["succeeded"] == len(names)


def test_a_kill_in_the_middle_of_a_patch(tmp_path: Path, file: Path, body: bytes) -> None:
    with Service(tmp_path / "data", module=IMPATIENT) as service, service.client() as http:
        url = begin(http, len(body))
        assert patch(http, url, 0, body[:CHUNK]).status_code == 204
        with connected(service) as connection:
            rest = len(body) - CHUNK
            said = {**SPOKEN, **BYTES, "Upload-Offset": CHUNK, "Content-Length": rest}
            connection.sendall(head("PATCH", url, **said) + body[CHUNK : 2 * CHUNK])
            service.kill()
        service.start()
        assert offset(http, url) == CHUNK, "what was answered is there"
        sent = JsClient(service).upload(file, uploadUrl=service.url + url)
        assert "failure" not in sent, sent
        assert become(http, url) == body
