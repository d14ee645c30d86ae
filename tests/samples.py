"""Test inputs that all suites share: pictures of every format, damaged ones, hostile ones.

Everything is made here or read from ``tests/fixtures``; the same arguments give the same bytes.
"""

import struct
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pyvips

FIXTURES = Path(__file__).parent / "fixtures"
FORMATS = ("jpeg", "png", "webp", "gif", "avif", "tiff")

# ------------------------------------------------------------------------------------- pictures


def photographs() -> list[Path]:
    """Return the real photographs among the fixtures."""
    return sorted(FIXTURES.glob("**/*.jpg"))


@cache
def picture(width: int, height: int, seed: int = 0) -> pyvips.Image:
    """Return a picture that compresses like a photograph: soft light, edges, a little noise."""
    light = pyvips.Image.xyz(width, height) / [width, height] * 90
    bands = []
    for band in range(3):
        cloud = sum(
            pyvips.Image.perlin(width, height, cell_size=cell, seed=seed * 31 + band) * strength
            for cell, strength in ((256, 60), (48, 35), (12, 18))
        )
        bands.append(cloud + light[band % 2] + 70)
    noise = pyvips.Image.gaussnoise(width, height, sigma=3, mean=0, seed=seed)
    joined = bands[0].bandjoin(bands[1:]) + noise
    return joined.cast("uchar").copy(interpretation="srgb").copy_memory()


def encoded(image: pyvips.Image, suffix: str, orientation: int = 1, **options: Any) -> bytes:
    """Write a picture as ``suffix`` says, with an EXIF orientation unless it is upright."""
    if orientation != 1:
        image = image.copy()
        image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    data: bytes = image.write_to_buffer(suffix, **options)
    return data


def jpeg(width: int = 640, height: int = 480, seed: int = 0, **options: Any) -> bytes:
    """Return a JPEG; options are ``orientation`` and those of the saver (``Q``, …)."""
    return encoded(picture(width, height, seed), ".jpg", **options)


def png(width: int = 320, height: int = 240, seed: int = 0, **options: Any) -> bytes:
    """Return a PNG."""
    return encoded(picture(width, height, seed), ".png", **options)


def webp(width: int = 640, height: int = 480, seed: int = 0, frames: int = 1, **opts: Any) -> bytes:
    """Return a WebP, animated if it has several frames."""
    return encoded(_strip(width, height, seed, frames), ".webp", **{"effort": 0} | opts)


def gif(frames: int = 1, width: int = 160, height: int = 120, seed: int = 0, **opts: Any) -> bytes:
    """Return a GIF, animated if it has several frames."""
    return encoded(_strip(width, height, seed, frames), ".gif", **{"effort": 1} | opts)


def avif(width: int = 320, height: int = 240, seed: int = 0, **options: Any) -> bytes:
    """Return an AVIF."""
    return encoded(picture(width, height, seed), ".avif", **{"effort": 0} | options)


def tiff(width: int = 320, height: int = 240, seed: int = 0, frames: int = 1, **opts: Any) -> bytes:
    """Return a TIFF with one or several pages."""
    return encoded(_strip(width, height, seed, frames), ".tif", **{"compression": "lzw"} | opts)


def make(kind: str, width: int = 96, height: int = 64, **options: Any) -> bytes:
    """Return a picture in one of ``FORMATS``."""
    makers: dict[str, Any] = {
        "jpeg": jpeg, "png": png, "webp": webp, "gif": gif, "avif": avif, "tiff": tiff,
    }  # fmt: skip
    data: bytes = makers[kind](width=width, height=height, **options)
    return data


