"""The probe against libvips: the same sizes, for whole files; and a clear no to all others."""

import struct
from collections.abc import Callable
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any

import pytest
import pyvips

from filmroll.errors import (
    CorruptImage,
    EmptyBody,
    FilmrollError,
    TooManyFrames,
    TooManyPixels,
    UnsupportedMedia,
)
from filmroll.limits import Limits
from filmroll.model import Header
from filmroll.probe import HeaderProbe
from tests import samples

probe_file = HeaderProbe(Limits())


def probe(data: bytes) -> Header:
    return probe_file(BytesIO(data), len(data))


def seen_by_libvips(data: bytes) -> tuple[int, int, int]:
    image = pyvips.Image.new_from_buffer(data, "")
    frames = image.get("n-pages") if image.get_typeof("n-pages") else 1
    upright = image.autorot()
    return upright.width, upright.height, frames


def figures(header: Header) -> tuple[int, int, int]:
    return header.width, header.height, header.frames


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", samples.FORMATS)
def test_says_what_libvips_says(kind: str, orientation: int) -> None:
    data = samples.make(kind, 61, 34, orientation=orientation)
    header = probe(data)
    assert header.format == kind
    assert figures(header) == seen_by_libvips(data)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (255, 257), (2049, 3)])
@pytest.mark.parametrize("kind", samples.FORMATS)
def test_sizes(kind: str, size: tuple[int, int]) -> None:
    data = samples.make(kind, *size)
    assert figures(probe(data)) == (*size, 1) == seen_by_libvips(data)


@pytest.mark.parametrize("frames", [2, 3, 17])
@pytest.mark.parametrize("kind", ["gif", "webp", "tiff"])
def test_frames(kind: str, frames: int) -> None:
    data = samples.make(kind, frames=frames)
    assert figures(probe(data)) == (96, 64, frames) == seen_by_libvips(data)


VARIETIES: list[tuple[str, dict[str, Any]]] = [
    (".jpg", {"interlace": True}),
    (".jpg", {"interlace": True, "optimize_scans": True, "trellis_quant": True}),
    (".jpg", {"keep": "none"}),
    (".jpg", {"restart_interval": 2}),
    (".jpg", {"subsample_mode": "off", "Q": 100}),
    (".png", {"interlace": True}),
    (".png", {"palette": True}),
    (".png", {"bitdepth": 1}),
    (".png", {"compression": 0}),
    (".webp", {"lossless": True}),
    (".webp", {"near_lossless": True, "Q": 60}),
    (".gif", {"interlace": True}),
    (".gif", {"bitdepth": 1}),
    (".avif", {"lossless": True, "effort": 0}),
    (".avif", {"bitdepth": 10, "effort": 0}),
    (".tif", {"tile": True, "tile_width": 32, "tile_height": 32}),
    (".tif", {"tile": True, "pyramid": True, "tile_width": 32, "tile_height": 32}),
    (".tif", {"bigtiff": True}),
    (".tif", {"compression": "jpeg"}),
    (".tif", {"compression": "deflate", "predictor": "horizontal"}),
]


@pytest.mark.parametrize(("suffix", "options"), VARIETIES)
def test_varieties(suffix: str, options: dict[str, Any]) -> None:
    data = samples.encoded(samples.picture(210, 130), suffix, orientation=6, **options)
    assert figures(probe(data)) == seen_by_libvips(data)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif", ".tif"])
@pytest.mark.parametrize("bands", ["grey", "alpha", "cmyk", "deep"])
def test_colours(suffix: str, bands: str) -> None:
    picture = samples.picture(120, 80)
    image = {
        "grey": picture.colourspace("b-w"),
        "alpha": picture.bandjoin(128),
        "cmyk": picture.colourspace("cmyk"),
        "deep": picture.colourspace("rgb16"),
    }[bands]
    data = samples.encoded(image, suffix)
    assert figures(probe(data)) == seen_by_libvips(data)


