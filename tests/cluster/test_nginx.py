"""nginx in front, with the configuration that deploy/balancer has for it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.cluster import Cluster, Stores
from deploy.local.http import client, status
from deploy.local.process import Server, free_ports
from tests.cluster.load import THUMB
from tests.e2e.service import ROOT
from tests.samples import jpeg

LINES = 4_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def cluster(folder: Path, seaweedfs, ministack) -> Iterator[Cluster]:
    variables = Stores(seaweedfs, ministack).variables("behind-nginx")
    with Cluster(folder / "cluster", variables) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def nginx(folder: Path, cluster: Cluster) -> Iterator[str]:
    """Start nginx before the cluster's processes; return its address."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx is missing; on Debian: apt-get install nginx-light")
    public, inner = free_ports(2)
    text = (ROOT / "deploy" / "balancer" / "nginx.conf").read_text()
    text = text.replace("listen 127.0.0.1:8000", f"listen 127.0.0.1:{public}")
    text = text.replace("listen 127.0.0.1:8100", f"listen 127.0.0.1:{inner}")
    for named, role in ((8001, "upload-api"), (8002, "download-api"), (8003, "worker")):
        line = re.search(rf"server 127\.0\.0\.1:{named}(.*);", text)
        assert line is not None
        servers = (f"server 127.0.0.1:{port}{line[1]};" for port in ports(cluster, role))
        text = text.replace(line[0], " ".join(servers))
    (folder / "nginx.conf").write_text(text)
    url = f"http://127.0.0.1:{public}"
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with Server(command, folder, lambda: answers(url)):
        yield url


def ports(cluster: Cluster, role: str) -> list[int]:
    return [int(process.url.rpartition(":")[2]) for process in cluster.roles[role]]


def answers(url: str) -> bool:
    return status(f"{url}/readyz") == 200


@pytest.fixture
def http(nginx: str) -> Iterator[httpx.Client]:
    with client(nginx) as made:
        yield made


def test_both_groups_answer(http):
    body = jpeg(300, 200, seed=1)
    image = http.post("/v1/images", params={"variant": THUMB}, content=body).json()
    assert http.get(f"/i/{image['id']}").content == body
    part = http.get(f"/i/{image['id']}", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, body[:10])
    assert http.get(f"/i/{image['id']}/{THUMB}").headers["Content-Type"] == "image/webp"


def test_answers_come_as_they_are_made(http):
    """Verdicts of a manifest arrive while it is still being sent: nginx keeps nothing back."""
    batch = http.post("/v1/batches", json={"name": "streamed"}).json()
    lines_sent = 0

    def manifest() -> Iterator[bytes]:
        nonlocal lines_sent
        for lines_sent in range(1, LINES + 1):
            yield b'{"ref": "%d", "source": "upload"}\n' % lines_sent

    path = f"/v1/batches/{batch['id']}/items"
    kind = {"Content-Type": "application/x-ndjson"}
    with http.stream("POST", path, content=manifest(), headers=kind) as answer:
        assert sum(1 for _ in answer.iter_lines()) == LINES
    assert lines_sent == LINES


def test_a_large_body_is_not_refused_on_the_way(http):
    answer = http.post("/v1/images", content=b"x" * 20_000_000)
    assert answer.status_code == 415
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_one_process_of_each_group_may_go(http, cluster):
    image = http.post("/v1/images", content=jpeg(120, 80, seed=2)).json()["id"]
    for role in ("upload-api", "download-api", "worker"):
        cluster.roles[role][0].stop()
    try:
        for number in range(8):
            answer = http.post(
                "/v1/images", params={"variant": THUMB}, content=jpeg(90, 90, seed=10 + number)
            )
            assert answer.status_code == 201
            assert http.get(f"/i/{image}").status_code == 200
    finally:
        for role in ("upload-api", "download-api", "worker"):
            cluster.roles[role][0].start()
