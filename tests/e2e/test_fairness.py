"""Requests made to cost: whoever else asks is answered meanwhile as usual."""

import gzip
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from benchmarks.processes import processor_seconds
from tests.e2e.bulk import NDJSON, new_batch
from tests.e2e.service import Service

PACKED = NDJSON | {"Content-Encoding": "gzip"}
# So much may the service work while somebody waits; how long that takes is the machine's affair.
LONGEST_SECONDS = 0.5


def pax(records: bytes) -> bytes:
    """Return a pax header, and the member that it belongs to."""
    extension, member = tarfile.TarInfo("pax"), tarfile.TarInfo("a.txt")
    extension.type, extension.size = tarfile.XHDTYPE, len(records)
    padding = bytes(-len(records) % tarfile.BLOCKSIZE)
    return b"".join((extension.tobuf(), records, padding, member.tobuf()))


COSTLY = {
    "blank lines": ("items", PACKED, gzip.compress(b"\n" * (16 << 20))),
    "lines out of form": ("items", PACKED, gzip.compress(b"7\n" * 150_000)),
    "pax records": ("archive", {}, gzip.compress(pax(b"6 a=1\n" * 1000) * 2000 + bytes(1024))),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_others_do_not_wait_for_it(service: Service, http: httpx.Client, kind: str) -> None:
    feed, headers, body = COSTLY[kind]
    path = f"/v1/batches/{new_batch(http)}/{feed}"

    def send() -> int:
        with service.client() as sender:
            return sender.post(path, content=body, headers=headers).status_code

    longest = 0.0
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(send)
        while not sending.done():
            before = worked(service)
            assert http.get("/healthz", timeout=10).status_code == 200
            longest = max(longest, worked(service) - before)
            time.sleep(0.01)
    assert sending.result() == 200
    assert longest < LONGEST_SECONDS


def worked(service: Service) -> float:
    """Return how many seconds its processes have worked so far."""
    return sum(map(processor_seconds, service.pids))
