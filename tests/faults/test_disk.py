"""The disk is full, or cannot be written to any more: a clear answer, and what is kept is served.

Both happen to real file systems here: a small tmpfs, and an ext4 that turns read-only by itself.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from filmroll.web.operations import READY_SECONDS
from tests.e2e.parts import begin, complete, cut, kept, put
from tests.e2e.service import IMPATIENT, ROOT, Service, environment
from tests.e2e.test_upload import upload, wait_for
from tests.samples import jpeg, png, tiny_jpeg

TOOLS = ("mount", "umount", "mkfs.ext4", "setpriv")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount file systems"),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
]

NOBODY = 65_534
KEPT = "resize:width=90"
COLD = "resize:width=91"


@contextmanager
def mounted(point: Path, *arguments: str) -> Iterator[Path]:
    point.mkdir()
    mount = subprocess.run(
        ["mount", *arguments, str(point)], capture_output=True, text=True, check=False
    )
    if mount.returncode != 0:
        pytest.skip(f"needs the right to mount: {mount.stderr.strip()}")
    try:
        yield point
    finally:
        subprocess.run(["umount", str(point)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=24m", "tmpfs") as disk:
        yield disk


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that answers to an error as most do: it goes read-only."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    options = ("-o", "loop,errors=remount-ro", str(image))
    with mounted(tmp_path / "disk", *options) as disk:
        yield disk


def fail(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,abort", str(disk)], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave not a byte free, then make room again."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert os.statvfs(disk).f_bavail == 0
    yield
    ballast.unlink()


def bodies() -> dict[str, bytes]:
    """Return one that stays in memory on its way, and one that goes through the spool."""
    return {"small": tiny_jpeg(9), "large": png(1500, 1200, seed=10, compression=0)}


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert int(answer.headers["retry-after"]) > 0


def assert_served(http: httpx.Client, image: dict, body: bytes) -> None:
    assert http.get(f"/i/{image['id']}").content == body
    assert http.get(f"/i/{image['id']}/{KEPT}").status_code == 200
    assert http.get("/v1/images").json()["items"][-1]["id"] == image["id"]
    assert http.get("/healthz").status_code == 200


def test_a_full_disk_refuses_uploads_and_serves_on(small_disk: Path) -> None:
    body = jpeg(900, 700)
    with Service(small_disk / "data", module=IMPATIENT) as service, service.client() as http:
        image = upload(http, body, KEPT).json()
        job = upload(http, body, KEPT, prefer="respond-async").headers["location"]
        with filled(small_disk):
            for one in bodies().values():
                assert_refused(upload(http, one), 507, "storage-full")
                assert_refused(upload(http, one, KEPT), 507, "storage-full")
                assert_refused(upload(http, one, idempotency_key="full"), 507, "storage-full")
                form = http.post("/v1/images", files={"file": ("a.jpg", one)})
                assert_refused(form, 507, "storage-full")
            assert_refused(http.get(f"/i/{image['id']}/{COLD}"), 507, "storage-full")
            patch = http.patch(f"/v1/images/{image['id']}", json={"name": "new"})
            assert_refused(patch, 507, "storage-full")
            assert_served(http, image, body)
            ready = http.get("/readyz")
            assert (ready.status_code, set(ready.json()["faults"])) == (
                503,
                {"blobs", "catalog", "queue"},
            )
        assert not list((service.data / "spool").glob("*")), "something of a refused body is left"
        for one in bodies().values():
            assert upload(http, one, KEPT, idempotency_key=str(len(one))).status_code == 201
        assert http.get(f"/i/{image['id']}/{COLD}").status_code == 200
        assert wait_for(http, job)["state"] == "succeeded"
        time.sleep(READY_SECONDS)
        assert http.get("/readyz").status_code == 200
        assert service.stop() == 0


def test_jobs_wait_for_room_and_then_succeed(small_disk: Path) -> None:
    data = small_disk / "data"
    with Service(data, "upload-api") as uploads, uploads.client() as http:
        jobs = [
            upload(http, jpeg(seed=seed), KEPT, prefer="respond-async").headers["location"]
            for seed in range(4)
        ]
    with Service(data, module=IMPATIENT) as service, service.client() as http:
        with filled(small_disk):
            time.sleep(1)
        ends = [wait_for(http, job) for job in jobs]
        assert {end["state"] for end in ends} == {"succeeded"}


def test_an_upload_in_parts_goes_on_once_there_is_room(small_disk: Path) -> None:
    body = png(1500, 1200, seed=11, compression=0)
    parts = cut(body)
    with Service(small_disk / "data", module=IMPATIENT) as service, service.client() as http:
        upload = begin(http)
        assert put(http, upload, 1, parts[1]).status_code == 200
        with filled(small_disk):
            assert_refused(put(http, upload, 2, parts[2]), 507, "storage-full")
            assert_refused(put(http, upload, 1, parts[1]), 507, "storage-full")
            assert_refused(complete(http, upload, kept(http, upload)), 507, "storage-full")
            assert [one["n"] for one in kept(http, upload)] == [1]
        assert put(http, upload, 2, parts[2]).status_code == 200
        image = complete(http, upload, kept(http, upload)).json()
        assert http.get(image["url"]).content == body
        assert not list((service.data / "spool").glob("*")), "something of a refused part is left"


def test_a_disk_that_turns_read_only_is_read_on(failing_disk: Path) -> None:
    body = jpeg(900, 700)
    with Service(failing_disk / "data") as service, service.client() as http:
        image = upload(http, body, KEPT).json()
        fail(failing_disk)
        for one in bodies().values():
            assert_refused(upload(http, one), 503, "store-unavailable")
            assert_refused(upload(http, one, KEPT), 503, "store-unavailable")
        assert_refused(http.get(f"/i/{image['id']}/{COLD}"), 503, "store-unavailable")
        assert_refused(http.delete(f"/v1/images/{image['id']}"), 503, "store-unavailable")
        assert_served(http, image, body)
        ready = http.get("/readyz")
        assert (ready.status_code, set(ready.json()["faults"])) == (
            503,
            {"blobs", "catalog", "queue"},
        )
        assert service.stop() == 0


def test_nothing_starts_on_a_disk_that_is_read_only(small_disk: Path) -> None:
    data = small_disk / "data"
    with Service(data) as service:
        assert service.stop() == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert_one_clear_line(run_as_root(data), data)


def test_nothing_starts_in_a_folder_of_somebody_else(tmp_path: Path) -> None:
    """Neither in one that another user made, nor where none can be made."""
    data = tmp_path / "data"
    with Service(data) as service:
        assert service.stop() == 0
    open_to_nobody(tmp_path)
    assert_one_clear_line(run_as_nobody(data), data)
    assert_one_clear_line(run_as_nobody(tmp_path / "none" / "data"), tmp_path / "none")


def test_nothing_starts_over_files_of_somebody_else(tmp_path: Path) -> None:
    """The folder can be written to, what lies in it cannot: root ran it once."""
    data = tmp_path / "data"
    with Service(data) as service:
        assert service.stop() == 0
    open_to_nobody(tmp_path)
    os.chown(data, NOBODY, NOBODY)
    assert_one_clear_line(run_as_nobody(data), data)


def open_to_nobody(folder: Path) -> None:
    """Let every user pass through to a folder of pytest's."""
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)


def run_as_root(data: Path) -> "subprocess.CompletedProcess[str]":
    return run([sys.executable], data)


def run_as_nobody(data: Path) -> "subprocess.CompletedProcess[str]":
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    probe = subprocess.run([*user, sys.executable, "-c", ""], check=False, capture_output=True)
    if probe.returncode != 0:
        pytest.skip("needs a Python that every user of this machine may run")
    return run([*user, sys.executable], data)


def run(python: list[str], data: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*python, "-m", "filmroll", "serve", "--port", "0"],
        cwd=ROOT,
        env=environment(FILMROLL_DATA=str(data), COLUMNS="200"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_one_clear_line(done: "subprocess.CompletedProcess[str]", folder: Path) -> None:
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("filmroll: ")
    assert str(folder) in done.stderr