@pytest.mark.parametrize("photograph", samples.photographs(), ids=lambda path: path.name)
def test_photographs(photograph: Path) -> None:
    data = photograph.read_bytes()
    assert figures(probe(data)) == seen_by_libvips(data)
    for part in (0.1, 0.5, 0.9):
        with pytest.raises(CorruptImage):
            probe(samples.truncated(data, part))


@pytest.mark.parametrize("frames", [1, 4])
@pytest.mark.parametrize("kind", samples.FORMATS)
def test_truncated(kind: str, frames: int) -> None:
    options = {"frames": frames} if kind in {"gif", "webp", "tiff"} else {}
    data = samples.make(kind, 400, 300, **options)
    for part in (0.1, 0.5, 0.9):
        with pytest.raises(CorruptImage) as caught:
            probe(samples.truncated(data, part))
        assert caught.value.detail.endswith(".")


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_truncated_anywhere(kind: str) -> None:
    data = samples.make(kind, 24, 16)
    probe(data)
    for length in range(len(data)):
        with pytest.raises(FilmrollError):
            probe(data[:length])


@pytest.mark.parametrize("kind", samples.FORMATS)
def test_bytes_behind_the_picture_are_harmless(kind: str) -> None:
    # An AVIF's end is the end of its last box, so what follows has to be a box too.
    behind = b"\0\0\0\x10free12345678" if kind == "avif" else b"made by a careless camera" * 40
    data = samples.make(kind)
    assert probe(data + behind) == probe(data)


@pytest.mark.parametrize("name", samples.NOT_IMAGES)
def test_names_what_it_is_not(name: str) -> None:
    with pytest.raises(UnsupportedMedia, match=f"look like .*{name}"):
        probe(samples.NOT_IMAGES[name])


@pytest.mark.parametrize(
    ("data", "look"),
    [
        (b"<html><svg></svg></html>", "HTML"),
        (b"<!-- a -->\n" * 9 + b"<svg/>", "SVG"),
        (b"<?xml version='1.0'?><rss/>", "XML"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "video"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIF"),
        (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0", "BMP"),
        (b"\0\0\1\0\1\0\x10\x10", "icon"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL"),
        (b"PK\x03\x04\x14\0", "ZIP"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64", "MATLAB"),
        ("Größe: 3 × 4".encode(), "text"),
    ],
)
def test_names_other_things(data: bytes, look: str) -> None:
    with pytest.raises(UnsupportedMedia, match=look):
        probe(data)


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (samples.HEIC, "JPEG or AVIF"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "JPEG or AVIF"),
        (b"\xff\x0a\xfa\x7f", "PNG"),
        (samples.SVG, "PNG of it"),
        (samples.PDF, "pages"),
    ],
)
def test_says_what_to_send_instead(data: bytes, advice: str) -> None:
    with pytest.raises(UnsupportedMedia, match=rf"look like .*\. Send .*{advice}.*\.$"):
        probe(data)


@pytest.mark.parametrize("data", [b"\0", b"\xff\xd8", b"\x89PNG", bytes(5000)])
def test_unknown(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia, match=r"TIFF\.$"):
        probe(data)


def test_empty() -> None:
    with pytest.raises(EmptyBody):
        probe(b"")


def test_pixel_flood() -> None:
    with pytest.raises(TooManyPixels) as caught:
        probe(samples.pixel_flood_png())
    assert caught.value.figures["actual"] == 65_535**2


def test_flood_is_named_even_if_the_rest_is_missing() -> None:
    with pytest.raises(TooManyPixels):
        probe(samples.png_header(65_535, 65_535) + bytes(900))


def test_bombs_are_judged_by_their_pixels() -> None:
    assert figures(probe(samples.png_bomb(8_000))) == (8_000, 8_000, 1)
    with pytest.raises(TooManyPixels):
        probe(samples.png_bomb(10_001))


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (Limits(max_frames=3), TooManyFrames),
        (Limits(max_pixels=96 * 64 * 4 - 1), TooManyFrames),
        (Limits(max_side=95), TooManyPixels),
    ],
)
@pytest.mark.parametrize("kind", ["gif", "webp", "tiff"])
def test_limits(kind: str, limits: Limits, error: type[FilmrollError]) -> None:
    data = samples.make(kind, frames=4)
    with pytest.raises(error):
        HeaderProbe(limits)(BytesIO(data), len(data))


