"""An archive of 2 GiB in parts of 64 MiB, 8 at once; killed and resumed; the same by tus."""

import json
import os
import shutil
import signal
import tarfile
import threading
import time
from contextlib import closing, suppress
from hashlib import sha256
from http.client import HTTPException
from io import BytesIO
from pathlib import Path

from tusclient.client import TusClient

from benchmarks import parts
from benchmarks.client import ask, connect
from benchmarks.disk import sync
from benchmarks.missing import Wrong
from benchmarks.photographs import numbered, photographs, small, with_serial
from benchmarks.processes import peak
from benchmarks.results import Row
from benchmarks.rounds import Spread, alternate
from benchmarks.servers import Server, filmroll

TITLE = "Large: an archive of 2 GiB in parts of 64 MiB, 8 at once"

_BYTES = 2 << 30
_WIDTH = 1100
_SHARE = 0.7
_MEMORY_MB = 150
_PEAK_MIB = _MEMORY_MB * 1e6 / (1 << 20)
_LOOK_SECONDS = 0.05
_ENDED = {"completed", "failed"}


def run(folder: Path, rounds: int) -> list[Row]:
    """Measure sending beside ``cp`` and fsync; then kill, resume, unpack; then the same by tus."""
    archive = folder / "photographs.tar"
    members = _pack(archive, folder.parent / "photographs")
    size = archive.stat().st_size
    with filmroll(folder) as server:
        rates = alternate(
            {
                "parts": lambda: size / _sent(server, archive) / 1e6,
                "cp": lambda: size / _copied(archive, folder / "copy.tar") / 1e6,
            },
            min(rounds, 3),
        )
    upload, before = _killed_half_way(folder, archive)
    with filmroll(folder) as server:
        there = _etags(server, upload)
        start = time.perf_counter()
        missing = sorted(set(parts.numbers(archive)) - there.keys())
        parts.send(server, upload, archive, missing)
        parts.complete(server, upload, _etags(server, upload))
        batch = _ended(server, upload)
        unpacked = time.perf_counter() - start
        _check(server, batch, members)
        after = peak(server.pids[0])
    with filmroll(folder) as server:
        start = time.perf_counter()
        batch = _by_tus(server, archive)
        by_tus = time.perf_counter() - start
        _check(server, batch, members)
        tus = peak(server.pids[0])
    share = rates["parts"].median / rates["cp"].median
    highest = max(before, after, tus)
    return [
        Row.of(
            "parts, durable when acknowledged",
            rates["parts"],
            "MB/s",
            limit=f"≥ {_SHARE} of cp + fsync",
            met=share >= _SHARE,
            note=f"{share:.2f} ×; {size:,} bytes",
        ),
        Row.of("cp, then fsync", rates["cp"], "MB/s"),
        Row.of(
            "memory of the service, peak",
            Spread.of([before, after, tus]),
            "MiB",
            limit=f"≤ {_MEMORY_MB} MB = {_PEAK_MIB:.0f} MiB",
            met=highest <= _PEAK_MIB,
            note="until the kill, after it, and by tus",
        ),
        Row.single(
            "parts that were there after kill -9",
            len(there),
            "parts",
            note=f"of {len(parts.numbers(archive))}",
        ),
        Row.single(
            "the rest sent, all of it unpacked", unpacked, "s", note=f"{len(members):,} images"
        ),
        Row.single("sent by tuspy and unpacked", by_tus, "s", note="every ref once, every sha256"),
    ]


def _pack(archive: Path, folder: Path) -> dict[str, str]:
    """Write the archive; return the digest of each of its members."""
    templates = [with_serial(small(path, _WIDTH)) for path in photographs(folder)[:40]]
    members: dict[str, str] = {}
    written = 0
    with tarfile.open(archive, "w") as tar:
        while written < _BYTES:
            number = len(members)
            body = numbered(templates[number % len(templates)], number)
            member = tarfile.TarInfo(f"{number % 100:02}/{number:06}.jpg")
            member.size = len(body)
            tar.addfile(member, BytesIO(body))
            members[member.name] = sha256(body).hexdigest()
            written += len(body) + 1024
    return members


def _sent(server: Server, archive: Path) -> float:
    """Return the seconds until all parts are acknowledged; the upload is given up then."""
    upload = parts.begin(server, purpose="archive", bytes=archive.stat().st_size)
    start = time.perf_counter()
    parts.send(server, upload, archive, parts.numbers(archive))
    seconds = time.perf_counter() - start
    with closing(connect(server)) as connection:
        ask(connection, "DELETE", f"/v1/uploads/{upload}", None, 204)
    return seconds


def _copied(archive: Path, copy: Path) -> float:
    start = time.perf_counter()
    shutil.copyfile(archive, copy)
    sync(copy)
    seconds = time.perf_counter() - start
    copy.unlink()
    return seconds


def _killed_half_way(folder: Path, archive: Path) -> tuple[str, float]:
    """Send until half of the parts are there, then kill the service; return upload and memory."""
    half = len(parts.numbers(archive)) // 2
    with filmroll(folder) as server:
        upload = parts.begin(server, purpose="archive", bytes=archive.stat().st_size)
        sending = threading.Thread(target=_send_until_it_breaks, args=(server, upload, archive))
        sending.start()
        while len(_etags(server, upload)) < half:
            time.sleep(_LOOK_SECONDS)
        memory = peak(server.pids[0])
        os.kill(server.pids[0], signal.SIGKILL)
        sending.join()
    return upload, memory


def _send_until_it_breaks(server: Server, upload: str, archive: Path) -> None:
    with suppress(OSError, HTTPException):
        parts.send(server, upload, archive, parts.numbers(archive))


def _etags(server: Server, upload: str) -> dict[int, str]:
    items = parts.look(server, upload)["items"]
    assert isinstance(items, list)
    return {int(part["n"]): str(part["etag"]) for part in items}


def _ended(server: Server, upload: str) -> str:
    """Wait until an archive is unpacked; return its batch."""
    while (found := parts.look(server, upload))["state"] not in _ENDED:
        time.sleep(_LOOK_SECONDS)
    if found["state"] != "completed":
        raise Wrong(f"the upload ended as {found}")
    return str(found["batch"])


def _by_tus(server: Server, archive: Path) -> str:
    """Send the archive by tuspy and wait until it is unpacked; return its batch."""
    client = TusClient(f"{server.url}/v1/tus")
    metadata = {"filename": archive.name, "purpose": "archive"}
    sender = client.uploader(str(archive), chunk_size=parts.PART_BYTES, metadata=metadata)
    sender.upload()
    with closing(connect(server)) as connection:
        batch = str(json.loads(ask(connection, "GET", "/v1/batches?limit=1"))["items"][0]["id"])
        while not json.loads(ask(connection, "GET", f"/v1/batches/{batch}"))["sealed_at"]:
            time.sleep(_LOOK_SECONDS)
    return batch


def _check(server: Server, batch: str, members: dict[str, str]) -> None:
    """Raise Wrong unless every member is an image, once, with its own bytes."""
    with closing(connect(server)) as connection:
        text = ask(connection, "GET", f"/v1/batches/{batch}/results")
    lines = [json.loads(line) for line in text.splitlines()]
    found = {line["ref"]: line["sha256"] for line in lines if line["state"] == "succeeded"}
    if len(lines) != len(members) or found != members:
        raise Wrong(f"{len(members)} members, {len(lines)} lines, {len(found)} images")
    if len({line["image"] for line in lines}) != len(lines):
        raise Wrong("two lines name one image")
