"""No small file, however it is built, holds up the event loop that probes it."""

import struct
import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import pytest

from filmroll.errors import FilmrollError
from filmroll.limits import Limits
from filmroll.probe import HeaderProbe
from tests import samples

SIZE = 256 * 1024  # bytes; larger files are probed in a thread
GIF = b"GIF89a" + struct.pack("<HHBBB", 9, 9, 0, 0, 0)
IMAGE = b"\x2c" + struct.pack("<HHHHB", 0, 0, 9, 9, 0) + b"\2"


def full(head: bytes, part: bytes) -> bytes:
    """Repeat a part until the file has its size."""
    return (head + part * (SIZE // len(part)))[:SIZE]


def field(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def tiff_of_pages_that_share_tables(kind: int, width: int, share: int) -> bytes:
    """Each page has the same two tables, which fill what the pages leave."""
    page = 2 + 4 * 12 + 4
    pages = min(1000, SIZE // share // page)
    table = 8 + pages * page
    count = (SIZE - table) // width
    data = b"II*\0" + struct.pack("<I", 8)
    for number in range(1, pages + 1):
        fields = field(256, 3, 1, 9) + field(257, 3, 1, 9)
        fields += field(273, kind, count, table) + field(279, kind, count, table)
        following = 8 + number * page if number < pages else 0
        data += struct.pack("<H", 4) + fields + struct.pack("<I", following)
    return data.ljust(SIZE, b"\0")


def tiff_of_wide_directories() -> bytes:
    """Directories of 4,096 fields, each beginning a few bytes behind the last."""
    data = b"II*\0" + struct.pack("<I", 8)
    return full(data, struct.pack("<H", 4096))


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def webp_of(chunk: bytes) -> bytes:
    body = b"WEBP" + chunk * ((SIZE - 20) // len(chunk))
    body += b"ABCD" + struct.pack("<I", SIZE - len(body) - 16)
    return (b"RIFF" + struct.pack("<I", SIZE - 8) + body).ljust(SIZE, b"\0")


def exif(fields: int) -> bytes:
    return b"II*\0" + struct.pack("<IH", 8, fields) + field(1, 3, 1, 1) * fields + bytes(4)


def chunk(body: bytes) -> bytes:
    return b"EXIF" + struct.pack("<I", len(body)) + body


def png_of(name: bytes, body: bytes) -> bytes:
    return full(samples.png(9, 9)[:33], samples.png_chunk(name, body))


AVIF = box(b"ftyp", b"avif\0\0\0\0avif")
HOSTILE: dict[str, Callable[[], bytes]] = {
    "jpeg of FF": lambda: full(b"\xff\xd8", b"\xff"),
    "jpeg of bare markers": lambda: full(b"\xff\xd8", b"\xff\xd0"),
    "jpeg of empty segments": lambda: full(b"\xff\xd8", b"\xff\xe1\0\2"),
    "gif of zeros": lambda: full(GIF, b"\0"),
    "gif of zeros and empty extensions": lambda: full(GIF, b"\0\x21\xf9\0"),
    "gif of one-byte blocks": lambda: full(GIF + IMAGE, b"\1"),
    "gif of empty frames": lambda: full(GIF, IMAGE + b"\0"),
    "png of empty chunks": lambda: png_of(b"teSt", b""),
    "png of small EXIF": lambda: png_of(b"eXIf", exif(1)),
    "webp of empty chunks": lambda: webp_of(b"ABCD\0\0\0\0"),
    "webp of small EXIF": lambda: webp_of(chunk(exif(1))),
    "webp of large EXIF": lambda: webp_of(chunk(exif(4096))),
    "avif of empty boxes": lambda: full(AVIF, box(b"free")),
    "tiff of wide directories": tiff_of_wide_directories,
    "tiff of shared tables of bytes": lambda: tiff_of_pages_that_share_tables(1, 1, 4),
    "tiff of shared tables of words": lambda: tiff_of_pages_that_share_tables(4, 4, 4),
    "tiff of shared small tables": lambda: tiff_of_pages_that_share_tables(3, 2, 2),
}


def probed(data: bytes) -> float:
    """Return how many seconds of processor time a probe takes, whatever it finds."""
    began = time.thread_time()
    with suppress(FilmrollError):
        HeaderProbe(Limits())(BytesIO(data), len(data))
    return time.thread_time() - began


@pytest.mark.parametrize("name", HOSTILE)
def test_a_small_file_costs_little(name: str) -> None:
    data = HOSTILE[name]()
    assert len(data) == SIZE
    assert min(probed(data) for _ in range(3)) < 0.03


def test_a_gif_of_as_many_frames_as_allowed_is_taken() -> None:
    frame = b"\x21\xf9\4\0\0\0\0\0" + IMAGE + b"\2\x44\1\0" + b"\0"  # and a zero between
    data = GIF + frame * 1000 + b"\x3b"
    assert HeaderProbe(Limits())(BytesIO(data), len(data)).frames == 1000
