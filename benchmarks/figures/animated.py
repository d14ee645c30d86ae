"""An animation that is asked for smaller, beside ipx."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import pyvips

from benchmarks.beside import beside_ipx
from benchmarks.client import fetch, upload
from benchmarks.missing import Wrong
from benchmarks.photographs import photographs
from benchmarks.results import Row
from benchmarks.servers import Server, filmroll

TITLE = "Animated GIF of 100 frames, 480 px → WebP of 300 px, two at a time"

_FRAMES, _SIZE, _WIDTH = 100, (480, 320), 300
_ANIMATIONS = 4
_AT_ONCE = 2  # as many as there are processors: sharp uses both for one picture, we do not


def run(folder: Path, rounds: int) -> list[Row]:
    """Measure in turn."""
    sources = folder / "animations"
    files = _animations(photographs(folder.parent / "photographs"), sources)
    with filmroll(folder) as server:
        images = itertools.cycle(upload(server, files))
        widths = itertools.count(_WIDTH, -1)
        paths = [f"/animated,w_{_WIDTH},f_webp/{file.name}" for file in files]
        return beside_ipx(
            folder,
            sources,
            lambda: _own(server, images, widths),
            lambda ipx: _rate(ipx, paths, _WIDTH),
            rounds,
            unit="/s",
            times=1,
        )


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
