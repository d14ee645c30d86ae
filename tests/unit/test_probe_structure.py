"""The probe and the structure of files: odd ones that are right, broken ones that look right."""

import struct
from io import BytesIO

import pytest
import pyvips

from filmroll.errors import CorruptImage, FilmrollError, UnsupportedMedia
from filmroll.limits import Limits
from filmroll.model import Header
from filmroll.probe import HeaderProbe
from tests import samples
from tests.samples import gif_frame, gif_header, png_chunk, png_header

WIDTH, HEIGHT = 64, 48


def probe(data: bytes) -> Header:
    return HeaderProbe(Limits())(BytesIO(data), len(data))


def exif(orientation: int, kind: str = "H2x", number: int = 3, order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    form = f"{order}IHHHI{kind}I"
    return mark + struct.pack(form, 8, 1, 274, number, 1, orientation, 0)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def app1(data: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + data)


JPEG = samples.make("jpeg", WIDTH, HEIGHT, keep="none")
PNG = samples.make("png", WIDTH, HEIGHT, keep="none")
WEBP = samples.make("webp", WIDTH, HEIGHT, keep="none")
GIF = samples.make("gif", WIDTH, HEIGHT)
TIFF = samples.make("tiff", WIDTH, HEIGHT)


def jpeg_with(*segments: bytes) -> bytes:
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


def before(data: bytes, mark: bytes, addition: bytes, back: int = 0) -> bytes:
    at = data.index(mark) - back
    return data[:at] + addition + data[at:]


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def riff_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def canvas(flags: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff_chunk(b"VP8X", struct.pack("<B3x", flags) + sides)


# ------------------------------------------------------------------ right, and as libvips sees it

RIGHT = {
    "orientation, big end first": jpeg_with(app1(exif(6, order=">"))),
    "orientation of four bytes": jpeg_with(app1(exif(6, kind="I", number=4))),
    "orientation of one byte": jpeg_with(app1(exif(6, kind="B3x", number=1))),
    "orientation 0": jpeg_with(app1(exif(0))),
    "orientation 9": jpeg_with(app1(exif(9))),
    "the first EXIF counts": jpeg_with(app1(exif(1)), app1(exif(6))),
    "XMP before EXIF": jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0"), app1(exif(8))),
    "EXIF before the scan": before(JPEG, b"\xff\xda", app1(exif(6))),
    "EXIF cut in its field": jpeg_with(app1(exif(6)[:-7])),
    "EXIF without the next offset": jpeg_with(app1(exif(6)[:-4])),
    "EXIF of nothing": jpeg_with(app1(b"")),
    "EXIF that points outside": jpeg_with(app1(b"II*\0\xff\xff\xff\x7f")),
    "marks filled up with FF": JPEG[:2] + b"\xff\xff\xff" + JPEG[2:],
    "PNG: eXIf before the data": before(PNG, b"IDAT", png_chunk(b"eXIf", exif(6)), 4),
    "PNG: eXIf behind the data": before(PNG, b"IEND", png_chunk(b"eXIf", exif(6)), 4),
    "PNG: eXIf as in a JPEG": before(PNG, b"IDAT", png_chunk(b"eXIf", b"Exif\0\0" + exif(6)), 4),
    "WebP: EXIF": riff(canvas(8), WEBP[12:], riff_chunk(b"EXIF", exif(6))),
    "WebP: EXIF as in a JPEG": riff(
        canvas(8), WEBP[12:], riff_chunk(b"EXIF", b"Exif\0\0" + exif(6))
    ),
    "GIF: a screen like a monitor's": gif_header(640, 480) + gif_frame() + b";",
    "GIF: a screen that is large": gif_header(2049, 10) + gif_frame() + b";",
    "GIF: a screen just not too large": gif_header(2048, 10) + gif_frame() + b";",
    "GIF: no screen": gif_header(0, 0) + gif_frame(3, 2) + b";",
    "GIF: a first frame beyond the screen": gif_header(9, 9) + gif_frame(8, 4, 3, 9) + b";",
    "GIF: a second frame beyond": gif_header(1, 1) + gif_frame() + gif_frame(5, 5) + b";",
    "GIF: zeros between blocks": gif_header(1, 1) + gif_frame() + b"\0\0" + gif_frame() + b"\0;",
    "GIF: no trailer": gif_header(1, 1) + gif_frame() * 3,
}


@pytest.mark.parametrize("name", RIGHT)
def test_odd_files_as_libvips_sees_them(name: str) -> None:
    image = pyvips.Image.new_from_buffer(RIGHT[name], "").autorot()
    header = probe(RIGHT[name])
    assert (header.width, header.height) == (image.width, image.height)


def test_thumbnail_does_not_end_the_picture() -> None:
    thumbnail = samples.make("jpeg", 16, 16)
    data = jpeg_with(app1(exif(6) + thumbnail))
    assert probe(data).width == HEIGHT
    with pytest.raises(CorruptImage, match="end-of-image"):
        probe(data[:-2])


def test_picture_with_a_second_one_behind_it() -> None:
    data = JPEG + samples.make("jpeg", 640, 480)
    assert probe(data).width == WIDTH
    assert probe(samples.truncated(data, 0.6)).width == WIDTH


@pytest.mark.parametrize("gap", [0, 65_534, 65_535, 65_536, 3_000_000])
def test_end_is_found_before_much_else(gap: int) -> None:
    assert probe(JPEG + bytes(gap)).width == WIDTH


def test_end_is_found_across_the_border_of_two_stretches() -> None:
    size = 1_000_000
    for shift in range(3):
        data = JPEG[:-2] + bytes(size - len(JPEG)) + b"\xff\xd9"
        assert probe(data + bytes(64 * 1024 - 2 + shift)).width == WIDTH


# ---------------------------------------------------------------------------------- broken ones


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def frame_header(depth: int = 8, height: int = 9, width: int = 9, channels: int = 3) -> bytes:
    body = struct.pack(">BHHB", depth, height, width, channels)
    return segment(0xC0, body + bytes(3 * min(channels, 4)))


def jpeg_of(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments) + segment(0xDA, bytes(10)) + b"data\xff\xd9"


def ihdr(width: int = 9, height: int = 9, depth: int = 8, color: int = 2) -> bytes:
    head = png_header(width, height, depth, color)
    return head + png_chunk(b"IDAT", b"data") + png_chunk(b"IEND")


def tiff_of(*fields: tuple[int, int, int, int], following: int = 0, start: int = 8) -> bytes:
    table = b"".join(struct.pack("<HHII", *field) for field in fields)
    head = struct.pack("<2sHIH", b"II", 42, start, len(fields))
    return head + table + struct.pack("<I", following) + bytes(100)


SIDES = (256, 4, 1, 9), (257, 4, 1, 9)
STRIP = (273, 4, 1, 8), (279, 4, 1, 90)

BROKEN = {
    "JPEG: no frame header": jpeg_of(),
    "JPEG: no width": jpeg_of(frame_header(width=0)),
    "JPEG: no height": jpeg_of(frame_header(height=0)),
    "JPEG: two channels": jpeg_of(frame_header(channels=2)),
    "JPEG: 255 channels": jpeg_of(frame_header(channels=255)),
    "JPEG: end before the scan": b"\xff\xd8\xff\xd9",
    "JPEG: garbage between segments": before(JPEG, b"\xff\xc4", b"garbage"),
    "JPEG: start within": jpeg_with(b"\xff\xd8"),
    "JPEG: segment beyond the end": jpeg_with(b"\xff\xe1\xff\xff"),
    "PNG: checksum of the header": patched(PNG, 29, b"\0\0\0\0"),
    "PNG: first chunk is another": PNG[:8] + PNG[33:],
    "PNG: header of other length": patched(PNG, 8, b"\0\0\0\x0e"),
    "PNG: no width": ihdr(width=0),
    "PNG: no height": ihdr(height=0),
    "PNG: negative width": ihdr(width=2**31),
    "PNG: depth that does not exist": ihdr(depth=3),
    "PNG: depth that the colour has not": ihdr(depth=4, color=6),
    "PNG: colour that does not exist": ihdr(color=5),
    "PNG: no data": png_header(9, 9) + png_chunk(b"IEND"),
    "PNG: no end": png_header(9, 9) + png_chunk(b"IDAT", b"data"),
    "PNG: chunk with an absurd length": patched(PNG, 33, b"\xff\xff\xff\xff"),
    "PNG: chunk beyond the end": patched(PNG, 33, b"\x7f\xff\xff\xff"),
    "PNG: chunk without a name": patched(PNG, 37, b"\0\0\0\0"),
    "WebP: no chunk": riff(),
    "WebP: canvas only": riff(canvas(0)),
    "WebP: animation without frames": riff(canvas(2), WEBP[12:]),
    "WebP: frames without a canvas": riff(riff_chunk(b"ANMF", bytes(40))),
    "WebP: no key frame": riff(riff_chunk(b"VP8 ", bytes(40))),
    "WebP: no width": riff(riff_chunk(b"VP8 ", b"\0\0\0\x9d\x01\x2a\0\0\x09\0data")),
    "WebP: not lossless": riff(riff_chunk(b"VP8L", bytes(40))),
    "WebP: chunk beyond its end": riff(b"VP8 \xff\xff\xff\xff"),
    "WebP: longer than the file": patched(WEBP, 4, b"\xff\xff\xff\x7f"),
    "GIF: no frame": gif_header(9, 9) + b";",
    "GIF: nothing but a header": gif_header(9, 9)[:13],
    "GIF: unknown block": gif_header(9, 9) + gif_frame() + b"?",
    "GIF: frame cut": gif_header(9, 9) + gif_frame()[:-1],
    "GIF: extension cut": gif_header(9, 9) + gif_frame() + b"!\xf9\x04\0",
    "TIFF: no directory": b"II*\0\0\0\0\0",
    "TIFF: directory outside": tiff_of(*SIDES, *STRIP, start=5_000),
    "TIFF: empty directory": tiff_of(),
    "TIFF: no width": tiff_of(SIDES[1], *STRIP),
    "TIFF: width 0": tiff_of((256, 4, 1, 0), SIDES[1], *STRIP),
    "TIFF: width that is a text": tiff_of((256, 2, 1, 9), SIDES[1], *STRIP),
    "TIFF: no strips": tiff_of(*SIDES),
    "TIFF: strip outside": tiff_of(*SIDES, (273, 4, 1, 8), (279, 4, 1, 900)),
    "TIFF: strip starts outside": tiff_of(*SIDES, (273, 4, 1, 9_000)),
    "TIFF: strips without end": tiff_of(*SIDES, (273, 4, 2**32 - 1, 8), STRIP[1]),
    "TIFF: directories in a circle": tiff_of(*SIDES, *STRIP, following=8),
    "TIFF: next directory outside": tiff_of(*SIDES, *STRIP, following=9_000),
    "BigTIFF: a directory without end": b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**64 - 1),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused(name: str) -> None:
    with pytest.raises(CorruptImage) as caught:
        probe(BROKEN[name])
    assert caught.value.detail.endswith(".")


NOT_TAKEN = {
    "JPEG: lossless": jpeg_of(segment(0xC3, bytes(17))),
    "JPEG: 12 bits": jpeg_of(frame_header(depth=12)),
    "TIFF: a digital negative": tiff_of(*SIDES, *STRIP, (50_706, 1, 4, 1)),
    "TIFF: a raw file's preview": tiff_of((254, 4, 1, 1), *SIDES, *STRIP),
    "TIFF: Canon's raw file": b"II*\0\x10\0\0\0CR\x02\0" + bytes(90),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_kinds_that_are_not_taken(name: str) -> None:
    with pytest.raises(UnsupportedMedia):
        probe(NOT_TAKEN[name])


def test_tables_above_are_broken_in_one_point_only() -> None:
    for data in (jpeg_of(frame_header()), ihdr(), tiff_of(*SIDES, *STRIP)):
        assert (probe(data).width, probe(data).height) == (9, 9)
    assert probe(riff(canvas(0), WEBP[12:])).width == WIDTH
    assert probe(riff(canvas(2), riff_chunk(b"ANMF", bytes(40)))).frames == 1


@pytest.mark.parametrize("data", [GIF, TIFF, WEBP], ids=["gif", "tiff", "webp"])
def test_every_cut_is_refused_or_loses_nothing(data: bytes) -> None:
    whole = probe(data)
    for length in range(len(data)):
        try:
            assert probe(data[:length]) == whole
        except FilmrollError:
            continue
