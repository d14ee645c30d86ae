"""Variants that are asked for the first time: 2,040 px → 512 px, each format to itself."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import direct, peers, quality
from benchmarks.client import Burst, fetch, upload
from benchmarks.missing import Missing, Wrong
from benchmarks.photographs import HEIGHT, WIDTH, photographs, rewritten
from benchmarks.results import Row
from benchmarks.rounds import Spread, alternate
from benchmarks.servers import Server, filmroll

TITLE = "Cold variants over HTTP, 2,040 px photographs → 512 px, 8 connections"

_SIZES = (0.9, 1.1)
_CONNECTIONS = 8
_PROCESSES = 2
_SIZE = (512, round(512 * HEIGHT / WIDTH))
_SCORED = 6  # every so manieth picture
_FILMROLL, _ENGINE, _VIPS = "Filmroll", "Filmroll's engine, called directly", "libvips thumbnail"


@dataclass(frozen=True, slots=True)
class _Kind:
    """A format: what is asked for in it, and how much faster than the better peer we mean to be."""

    name: str
    loader: str  # libvips' name of what reads the results
    times: float
    quality: int | None
    count: int  # of photographs

    @property
    def output(self) -> str:
        """The last of Filmroll's instructions."""
        return f"output:format={self.name}" + (f",quality={self.quality}" if self.quality else "")

    def peer_paths(self) -> Mapping[str, str]:
        """Return what is asked of each peer, with a place for the file's name."""
        with_ipx = f",q_{self.quality}" if self.quality else ""
        with_thumbor = f":quality({self.quality})" if self.quality else ""
        return {
            "ipx": f"/w_512,f_{self.name}{with_ipx}/{{}}",
            "thumbor": f"/unsafe/512x0/filters:format({self.name}){with_thumbor}/{{}}",
        }


_KINDS = (
    _Kind("jpeg", "jpegload_buffer", 1.3, 80, 210),
    _Kind("png", "pngload_buffer", 2, None, 40),
    _Kind("webp", "webpload_buffer", 1.15, 75, 40),
    _Kind("avif", "heifload_buffer", 1.25, 65, 40),
)


@dataclass
class _Subject:
    """Who makes the pictures, and those made last."""

    burst: Callable[[], Burst]
    kind: _Kind
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
        if found != {(self.kind.loader, *_SIZE)}:
            raise Wrong(f"pictures of other kinds or sizes than {_SIZE}: {found}")
        self.pictures = burst.bodies
        self.processor_ms.append(burst.processor_ms)
        return burst.rate


def run(folder: Path, rounds: int) -> list[Row]:
    """Measure Filmroll, its peers and libvips itself in turn, a format after the other."""
    originals = photographs(folder.parent / "photographs")
    return [
        row for kind in _KINDS for row in _measured(folder / kind.name, kind, originals, rounds)
    ]


def _measured(folder: Path, kind: _Kind, originals: Sequence[Path], rounds: int) -> Iterator[Row]:
    """Sources and results are in one format, as in imgproxy's own comparison."""
    folder.mkdir()
    sources = originals[0].parent / kind.name
    files = rewritten(originals[:: len(originals) // kind.count], sources, kind.name)
    skipped: list[Row] = []
    with ExitStack() as stack:
        own = stack.enter_context(filmroll(folder))
        pool = stack.enter_context(direct.workers(_PROCESSES))
        subjects = {_FILMROLL: _Subject(lambda: _own_burst(own, kind, files), kind)}
        for name, opening, path in _peers(folder, sources, kind):
            try:
                server = stack.enter_context(opening)
                subject = _peer(server, kind, [path.format(file.name) for file in files])
                subject.measure()
            except (Missing, Wrong) as missing:
                skipped.append(Row.skipped(f"{kind.name}: {name}", Missing(f"{missing}"[:200])))
                print(f"  SKIPPED {kind.name}, {name}: {missing}", flush=True)
            else:
                subjects[name] = subject
        by_engine = partial(direct.by_engine, f"resize:width=512/{kind.output}")
        subjects[_ENGINE] = _directly(pool, by_engine, kind, files)
        if kind.name == "jpeg":
            subjects[_VIPS] = _directly(pool, direct.by_thumbnail, kind, files)
        measures = {name: subject.measure for name, subject in subjects.items()}
        reached = alternate(measures, rounds)
    yield from _rows(kind, subjects, reached, files)
    yield from skipped


def _peers(
    folder: Path, sources: Path, kind: _Kind
) -> Sequence[tuple[str, AbstractContextManager[Server], str]]:
    ipx = f"{peers.npm_version('ipx')}, {peers.npm_version('sharp')}"
    paths = kind.peer_paths()
    return (
        (ipx, peers.ipx(folder, sources, _PROCESSES), paths["ipx"]),
        (
            peers.pip_version("thumbor"),
            peers.thumbor(folder, sources, _PROCESSES),
            paths["thumbor"],
        ),
    )


def _peer(server: Server, kind: _Kind, paths: Sequence[str]) -> _Subject:
    return _Subject(lambda: fetch(server, paths, _CONNECTIONS), kind)


def _directly(
    pool: ProcessPoolExecutor, make: direct.Maker, kind: _Kind, files: Sequence[Path]
) -> _Subject:
    return _Subject(lambda: direct.burst(pool, make, files), kind)


def _own_burst(server: Server, kind: _Kind, files: Sequence[Path]) -> Burst:
    """Upload everything anew first: what was asked for once is kept, and no longer cold."""
    images = upload(server, files)
    paths = [f"/i/{image}/resize:width=512/{kind.output}" for image in images]
    return fetch(server, paths, _CONNECTIONS)


def _rows(
    kind: _Kind,
    subjects: dict[str, _Subject],
    reached: dict[str, Spread],
    files: Sequence[Path],
) -> Iterator[Row]:
    own = reached[_FILMROLL].median
    scores = {}
    for name, subject in subjects.items():
        scored = dict(zip(files[::_SCORED], subject.pictures[::_SCORED], strict=True))
        scores[name] = quality.score(scored, *_SIZE)
        note = (
            f"{statistics.median(subject.processor_ms):.1f} ms of a processor and "
            f"{subject.bytes / len(files) / 1000:.1f} kB a picture, "
            f"PSNR {scores[name].psnr:.1f} dB, SSIM {scores[name].ssim:.4f}; "
            f"Filmroll is {own / reached[name].median:.2f} × as fast"
        )
        yield Row.of(f"{kind.name}: {name}", reached[name], "/s", note=note)
    peers_there = subjects.keys() - {_FILMROLL, _ENGINE, _VIPS}
    if peers_there:
        best = max(peers_there, key=lambda name: reached[name].median)
        size = subjects[_FILMROLL].bytes / subjects[best].bytes
        better = scores[_FILMROLL].ssim - scores[best].ssim
        yield from _verdicts(kind, best, own / reached[best].median, size, better)


def _verdicts(kind: _Kind, best: str, times: float, size: float, better: float) -> Iterator[Row]:
    subject = f"{kind.name}: Filmroll : the better peer, {best}"
    yield Row(
        subject=subject,
        value=round(times, 2),
        unit="× as fast",
        limit=f"≥ {kind.times}",
        met=times >= kind.times,
    )
    low, high = _SIZES
    yield Row(
        subject=subject,
        value=round(size, 3),
        unit="× the bytes",
        limit=f"{low} – {high}",
        met=low <= size <= high,
        note=f"SSIM {better:+.4f}",
    )
