"""Durable uploads of small bodies that all differ, beside tus without any sync and the disk."""

import random
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from benchmarks import disk, peers
from benchmarks.client import ask, catalogue, connect
from benchmarks.missing import Missing, Wrong
from benchmarks.photographs import SERIAL_DIGITS, photographs, small, with_serial
from benchmarks.results import Row
from benchmarks.rounds import Spread, alternate
from benchmarks.servers import Server, filmroll
from benchmarks.wrk import wrk

TITLE = "Durable uploads, raw body, 32 connections, no two alike"

_CONNECTIONS = 32
_SECONDS = 5
_SAMPLE = 200
_NUMBERS = 10_000_000  # per measurement; each begins where none before it came to
_LIMITS = {"Filmroll, 4 KB": 1200, "Filmroll, 80 KB": 1000}


@dataclass
class Uploads:
    """Uploads of one template to one server; ``answered`` holds the Locations of its 201s."""

    server: Server
    folder: Path
    template: tuple[bytes, int]
    environment: dict[str, str]  # for the script: TARGET
    answered: list[str] = field(default_factory=list)
    measured: int = 0

    def measure(self) -> float:
        """Upload for some seconds; every answer has to be a 201."""
        body, offset = self.template
        self.folder.mkdir(exist_ok=True)
        (self.folder / "body").write_bytes(body)
        environment = {
            "BODY": str(self.folder / "body"),
            "OFFSET": str(offset),
            "DIGITS": str(SERIAL_DIGITS),
            "FIRST": str(self.measured * _NUMBERS),
            "OUT": str(self.folder / "answers-"),
        }
        self.measured += 1
        load = wrk(
            self.server.url,
            _CONNECTIONS,
            _SECONDS,
            "upload.lua",
            **environment,
            **self.environment,
        )
        self._count()
        return load.rate

    def _count(self) -> None:
        lines = "".join(path.read_text() for path in self.folder.glob("answers-*")).splitlines()
        statuses = {line.split()[0] for line in lines}
        if statuses != {"201"}:
            raise Wrong(f"not every answer was 201: {statuses}")
        self.answered += [line.split()[1] for line in lines]


def run(folder: Path, rounds: int) -> list[Row]:
    """Measure Filmroll with both sizes, tus with the small one, and the disk, in turn."""
    photograph = photographs(folder.parent / "photographs")[0]
    little = with_serial(small(photograph, 96), 4096)
    larger = with_serial(small(photograph, 640), 80_000)
    rival = f"{peers.npm_version('@tus/server')} without fsync, 4 KB"
    skipped = []
    with ExitStack() as stack:
        server = stack.enter_context(filmroll(folder))
        own = {
            "Filmroll, 4 KB": Uploads(server, folder / "4", little, {"TARGET": "/v1/images"}),
            "Filmroll, 80 KB": Uploads(server, folder / "80", larger, {"TARGET": "/v1/images"}),
        }
        subjects = {name: uploads.measure for name, uploads in own.items()}
        try:
            tus = stack.enter_context(peers.tus(folder, processes=2))
            headers = {"TARGET": "/files", "TUS": "1"}
            subjects[rival] = Uploads(tus, folder / "by-tus", little, headers).measure
        except Missing as missing:
            skipped.append(Row.skipped(rival, missing))
        subjects |= _floors(folder / "floor", little[0], larger[0])
        reached = alternate(subjects, rounds)
        note = checked(server, list(own.values()))
    return [_row(name, spread, note) for name, spread in reached.items()] + skipped


def _floors(folder: Path, little: bytes, larger: bytes) -> dict[str, Callable[[], float]]:
    folder.mkdir()
    return {
        "the disk, 4 KB, an fsync each": lambda: disk.one_by_one(folder, little),
        "the disk, 4 KB, 32 share a syncfs": lambda: disk.in_groups(folder, little),
        "the disk, 80 KB, an fsync each": lambda: disk.one_by_one(folder, larger),
        "the disk, 80 KB, 32 share a syncfs": lambda: disk.in_groups(folder, larger),
    }


def _row(name: str, spread: Spread, note: str) -> Row:
    limit = _LIMITS.get(name)
    if limit is None:
        return Row.of(name, spread, "/s")
    met = spread.median >= limit
    return Row.of(name, spread, "/s", limit=f"≥ {limit:,}", met=met, note=note)


def checked(server: Server, all_uploads: list[Uploads], besides: int = 0) -> str:
    """Hold the catalog against the answers, and a sample of the originals against both.

    ``besides``: how many more images were uploaded by others.
    """
    answered = [Path(place).name for uploads in all_uploads for place in uploads.answered]
    there = {str(image["id"]): str(image["sha256"]) for image in catalogue(server)}
    # When wrk hung up: at most one on each connection.
    under_way = len(there) - len(answered) - besides
    if not set(answered) <= there.keys() or len(set(there.values())) != len(there):
        raise Wrong("an image that was answered with 201 is not in the catalog, or is there twice")
    if under_way > _CONNECTIONS * sum(uploads.measured for uploads in all_uploads):
        raise Wrong(f"{under_way} images are in the catalog beside those that were answered")
    with closing(connect(server)) as connection:
        for image in random.sample(answered, _SAMPLE):
            if sha256(ask(connection, "GET", f"/i/{image}")).hexdigest() != there[image]:
                raise Wrong(f"image {image} came back with other bytes")
    return (
        f"all {len(answered):,} answered with 201 are in the catalog, and {under_way} more whose "
        f"answer wrk did not wait for; {_SAMPLE} read back with their sha256"
    )
