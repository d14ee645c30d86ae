"""Archives that tests send, and what is said of their members."""

import gzip
import json
import socket
import sys
import zipfile
from contextlib import suppress

from tests.e2e.bulk import View
from tests.samples import tiny_jpeg
from tests.unit.archives.making import tar, zip_

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FILES = {f"dir {n % 3}/{n:03}.jpg": tiny_jpeg(n, 3000 + n) for n in range(150)}
KINDS = {
    "tar": tar,
    "tar.gz": lambda files: gzip.compress(tar(files), 1),
    "tar.zst": lambda files: zstd.compress(tar(files)),
    "zip": zip_,
    "zip, stored": lambda files: zip_(files, zipfile.ZIP_STORED),
    "zip into a pipe": lambda files: zip_(files, one_way=True),
}


def told(verdicts: list[View]) -> dict[str, str]:
    """Return what was said of each member; each has one answer."""
    found = {one["ref"]: one["state"] for one in verdicts}
    assert len(found) == len(verdicts)
    return found


def totals(**figures: int) -> View:
    sums = {"stored": 0, "have": 0, "rejected": 0, "skipped": 0} | figures
    return {"members": sum(sums.values()), **sums}


def read_all(connection: socket.socket) -> bytes:
    parts = []
    with suppress(ConnectionError, TimeoutError):
        connection.settimeout(2)
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def ndjson_lines(answer: bytes) -> list[View]:
    """Return the whole JSON lines in an answer as it came, head, chunk sizes and all."""
    found = []
    for line in answer.splitlines():
        with suppress(ValueError):
            one = json.loads(line)
            if isinstance(one, dict):
                found.append(one)
    return found
