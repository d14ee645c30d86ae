"""A rolling upgrade: two versions side by side on the same stores, under load."""

import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

from deploy.local.aws import MiniStack, SeaweedFS
from deploy.local.cluster import ROLES, Cluster, Role, Stores
from deploy.local.http import client
from deploy.local.process import Server
from tests.cluster.load import Load, all_there
from tests.e2e.parts import begin, complete, send_all
from tests.e2e.service import ROOT
from tests.samples import tiny_jpeg

# What is out there: the version that the present one has to get along with. To be moved with every
# release.
PREVIOUS = "3dbab6884f440d00bb210135a5522e33248fc03b"
SIDE_BY_SIDE_SECONDS = 3
SETTLED_SECONDS = 3  # until the balancer has seen a process come back


@pytest.fixture
def previous(tmp_path: Path) -> str:
    """Return a Python that runs the previous version."""
    archive = tmp_path / "previous.tar"
    git = ["git", "-C", str(ROOT), "archive", f"--output={archive}", PREVIOUS, "src"]
    if subprocess.run(git, check=False, capture_output=True).returncode != 0:
        pytest.skip(f"this clone's history does not reach back to the version {PREVIOUS[:7]}")
    folder = tmp_path / "previous"
    folder.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    venv.create(folder / "venv", with_pip=False)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "previous.pth").write_text("\n".join([str(folder / "src"), *libraries]))
    return str(folder / "venv" / "bin" / "python")


@pytest.mark.timeout(400)
def test_two_versions_side_by_side(tmp_path, previous):
    with (
        SeaweedFS(tmp_path / "seaweedfs") as seaweedfs,
        MiniStack(tmp_path / "ministack") as ministack,
        Cluster(
            tmp_path / "cluster",
            Stores(seaweedfs, ministack).variables("one"),
            python=previous,
        ) as cluster,
        cluster.client() as http,
    ):
        with Load(cluster.url, pause=0.3) as load:
            first = [cluster.roles[role][0] for role in ROLES]
            second = [cluster.roles[role][1] for role in ROLES]
            time.sleep(SIDE_BY_SIDE_SECONDS)
            roll(first, sys.executable)
            time.sleep(SIDE_BY_SIDE_SECONDS)
            new, old = cluster.roles["upload-api"]
            pass_on(new, old, tiny_jpeg(1))
            pass_on(old, new, tiny_jpeg(2))
            roll(second, sys.executable)
            time.sleep(SIDE_BY_SIDE_SECONDS)
            roll(first, previous)  # and back, as one does when the new one disappoints
            time.sleep(SIDE_BY_SIDE_SECONDS)
        print(load.statuses(), len(load.kept), "kept")
        assert load.wrong == []
        assert set(load.statuses()) <= {200, 201, 202, 409, 503}
        all_there(http, load.kept)


def pass_on(one: Role, other: Role, body: bytes) -> None:
    """Begin an upload in parts with one process, end it with another, and ask both of it."""
    with client(one.url) as here, client(other.url) as there:
        upload = begin(here, name="a.jpg")
        parts = send_all(there, upload, {1: body})
        image = complete(here, upload, parts).json()["id"]
        for http in (here, there):
            assert http.get(f"/v1/uploads/{upload}").json()["image"] == image
            assert http.get(f"/v1/images/{image}").json()["state"] == "ready"


def roll(processes: list[Server], python: str) -> None:
    """Replace processes one after the other, each by one of another version."""
    for process in processes:
        assert process.stop() == 0
        process.command[0] = python
        process.start()
        time.sleep(SETTLED_SECONDS)