@pytest.mark.parametrize("kind", samples.FORMATS)
def test_limits_are_inclusive(kind: str) -> None:
    data = samples.make(kind)
    limits = Limits(max_pixels=96 * 64, max_side=96, max_frames=1)
    assert HeaderProbe(limits)(BytesIO(data), len(data)) == probe(data)


# ------------------------------------------------------------------------------- bounded work


class CountingFile(FileIO):
    """A real file that counts what is read of it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size)
        self.count += len(data)
        return data


def big_jpeg(path: Path) -> None:
    data = samples.jpeg(640, 480, orientation=6)
    scan = data.index(b"\xff\xda") + 14
    spread(path, data[:scan], 100_000_000, data[scan:])


def big_png(path: Path) -> None:
    with path.open("wb") as file:
        file.write(samples.png_header(8_000, 4_000))
        for _ in range(100):
            file.write((1_000_000).to_bytes(4) + b"IDAT")
            file.seek(1_000_004, 1)  # a hole of the size of the data and their checksum
        file.write(samples.png_chunk(b"IEND"))


def big_webp(path: Path) -> None:
    data = samples.webp(640, 480)
    size = 100_000_000
    chunk = b"junk" + size.to_bytes(4, "little")
    spread(path, data[:4] + (len(data) + size).to_bytes(4, "little") + data[8:] + chunk, size, b"")


def big_avif(path: Path) -> None:
    spread(path, samples.avif() + (100_000_008).to_bytes(4) + b"free", 100_000_000, b"")


def big_tiff(path: Path) -> None:
    fields = ((256, 8_000), (257, 4_000), (273, 200), (279, 100_000_000))  # one strip
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(fields)) + table + bytes(4)
    spread(path, head, 100_000_200 - len(head), b"")


def spread(path: Path, head: bytes, hole: int, tail: bytes) -> None:
    """Write a sparse file: what lies in the hole takes no room on disk."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + hole)
        file.seek(0, 2)
        file.write(tail)


@pytest.mark.parametrize("make", [big_jpeg, big_png, big_webp, big_avif, big_tiff])
def test_large_files_are_not_read_whole(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "large"
    make(path)
    size = path.stat().st_size
    assert size >= 100_000_000
    with CountingFile(path) as file:
        header = probe_file(file, size)
        assert header.width * header.height > 70_000
        assert file.count < 600_000


def test_a_file_shorter_than_announced() -> None:
    data = samples.png()[:5000]
    with pytest.raises(CorruptImage, match="shorter than was announced"):
        probe_file(BytesIO(data), 1_000_000)


def test_hundred_thousand_frames_stop_at_the_limit() -> None:
    with pytest.raises(TooManyFrames) as caught:
        probe(samples.endless_gif(100_000))
    assert caught.value.figures["limit"] == 1_000


def riff(body: bytes) -> bytes:
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


ENDLESS = {
    "PNG of empty chunks": samples.png_header(9, 9) + samples.png_chunk(b"tEXt") * 1_500_000,
    "JPEG of padding": b"\xff\xd8" + b"\xff" * 20_000_000,
    "JPEG of empty segments": b"\xff\xd8" + b"\xff\xfe\0\0" * 5_000_000,
    "GIF of tiny blocks": samples.gif_header(9, 9) + b"!\xfe" + b"\1x" * 9_000_000,
    "WebP of empty chunks": riff(b"junk\0\0\0\0" * 2_500_000),
    "AVIF of empty boxes": b"\0\0\0\x10ftypavif\0\0\0\0" + b"\0\0\0\x08free" * 2_500_000,
}


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.timeout(20)
def test_work_is_bounded(name: str) -> None:
    with pytest.raises(CorruptImage, match="more parts than any picture needs"):
        probe(ENDLESS[name])
