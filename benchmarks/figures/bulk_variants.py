"""Photographs with two variants each, in bulk, while single uploads go on.

Batches and the engines alone take turns: machines here change their pace within minutes.
"""

import asyncio
import io
import json
import os
import tarfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.client import ask, connect
from benchmarks.missing import Wrong
from benchmarks.photographs import numbered, photographs, small, with_serial
from benchmarks.results import Row
from benchmarks.rounds import Spread
from benchmarks.servers import Server, filmroll
from filmroll.engine.pool import EnginePool
from filmroll.instructions import parse

TITLE = "Bulk: 10,000 photographs of 50 to 300 KB with two variants each"

_BATCHES = 4
_ITEMS = 2_500  # of each batch
_ARCHIVED = 250  # items of one archive
_ALONE = 600  # for the engines alone, before and after each batch
_VARIANTS = ("resize:width=512/output:quality=80", "resize:width=200,height=200/output:format=webp")
_WIDTHS = (900, 1100, 1400, 1700)
_ENGINES = (os.cpu_count() or 1) + 1
_SHARE = 0.85
_SLOWER = 3.0
_PAUSE_SECONDS = 0.2
_JSON = "application/json"
_IDLE_SECONDS = 15.0


def run(folder: Path, rounds: int) -> list[Row]:
    """Measure batches with the engines alone between them, then single uploads beside one more."""
    templates = _templates(folder.parent / "photographs")
    originals = _originals(folder / "originals", templates)
    del rounds  # 10,000 pictures are many rounds
    alone = [asyncio.run(_engines_alone(originals))]
    rates = []
    with filmroll(folder) as server:
        for _ in range(_BATCHES):
            rates.append(_batch(server, templates, _ITEMS))
            alone.append(asyncio.run(_engines_alone(originals)))
        idle = _Singles(server, templates)
        idle.during(lambda: time.sleep(_IDLE_SECONDS))
        busy = _Singles(server, templates)
        busy.during(lambda: _batch(server, templates, _ITEMS))
    shares = [2 * rate / sum(alone[at : at + 2]) for at, rate in enumerate(rates)]
    share = median(shares)
    slower = busy.p95 / idle.p95
    sizes = sorted(len(body) for body, _ in templates)
    return [
        Row.of(
            "images ready with both variants",
            Spread.of(rates),
            "/s",
            limit=f"≥ {_SHARE:.0%} of the engines alone",
            met=share >= _SHARE,
            note=f"{share:.0%} ({min(shares):.0%} – {max(shares):.0%}); "
            f"{sizes[0]:,} to {sizes[-1]:,} bytes each",
        ),
        Row.of(
            f"the engine alone, in {_ENGINES} processes", Spread.of(alone), "/s", note="in turn"
        ),
        Row.single("single upload with a 512 px variant, idle, p95", idle.p95, "ms"),
        Row.single(
            "single upload with a 512 px variant, during the batch, p95",
            busy.p95,
            "ms",
            limit=f"≤ {_SLOWER:.0f} × idle",
            met=slower <= _SLOWER,
            note=f"{slower:.2f} ×; {len(busy.milliseconds)} uploads",
        ),
    ]


def _templates(folder: Path) -> list[tuple[bytes, int]]:
    pictures = photographs(folder)[:40]
    widths = _WIDTHS * (len(pictures) // len(_WIDTHS))
    return [with_serial(small(path, width)) for path, width in zip(pictures, widths, strict=True)]


def _originals(folder: Path, templates: list[tuple[bytes, int]]) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number}.jpg" for number in range(len(templates))]
    for path, template in zip(paths, templates, strict=True):
        path.write_bytes(template[0])
    return paths


async def _engines_alone(originals: list[Path]) -> float:
    """Return pictures per second through engine processes with nothing around them.

    There are as many as the service has: one more than processors keeps those busy.
    """
    pool = EnginePool(_ENGINES)
    await pool.start()
    wanted = [parse(text) for text in _VARIANTS]
    todo = iter(originals * (_ALONE // len(originals)))

    async def work() -> None:
        for path in todo:
            with path.open("rb") as file:
                made = await pool.make(file, wanted, {})
            if not all(hasattr(one, "data") for one in made):
                raise Wrong(f"the engine alone made {made}")

    start = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(2 * _ENGINES)))
    seconds = time.perf_counter() - start
    await pool.close()
    return _ALONE / seconds


def _batch(server: Server, templates: list[tuple[bytes, int]], items: int) -> float:
    """Send a batch and wait for it; return images ready per second, over all of that time."""
    serial = time.time_ns() // 1000
    # Packed beforehand: nobody else in this process could do a thing meanwhile.
    archives = [
        _archive(templates, serial, range(first, min(first + _ARCHIVED, items)))
        for first in range(0, items, _ARCHIVED)
    ]
    with closing(connect(server)) as connection:
        body = json.dumps({"variants": _VARIANTS}).encode()
        batch = json.loads(ask(connection, "POST", "/v1/batches", body, 201, media_type=_JSON))[
            "id"
        ]
        start = time.perf_counter()
        for archive in archives:
            ask(connection, "POST", f"/v1/batches/{batch}/archive", archive)
        ask(connection, "POST", f"/v1/batches/{batch}/seal")
        while True:
            found = json.loads(ask(connection, "GET", f"/v1/batches/{batch}"))
            if found["finished_at"]:
                break
            time.sleep(0.2)
        seconds = time.perf_counter() - start
    if found["state"] != "completed" or found["counts"]["succeeded"] != items:
        raise Wrong(f"the batch ended as {found}")
    return items / seconds


def _archive(templates: list[tuple[bytes, int]], serial: int, numbers: range) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for number in numbers:
            body = numbered(templates[number % len(templates)], serial + number)
            member = tarfile.TarInfo(f"{number:05}.jpg")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return archive.getvalue()


@dataclass
class _Singles:
    """Single uploads, one at a time with pauses, while something else goes on."""

    server: Server
    templates: list[tuple[bytes, int]]
    milliseconds: list[float] = field(default_factory=list)

    def during(self, work: Callable[[], object]) -> None:
        """Upload until ``work`` has ended."""
        ended = threading.Event()
        thread = threading.Thread(target=self._upload, args=[ended])
        thread.start()
        work()
        ended.set()
        thread.join()

    @property
    def p95(self) -> float:
        """The time that one in twenty takes longer than."""
        return sorted(self.milliseconds)[int(len(self.milliseconds) * 0.95)]

    def _upload(self, ended: threading.Event) -> None:
        serial = time.time_ns() // 1000
        with closing(connect(self.server)) as connection:
            while not ended.wait(_PAUSE_SECONDS):
                serial += 1
                body = numbered(self.templates[serial % len(self.templates)], serial)
                start = time.perf_counter()
                ask(connection, "POST", "/v1/images?variant=resize:width=512", body, 201)
                self.milliseconds.append((time.perf_counter() - start) * 1000)
