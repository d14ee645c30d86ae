"""An animation that is asked for smaller, beside ipx."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pyvips

from benchmarks import peers
from benchmarks.client import fetch, upload
from benchmarks.missing import Missing, Wrong
from benchmarks.photographs import photographs
from benchmarks.results import Row
from benchmarks.rounds import alternate
from benchmarks.servers import Server, filmroll

TITLE = "Animated GIF of 100 frames, 480 px → WebP of 300 px, two at a time"

_FRAMES, _SIZE, _WIDTH = 100, (480, 320), 300
_ANIMATIONS = 4
_PROCESSES = 2
_AT_ONCE = 2  # as many as there are processors: sharp uses both for one picture, we do not


def run(folder: Path, rounds: int) -> list[Row]:
    """Measure in turn."""
    sources = folder / "animations"
    files = _animations(photographs(folder.parent / "photographs"), sources)
    name = f"{peers.npm_version('ipx')}, {peers.npm_version('sharp')}"
    with ExitStack() as stack:
        own = stack.enter_context(filmroll(folder))
        images = itertools.cycle(upload(own, files))
        widths = itertools.count(_WIDTH, -1)
        subjects: dict[str, Callable[[], float]] = {"Filmroll": lambda: _own(own, images, widths)}
        skipped = []
        try:
            ipx = stack.enter_context(peers.ipx(folder, sources, _PROCESSES))
        except Missing as missing:
            skipped.append(Row.skipped(name, missing))
        else:
            subjects[name] = lambda: _rate(
                ipx, [f"/animated,w_{_WIDTH},f_webp/{file.name}" for file in files], _WIDTH
            )
        reached = alternate(subjects, rounds)
    rows = [Row.of(subject, spread, "/s") for subject, spread in reached.items()]
    if name in reached:
        times = reached["Filmroll"].median / reached[name].median
        rows.append(
            Row(
                subject=f"Filmroll : {name}",
                value=round(times, 2),
                unit="× as fast",
                limit="≥ 1",
                met=times >= 1,
            )
        )
    return rows + skipped


def _own(server: Server, images: "itertools.cycle[str]", widths: "itertools.count[int]") -> float:
    """Ask for a width that nobody has asked for: 300 px, and a pixel less with every round."""
    width = next(widths)
    four = list(itertools.islice(images, _ANIMATIONS))
    return _rate(server, [f"/i/{i}/resize:width={width}/output:format=webp" for i in four], width)


def _rate(server: Server, paths: Sequence[str], width: int) -> float:
    burst = fetch(server, paths, _AT_ONCE)
    for body in burst.bodies:
        picture = pyvips.Image.new_from_buffer(body, "")
        frames = picture.get("n-pages") if picture.get_typeof("n-pages") else 1
        if (picture.width, frames) != (width, _FRAMES):
            raise Wrong(f"{picture.width} px and {frames} frames")
    return burst.rate


def _animations(photos: Sequence[Path], folder: Path) -> list[Path]:
    """Pan over photographs: each a hundred frames that all differ."""
    folder.mkdir()
    files = []
    for number in range(_ANIMATIONS):
        photograph = pyvips.Image.new_from_file(str(photos[number * 10])).resize(0.5).copy_memory()
        steps = (photograph.width - _SIZE[0]) // _FRAMES
        frames = [photograph.crop(steps * n, 2 * n, *_SIZE) for n in range(_FRAMES)]
        strip = pyvips.Image.arrayjoin(frames, across=1).copy()
        strip.set_type(pyvips.GValue.gint_type, "page-height", _SIZE[1])
        strip.set_type(pyvips.GValue.array_int_type, "delay", [40] * _FRAMES)
        files.append(folder / f"{number}.gif")
        strip.gifsave(str(files[-1]), effort=1)
    return files
