"""Variants that are asked for the first time: photographs of 2,040 px → JPEG of 512 px."""

import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import direct, peers, quality
from benchmarks.client import Burst, fetch, upload
from benchmarks.missing import Missing, Wrong
from benchmarks.photographs import HEIGHT, WIDTH, photographs
from benchmarks.results import Row
from benchmarks.rounds import Spread, alternate
from benchmarks.servers import Server, filmroll

TITLE = "Cold variants over HTTP, 2,040 px photographs → 512 px JPEG q80, 8 connections"

_TIMES = 1.25
_SIZES = (0.9, 1.1)
_CONNECTIONS = 8
_PROCESSES = 2
_SIZE = (512, round(512 * HEIGHT / WIDTH))
_SCORED = 6  # every so manieth picture
_FILMROLL, _ENGINE, _VIPS = "Filmroll", "Filmroll's engine, called directly", "libvips thumbnail"


@dataclass
class _Subject:
    """Who makes the pictures, and those made last."""

    burst: Callable[[], Burst]
    pictures: Sequence[bytes] = ()
    processor_ms: list[float] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """How large its pictures are in all."""
        return sum(map(len, self.pictures))

    def measure(self) -> float:
        """Make a picture of every photograph, check their dimensions, return the rate."""
        burst = self.burst()
        found = quality.sizes(burst.bodies)
        if found != {("jpegload_buffer", *_SIZE)}:
            raise Wrong(f"pictures of other kinds or sizes than {_SIZE}: {found}")
        self.pictures = burst.bodies
        self.processor_ms.append(burst.processor_ms)
        return burst.rate


def run(folder: Path, rounds: int) -> list[Row]:
    """Measure Filmroll, its peers and libvips itself in turn."""
    sources = folder.parent / "photographs"
    files = photographs(sources)
    skipped: list[Row] = []
    with ExitStack() as stack:
        own = stack.enter_context(filmroll(folder))
        pool = stack.enter_context(direct.workers(_PROCESSES))
        subjects = {_FILMROLL: _Subject(lambda: _own_burst(own, files))}
        for name, opening, path in _peers(folder, sources):
            try:
                server = stack.enter_context(opening)
            except Missing as missing:
                skipped.append(Row.skipped(name, missing))
                print(f"  SKIPPED {name}: {missing}", flush=True)
            else:
                paths = [path.format(file.name) for file in files]
                subjects[name] = _peer(server, paths)
        subjects[_ENGINE] = _directly(pool, direct.by_engine, files)
        subjects[_VIPS] = _directly(pool, direct.by_thumbnail, files)
        measures = {name: subject.measure for name, subject in subjects.items()}
        reached = alternate(measures, rounds)
    return _rows(subjects, reached, files) + skipped


def _peers(
    folder: Path, sources: Path
) -> Sequence[tuple[str, AbstractContextManager[Server], str]]:
    ipx = f"{peers.npm_version('ipx')}, {peers.npm_version('sharp')}"
    return (
        (ipx, peers.ipx(folder, sources, _PROCESSES), "/w_512,q_80,f_jpeg/{}"),
        (
            peers.pip_version("thumbor"),
            peers.thumbor(folder, sources, _PROCESSES),
            "/unsafe/512x0/filters:quality(80)/{}",
        ),
    )


def _peer(server: Server, paths: Sequence[str]) -> _Subject:
    return _Subject(lambda: fetch(server, paths, _CONNECTIONS))


def _directly(pool: ProcessPoolExecutor, make: direct.Maker, files: Sequence[Path]) -> _Subject:
    return _Subject(lambda: direct.burst(pool, make, files))


def _own_burst(server: Server, files: Sequence[Path]) -> Burst:
    """Upload everything anew first: what was asked for once is kept, and no longer cold."""
    images = upload(server, files)
    paths = [f"/i/{image}/resize:width=512/output:format=jpeg,quality=80" for image in images]
    return fetch(server, paths, _CONNECTIONS)


def _rows(
    subjects: dict[str, _Subject], reached: dict[str, Spread], files: Sequence[Path]
) -> list[Row]:
    own = reached[_FILMROLL].median
    rows = []
    for name, subject in subjects.items():
        scored = dict(zip(files[::_SCORED], subject.pictures[::_SCORED], strict=True))
        score = quality.score(scored, *_SIZE)
        note = (
            f"{statistics.median(subject.processor_ms):.1f} ms of a processor and "
            f"{subject.bytes / len(files) / 1000:.1f} kB a picture, PSNR {score.psnr:.1f} dB, "
            f"SSIM {score.ssim:.4f}; Filmroll is {own / reached[name].median:.2f} × as fast"
        )
        rows.append(Row.of(name, reached[name], "/s", note=note))
    peers_there = subjects.keys() - {_FILMROLL, _ENGINE, _VIPS}
    if peers_there:
        best = max(peers_there, key=lambda name: reached[name].median)
        size = subjects[_FILMROLL].bytes / subjects[best].bytes
        rows += _verdicts(best, own / reached[best].median, size)
    return rows


def _verdicts(best: str, times: float, size: float) -> list[Row]:
    subject = f"Filmroll : the better peer, {best}"
    speed = Row(
        subject=subject,
        value=round(times, 2),
        unit="× as fast",
        limit=f"≥ {_TIMES}",
        met=times >= _TIMES,
    )
    low, high = _SIZES
    bytes_ = Row(
        subject=subject,
        value=round(size, 3),
        unit="× the bytes",
        limit=f"{low} – {high}",
        met=low <= size <= high,
    )
    return [speed, bytes_]
