"""Five widths of one large photograph: uploaded and fetched, beside ipx that has it on its disk."""

import json
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks import quality
from benchmarks.beside import beside_ipx
from benchmarks.client import ask, connect, fetch
from benchmarks.missing import Wrong
from benchmarks.photographs import large, photographs
from benchmarks.results import Row
from benchmarks.servers import Server, filmroll

TITLE = "Five widths of a 12-megapixel photograph, from its upload to the last byte of all five"

_WIDTHS = (320, 640, 960, 1280, 1920)
_PICTURES = 8
_TIMES = 2


def run(folder: Path, rounds: int) -> list[Row]:
    """Measure in turn: photographs a second, one after the other."""
    folder = folder.resolve()
    sources = folder.parent / "large"
    files = large(photographs(folder.parent / "photographs"), sources, _PICTURES)
    with filmroll(folder) as server:
        return beside_ipx(
            folder,
            sources,
            lambda: _own_rate(server, files),
            lambda ipx: _peer_rate(ipx, files),
            rounds,
            unit="photographs/s",
            times=_TIMES,
            note="ipx has no upload: it reads the file from its disk",
        )


def _own_rate(server: Server, files: Sequence[Path]) -> float:
    """Upload with five variants, then fetch them all at once."""
    variants = [f"resize:width={width}/output:format=jpeg,quality=80" for width in _WIDTHS]
    query = "&".join(f"variant={variant}" for variant in variants)
    start = time.perf_counter()
    with closing(connect(server)) as connection:
        for file in files:
            answer = ask(connection, "POST", f"/v1/images?{query}", file.read_bytes(), 201)
            image = json.loads(answer)["id"]
            _check(fetch(server, [f"/i/{image}/{variant}" for variant in variants], 5).bodies)
    return len(files) / (time.perf_counter() - start)


def _peer_rate(server: Server, files: Sequence[Path]) -> float:
    start = time.perf_counter()
    for file in files:
        paths = [f"/w_{width},f_jpeg,q_80/{file.name}" for width in _WIDTHS]
        _check(fetch(server, paths, 5).bodies)
    return len(files) / (time.perf_counter() - start)


def _check(bodies: Sequence[bytes]) -> None:
    widths = {width for _, width, _ in quality.sizes(bodies)}
    if widths != set(_WIDTHS):
        raise Wrong(f"pictures of other widths: {widths}")
