"""Whole batches on their way out when disks or clients fail, and what that costs in memory."""

import hashlib
import io
import re
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import httpx
import pytest

from filmroll.model import original_key
from tests.e2e.raw import connected, head
from tests.e2e.service import IMPATIENT, Service, until
from tests.e2e.stored import Stored
from tests.e2e.test_export import (
    KINDS,
    LARGE_BYTES,
    export,
    large_jpeg,
    new_batch,
    refused,
    results,
)
from tests.samples import jpeg, tiny_jpeg
from tests.unit.archives.making import tar

HARMS: Mapping[str, Callable[[Stored, str], object]] = {
    "gone": lambda stored, key: stored.remove(key),
    "short": lambda stored, key: stored.write(key, stored.read(key)[:-1]),
    "changed": lambda stored, key: stored.write(key, stored.read(key)[:-1] + b"x"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [4096, LARGE_BYTES])
@pytest.mark.parametrize("harm", HARMS)
def test_bytes_that_are_lost_never_pass_for_a_whole_archive(
    service: Service, http: httpx.Client, kind: str, size: int, harm: str
) -> None:
    files = {f"{number}.jpg": large_jpeg(number, size) for number in range(100)}
    batch = new_batch(http, files)
    lost = results(http, batch)[-2]["image"]
    HARMS[harm](Stored(service.data), original_key(lost))
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(f"/i/batches/{batch}.{kind}")
    assert open_blobs(service) == 0
    until(lambda: f"The image {lost} cannot be read." in service.log.read_text())


def test_what_is_lost_before_the_first_byte_is_a_problem(
    service: Service, http: httpx.Client
) -> None:
    batch = new_batch(http, {"a.jpg": tiny_jpeg(1)})
    Stored(service.data).remove(original_key(results(http, batch)[0]["image"]))
    refused(http.get(f"/i/batches/{batch}.zip"), 500, "internal-error")


def open_blobs(service: Service) -> int:
    """Count the pictures that a service has open."""
    count = 0
    for entry in chain.from_iterable(Path(f"/proc/{pid}/fd").iterdir() for pid in service.pids):
        try:
            name = str(entry.readlink())
            count += "/blobs/o/" in name or "/opened/" in name
        except FileNotFoundError:
            continue
    return count


def ended(service: Service, batch: str) -> bool:
    """Whether the service has written down how the download of a batch ended."""
    return any(
        '"event":"request"' in line and f"/i/batches/{batch}" in line
        for line in service.log.read_text().splitlines()
    )


def test_a_client_that_leaves_leaves_nothing_behind(service: Service, http: httpx.Client) -> None:
    batch = new_batch(http, {f"{number}.jpg": large_jpeg(number) for number in range(100)})
    with connected(service) as connection:
        connection.sendall(head("GET", f"/i/batches/{batch}.tar"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert not ended(service, batch), "40 MB are not on their way at once"
    until(lambda: ended(service, batch))
    until(lambda: open_blobs(service) == 0)


def test_nothing_is_made_for_a_client_that_left(service: Service, http: httpx.Client) -> None:
    batch = new_batch(
        http, {f"{at}.jpg": jpeg(1200, 900, seed=at % 5, Q=50 + at) for at in range(40)}
    )
    variant = "resize:width=1000/output:format=png"  # 1.6 MB each: more than sockets hold
    with connected(service) as connection:
        connection.sendall(head("GET", f"/i/batches/{batch}.zip?variant={variant}"))
        connection.recv(1000)
        time.sleep(0.2)
        assert not ended(service, batch), "64 MB are not on their way at once"
    until(lambda: ended(service, batch))
    images = [line["image"] for line in results(http, batch)]
    made = [len(http.get(f"/v1/images/{image}").json()["variants"]) for image in images]
    assert sum(made) < 30
    assert made[-1] == 0


def test_a_client_that_stops_reading_is_given_up(data: Path) -> None:
    with Service(data, module=IMPATIENT) as service, service.client() as http:
        batch = new_batch(http, {f"{number}.jpg": large_jpeg(number) for number in range(100)})
        with connected(service) as connection:
            connection.sendall(head("GET", f"/i/batches/{batch}.tar"))
            until(lambda: ended(service, batch))
            assert open_blobs(service) == 0
            got = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        assert not got.endswith(b"0\r\n\r\n")
        assert "answer given up" in service.log.read_text()


class Stream(io.RawIOBase):
    """A download as a file that can only be read on."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        assert size > 0
        while len(self._held) < size and (chunk := next(self._chunks, b"")):
            self._held += chunk
        taken, self._held = self._held[:size], self._held[size:]
        return taken


@contextmanager
def memory(service: Service) -> Iterator[Callable[[], int]]:
    """Yield what tells by how many bytes the service has grown at most."""
    assert service.process is not None
    folder = Path(f"/proc/{service.process.pid}")

    def peak(name: str) -> int:
        return int(re.search(rf"{name}:\s+(\d+)", (folder / "status").read_text())[1]) << 10

    (folder / "clear_refs").write_text("5")  # the peak begins anew
    start = peak("VmRSS")
    yield lambda: peak("VmHWM") - start


def test_memory_stays_flat(data: Path) -> None:
    with Service(data) as service, service.client() as http:
        batch = new_batch(http)
        for part in range(5):
            files = {f"{part}/{at}.jpg": large_jpeg(part * 600 + at, 100_000) for at in range(600)}
            http.post(f"/v1/batches/{batch}/archive", content=tar(files)).raise_for_status()
        sums = {line["ref"]: line["sha256"] for line in results(http, batch)}
        assert len(sums) == 3000
        export(http, new_batch(http, {"first.jpg": large_jpeg(1)}))
        with memory(service) as grown, http.stream("GET", f"/i/batches/{batch}.tar") as answer:
            stream = Stream(answer.iter_bytes(1 << 18))
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                found = {
                    member.name: hashlib.sha256(archive.extractfile(member).read()).hexdigest()
                    for member in archive
                }
            assert grown() < 24 << 20
        assert found == sums
