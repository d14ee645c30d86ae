"""``python -m gallery [FILE]``: make every example, and write the page that shows them."""

import argparse
import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pyvips

from filmroll.engine.pool import EnginePool
from filmroll.instructions import Instructions, Output, parse
from filmroll.model import Problem
from filmroll.ports import Picture
from gallery.examples import MARK, SECTIONS, Example
from gallery.page import Shown, page

_PHOTOGRAPHS = Path(__file__).parents[1] / "tests" / "fixtures"
_PAGE = Path(__file__).parent / "index.html"


def main() -> None:
    """Write the page and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m gallery", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=_PAGE, help="where the page goes")
    file = parser.parse_args().file
    made = asyncio.run(make(SECTIONS))
    file.write_text(page(made), encoding="utf-8")
    print(f"{sum(map(len, made.values()))} pictures: {file.resolve().as_uri()}")


async def make(sections: Mapping[str, Sequence[Example]]) -> Mapping[str, Sequence[Shown]]:
    """Have the engine make every example, in a child process as always."""
    engine = EnginePool(1)
    try:
        return {
            name: [(example, await _made(engine, example)) for example in examples]
            for name, examples in sections.items()
        }
    finally:
        await engine.close()


async def _made(engine: EnginePool, example: Example) -> Picture | Problem:
    with _opened(example.photo) as photo, (_PHOTOGRAPHS / "mark.png").open("rb") as mark:
        [result] = await engine.make(photo, [_instructions(example.text)], {MARK: mark})
        return result


def _instructions(text: str) -> Instructions:
    """Return what to do; a picture for the page where nothing is said about its format."""
    given = parse(text)
    if isinstance(given.operations[-1], Output):
        return given
    return parse(f"{text}/output:format=webp,quality=90")


def _opened(photo: str) -> BinaryIO:
    if photo != "moving":
        return (_PHOTOGRAPHS / f"{photo}.jpg").open("rb")
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- whoever asked for it closes it
    file.write(_animation())
    return file


def _animation() -> bytes:
    """Return a look along a photograph, in twelve frames."""
    scene = pyvips.Image.new_from_file(str(_PHOTOGRAPHS / "ladybird.jpg"))
    frames = [scene.crop(x, 200, 560, 420) for x in range(0, 600, 50)]
    strip = pyvips.Image.arrayjoin(frames, across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", frames[0].height)
    strip.set_type(pyvips.GValue.array_int_type, "delay", [120] * len(frames))
    data: bytes = strip.webpsave_buffer(Q=90)
    return data


if __name__ == "__main__":
    main()
