"""The memory of each engine while it makes thousands of variants of mixed sizes."""

import itertools
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pyvips

from benchmarks.client import fetch, upload
from benchmarks.photographs import large, photographs
from benchmarks.processes import memory
from benchmarks.results import Row
from benchmarks.servers import Server, filmroll

TITLE = "Memory of each engine over 10,000 distinct cold variants, 0.1 to 50 megapixels"

_VARIANTS = 10_000
_HALVES = 2
_MOST = 400e6 / 2**20  # MiB
_EVERY = 0.2  # seconds
# How often a size is asked for, as it is with uploads of people: few are very large.
_MEGAPIXELS = {0.1: 30, 0.8: 30, 2.8: 25, 12.0: 12, 24.0: 2, 50.0: 1}
# JPEG and WebP can be decoded to less than all pixels, PNG row by row.
_SUFFIXES: dict[str, dict[str, object]] = {
    ".jpg": {"Q": 88, "subsample_mode": "on"},
    ".png": {},
    ".webp": {"Q": 88, "effort": 0},
}


class _Watch:
    """Looks at the engines every so often, from a thread of its own."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.most = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(_EVERY):
            try:
                _, *engines = memory(*self._server.pids)
            except (OSError, StopIteration):  # one of them ended while it was looked at
                continue
            self.most = max(self.most, *engines)


def run(folder: Path, _rounds: int) -> list[Row]:
    """Ask for all of them once, half and half: the second half should need no more."""
    with filmroll(folder) as server:
        paths = _paths(server, folder)
        most = []
        for half in range(_HALVES):
            with _Watch(server) as watch:
                fetch(server, paths[half::_HALVES], 8)
            most.append(watch.most)
    first, second = most
    mix = ", ".join(f"{share} % of {size} MP" for size, share in _MEGAPIXELS.items())
    return [
        Row.single("the largest engine, first 5,000", first, "MiB"),
        Row.single("the largest engine, next 5,000", second, "MiB"),
        Row.single(
            "the largest engine, ever",
            max(most),
            "MiB",
            limit=f"≤ {_MOST:.0f}",
            met=max(most) <= _MOST,
            note=mix,
        ),
    ]


def _paths(server: Server, folder: Path) -> list[str]:
    chance = random.Random(6)
    originals = list(itertools.product(_MEGAPIXELS, _SUFFIXES))
    images = dict(zip(originals, upload(server, _sources(folder, originals)), strict=True))
    weights = [_MEGAPIXELS[megapixels] for megapixels, _ in originals]
    chosen = chance.choices(originals, weights, k=_VARIANTS)
    boxes = chance.sample(
        list(itertools.product(range(100, 1600, 10), range(100, 800, 5))), _VARIANTS
    )
    kinds = itertools.cycle(("jpeg", "webp"))
    return [
        f"/i/{images[original]}/resize:width={w},height={h},fit=cover/output:format={kind}"
        for original, (w, h), kind in zip(chosen, boxes, kinds, strict=False)
    ]


def _sources(folder: Path, originals: Sequence[tuple[float, str]]) -> Sequence[Path]:
    """Return one photograph of each size in each format."""
    photos = photographs(folder.parent / "photographs")
    (whole,) = large(photos, folder / "whole", 1)
    files = []
    for megapixels, suffix in originals:
        image = pyvips.Image.new_from_file(str(whole))
        factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
        files.append(folder / f"{megapixels}{suffix}")
        image.resize(factor).write_to_file(str(files[-1]), keep="none", **_SUFFIXES[suffix])
    return files
