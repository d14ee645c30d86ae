"""Variants that are asked for the first time: photographs of 2,040 px → JPEG of 512 px."""

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
_CONNECTIONS = 8
_PROCESSES = 2
_SIZE = (512, round(512 * HEIGHT / WIDTH))
_SCORED = 6  # every so manieth picture
_FILMROLL, _ENGINE, _VIPS = "Filmroll", "Filmroll's engine, called directly", "libvips thumbnail"


@dataclass
class _Subject:
    """Who makes the pictures, and those made last."""

    burst: Callable[[], Burst]
    pictures: Sequence[bytes] = field(default=())

    def measure(self) -> float:
        """Make a picture of every photograph, check their dimensions, return the rate."""
        burst = self.burst()
        found = quality.sizes(burst.bodies)
        if found != {("jpegload_buffer", *_SIZE)}:
            raise Wrong(f"pictures of other kinds or sizes than {_SIZE}: {found}")
        self.pictures = burst.bodies
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
            peers.thumbor_version(),
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
    rivals = [name for name in subjects if name not in {_FILMROLL, _ENGINE, _VIPS}]
    own_bytes = sum(map(len, subjects[_FILMROLL].pictures))
    rows = []
    for name, subject in subjects.items():
        scored = dict(zip(files[::_SCORED], subject.pictures[::_SCORED], strict=True))
        score = quality.score(scored, *_SIZE)
        size = sum(map(len, subject.pictures))
        note = (
            f"{size / len(files) / 1000:.1f} kB a picture, PSNR {score.psnr:.1f} dB, "
            f"SSIM {score.ssim:.4f}"
        )
        if name != _FILMROLL:
            note += f"; Filmroll is {own / reached[name].median:.2f} × as fast"
        rows.append(Row.of(name, reached[name], "/s", note=note))
    return rows + [
        row
        for name in rivals
        for row in _verdicts(name, own / reached[name].median, own_bytes, subjects[name])
    ]


def _verdicts(name: str, times: float, own_bytes: int, rival: _Subject) -> list[Row]:
    size = own_bytes / sum(map(len, rival.pictures))
    return [
        Row(
            subject=f"Filmroll : {name}",
            value=round(times, 2),
            unit="× as fast",
            limit=f"≥ {_TIMES}",
            met=times >= _TIMES,
        ),
        Row(
            subject=f"Filmroll : {name}",
            value=round(size, 3),
            unit="× the bytes",
            limit="0.9 – 1.1",
            met=0.9 <= size <= 1.1,
        ),
    ]