def _strip(width: int, height: int, seed: int, frames: int) -> pyvips.Image:
    """Return frames one below the other, as libvips holds animations."""
    if frames == 1:
        return picture(width, height, seed)
    # Neighbours differ: encoders drop a frame that changes nothing.
    images = [picture(width, height, seed).wrap(x=shift, y=0) for shift in range(frames)]
    strip = pyvips.Image.arrayjoin(images, across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", height)
    strip.set_type(pyvips.GValue.array_int_type, "delay", [100] * frames)
    return strip


@cache
def _small_jpeg() -> bytes:
    return jpeg(96, 64, Q=75)


def tiny_jpeg(seed: int, size: int = 4096) -> bytes:
    """Return a JPEG of exactly ``size`` bytes that no other seed gives; cheap to call often."""
    base = _small_jpeg()
    comment = f"picture {seed} ".encode()
    room = size - len(base) - 4
    return base[:2] + b"\xff\xfe" + struct.pack(">H", room + 2) + comment.ljust(room) + base[2:]


def exif_jpeg(
    main: Mapping[int, bytes], photo: Mapping[int, bytes], gps: Mapping[int, bytes]
) -> bytes:
    """Return a small JPEG with EXIF: texts by numbers of tags, in its three directories."""
    texts = {tag: (2, value + b"\0") for tag, value in main.items()}
    pointers = {0x8769: (4, bytes(4)), 0x8825: (4, bytes(4))}
    at = 8 + len(_directory(texts | pointers, 8))  # where the second and the third one begin
    photos = _directory({tag: (2, value + b"\0") for tag, value in photo.items()}, at)
    places = _directory({tag: (2, value + b"\0") for tag, value in gps.items()}, at + len(photos))
    pointers = {
        0x8769: (4, struct.pack("<I", at)),
        0x8825: (4, struct.pack("<I", at + len(photos))),
    }
    head = b"Exif\0\0II*\0" + struct.pack("<I", 8)
    segment = head + _directory(texts | pointers, 8) + photos + places
    base = _small_jpeg()
    return base[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + base[2:]


def _directory(entries: Mapping[int, tuple[int, bytes]], start: int) -> bytes:
    """Return a directory of TIFF that lies at ``start``: types and values by numbers of tags."""
    rows, room = [], b""
    behind = start + 2 + 12 * len(entries) + 4
    for tag, (kind, value) in sorted(entries.items()):
        count = len(value) if kind == 2 else 1
        field = value.ljust(4, b"\0")
        if len(value) > 4:
            field = struct.pack("<I", behind + len(room))
            room += value
        rows.append(struct.pack("<HHI", tag, kind, count) + field)
    return struct.pack("<H", len(entries)) + b"".join(rows) + bytes(4) + room


def located_jpeg() -> bytes:
    """Return a JPEG that tells who took it, with what, and where."""
    return exif_jpeg(
        {0x010F: b"Acme (Ltd)", 0x0110: b"Box 1", 0x013B: b"An artist"},
        {0xA431: b"SN-123456", 0xA430: b"An owner", 0xA434: b"A lens"},
        {0x0001: b"N", 0x001D: b"2001:02:03", 0x0012: b"WGS-84 place"},
    )


def truncated(data: bytes, part: float) -> bytes:
    """Return the first ``part`` (0–1) of a file."""
    return data[: int(len(data) * part)]


# -------------------------------------------------------------------------------------- hostile


def png_chunk(kind: bytes, body: bytes = b"") -> bytes:
    """Return one PNG chunk with its right checksum."""
    crc = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def png_header(width: int, height: int, depth: int = 8, color: int = 2) -> bytes:
    """Return a PNG's signature and its IHDR chunk."""
    ihdr = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", ihdr)


def pixel_flood_png() -> bytes:
    """Return 1 KB that claim to be 65,535 × 65,535 pixels."""
    head, tail = png_header(65_535, 65_535), png_chunk(b"IEND")
    body = zlib.compress(bytes(4096), 0)[: 1024 - len(head) - len(tail) - 12]
    return head + png_chunk(b"IDAT", body) + tail


def png_bomb(side: int = 8_000) -> bytes:
    """Return a valid one-bit PNG of some kB that decodes to ``side`` × ``side`` black pixels."""
    squeeze = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    body = b"".join([*(squeeze.compress(row) for _ in range(side)), squeeze.flush()])
    return png_header(side, side, depth=1, color=0) + png_chunk(b"IDAT", body) + png_chunk(b"IEND")


def gif_header(width: int, height: int) -> bytes:
    """Return a GIF's signature, its screen and a palette of black and white."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"


def gif_frame(x: int = 0, y: int = 0, width: int = 1, height: int = 1) -> bytes:
    """Return one black GIF frame; its pixels are complete for 1 × 1 only."""
    return b"," + struct.pack("<HHHHB", x, y, width, height, 0) + b"\x02\x02\x44\x01\x00"


def endless_gif(frames: int = 100_000) -> bytes:
    """Return a valid GIF of 1 × 1 pixel and very many frames, 15 bytes each."""
    return gif_header(1, 1) + gif_frame() * frames + b";"


# ---------------------------------------------------------------------------------- not images

SVG = b"""<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30">
  <rect width="40" height="30" fill="teal"/>
</svg>
"""

PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 40 30]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""

PSD = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 1, 1, 8, 3) + bytes(12) + b"\0\0" + bytes(3)


def fits() -> bytes:
    """Return a FITS file of 4 × 3 pixels."""
    cards = {"SIMPLE": "T", "BITPIX": "8", "NAXIS": "2", "NAXIS1": "4", "NAXIS2": "3"}
    text = "".join(f"{name:<8}= {value:>20}".ljust(80) for name, value in cards.items())
    return (text + "END").ljust(2880).encode() + bytes(2880)


def mat() -> bytes:
    """Return a MATLAB 5 file that holds a matrix of one number."""
    name, flags = b"x".ljust(8, b"\0"), struct.pack("<IIII", 6, 8, 6, 0)
    shape, number = struct.pack("<IIii", 5, 8, 1, 1), struct.pack("<IId", 9, 8, 1.0)
    matrix = flags + shape + struct.pack("<II", 1, 1) + name + number
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x0100, b"IM")
    return head + struct.pack("<II", 14, len(matrix)) + matrix


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(5) + b"\x08\x08\x00\x04\x00\x10" + bytes(77)
HEIC = struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic" + bytes(400)

NOT_IMAGES: Mapping[str, bytes] = {
    "SVG": SVG,
    "PDF": PDF,
    "Photoshop": PSD,
    "MATLAB": mat(),
    "HDF5": HDF5,
    "FITS": fits(),
    "HEIC": HEIC,
    "text": b"A photograph of the Elbe, said the name of the file.\n" * 20,
}
