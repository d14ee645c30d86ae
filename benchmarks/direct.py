"""The same pictures without any service: libvips, and Filmroll's engine, called directly."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import pyvips

from benchmarks.client import Burst
from filmroll.engine import loaders, pipeline
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.ports import Picture

Maker = Callable[[bytes], bytes]


def by_thumbnail(source: bytes) -> bytes:
    """Return 512 px by libvips' own operation for it, encoded as Filmroll encodes."""
    image = pyvips.Image.thumbnail_buffer(source, 512)
    return bytes(image.jpegsave_buffer(Q=80, optimize_coding=True, keep="none"))


def by_engine(instructions: str, source: bytes) -> bytes:
    """Return a picture by the pipeline that runs in Filmroll's engine processes."""
    picture = pipeline.make(source, [parse(instructions)], {}, Limits())[0]
    assert isinstance(picture, Picture)
    return picture.data


@contextmanager
def workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Return warm processes that are set up as Filmroll's engine processes are."""
    os.environ["VIPS_CONCURRENCY"] = "1"  # libvips reads it when it is imported
    with ProcessPoolExecutor(count, get_context("spawn"), loaders.restrict) as pool:
        yield pool


def burst(pool: ProcessPoolExecutor, make: Maker, paths: Sequence[Path]) -> Burst:
    """Make a picture of every file."""
    start = time.perf_counter()
    bodies, used = zip(*pool.map(_made, [make] * len(paths), paths), strict=True)
    rate = len(paths) / (time.perf_counter() - start)
    return Burst(bodies, rate, sum(used) / len(paths) * 1e3)


def seconds(make: Maker, path: Path) -> float:
    """Return how long one picture takes, its file already read."""
    source = path.read_bytes()
    start = time.perf_counter()
    make(source)
    return time.perf_counter() - start


def _made(make: Maker, path: Path) -> tuple[bytes, float]:
    start = time.process_time()
    return make(path.read_bytes()), time.process_time() - start
