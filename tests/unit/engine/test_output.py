"""Formats out: alpha, lossless, progressive, quality and metadata are what was asked for."""

import pytest
import pyvips

from filmroll.engine import pipeline
from filmroll.instructions import ENGINE_VERSION, parse
from filmroll.limits import Limits
from filmroll.model import Problem
from tests import samples
from tests.unit.engine.pictures import DUNE, STORM, flat, load, make, psnr

LOADERS = {
    "jpeg": "jpegload_buffer",
    "png": "pngload_buffer",
    "webp": "webpload_buffer",
    "avif": "heifload_buffer",
    "gif": "gifload_buffer",
    "tiff": "tiffload_buffer",
}


@pytest.mark.parametrize("out", samples.FORMATS)
@pytest.mark.parametrize("into", samples.FORMATS)
def test_every_format_becomes_every_format(into: str, out: str) -> None:
    picture = make(samples.make(into), f"resize:width=48/output:format={out}")
    image = load(picture.data)
    assert (picture.format, image.get("vips-loader")) == (out, LOADERS[out])
    assert (image.width, image.height) == (48, 32)


@pytest.mark.parametrize("form", samples.FORMATS)
def test_same_keeps_the_format(form: str) -> None:
    assert make(samples.make(form), "resize:width=48").format == form


@pytest.mark.parametrize("form", ["png", "webp", "tiff", "avif"])
def test_lossless_is_lossless(form: str) -> None:
    source = samples.picture(96, 64)
    data = make(source.pngsave_buffer(), f"output:format={form},lossless=true,effort=2").data
    assert psnr(load(data), source) > (50 if form == "avif" else 1000)


def test_lossless_jpeg_is_refused() -> None:
    [result] = pipeline.make(samples.jpeg(), [parse("output:lossless=true")], {}, Limits())
    assert isinstance(result, Problem)
    assert (result.code, result.figures["pointer"]) == ("invalid-instructions", "/0/lossless")


@pytest.mark.parametrize("form", ["jpeg", "webp", "avif"])
def test_quality_trades_bytes(form: str) -> None:
    sizes = [
        len(make(STORM, f"resize:width=200/output:format={form},quality={quality}").data)
        for quality in (20, 60, 95)
    ]
    assert sizes == sorted(sizes)
    assert sizes[2] > 2 * sizes[0]


@pytest.mark.parametrize("form", ["jpeg", "png"])
def test_progressive(form: str) -> None:
    for progressive in (False, True):
        text = f"output:format={form},progressive={str(progressive).lower()}"
        assert bool(load(make(samples.png(), text).data).get_typeof("interlaced")) is progressive


@pytest.mark.parametrize("form", ["png", "webp", "avif", "gif", "tiff"])
def test_alpha_is_kept(form: str) -> None:
    data = make(flat(9, 99, 200, 0).pngsave_buffer(), f"output:format={form}").data
    assert load(data)(20, 20)[3] == 0


@pytest.mark.parametrize("effort", [0, 9])
@pytest.mark.parametrize("form", samples.FORMATS)
def test_effort_has_both_ends(form: str, effort: int) -> None:
    assert make(samples.png(40, 30), f"output:format={form},effort={effort}").data


@pytest.mark.parametrize("form", samples.FORMATS)
def test_one_pixel(form: str) -> None:
    data = make(samples.png(), f"resize:width=1,height=1,fit=fill/output:format={form}").data
    assert load(data).width == 1


def signed(data: bytes) -> bytes:
    """Return a JPEG with a rights note, a position on earth, XMP and a profile."""
    image = load(data).copy()
    for tag, value in {
        "exif-ifd0-Copyright": "(c) 2008 the photographer",
        "exif-ifd0-Artist": "The Photographer",
        "exif-ifd3-GPSLatitude": "50/1 3/1 20/1",
    }.items():
        image.set_type(pyvips.GValue.gstr_type, tag, value)
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta/>")
    return image.jpegsave_buffer(profile="srgb")


def fields(data: bytes) -> set[str]:
    return {name for name in load(data).get_fields() if name.startswith(("exif", "xmp", "icc"))}


def test_the_source_says_a_lot() -> None:
    said = fields(signed(DUNE))
    assert {"xmp-data", "icc-profile-data", "exif-ifd0-Model", "exif-ifd3-GPSLatitude"} <= said


@pytest.mark.parametrize("form", samples.FORMATS)
def test_metadata_is_stripped(form: str) -> None:
    data = make(signed(DUNE), f"resize:width=100/output:format={form}").data
    assert not fields(data)
    assert b"Canon" not in data


@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "avif"])
def test_rights_alone_are_kept(form: str) -> None:
    data = make(signed(DUNE), f"resize:width=100/output:format={form},metadata=copyright").data
    said = fields(data)
    assert load(data).get("exif-ifd0-Copyright").startswith("(c) 2008 the photographer")
    assert "exif-ifd0-Artist" in said
    assert not {name for name in said if "GPS" in name or "Model" in name or "xmp" in name}
    assert b"Canon" not in data


@pytest.mark.parametrize("form", ["jpeg", "webp", "avif"])
def test_all_metadata_is_kept_but_the_profile(form: str) -> None:
    said = fields(make(signed(DUNE), f"resize:width=100/output:format={form},metadata=all").data)
    assert {"exif-ifd0-Model", "exif-ifd3-GPSLatitude", "xmp-data"} <= said
    assert "icc-profile-data" not in said  # the pixels are plain sRGB now


@pytest.mark.parametrize("metadata", ["copyright", "all"])
def test_preview_of_the_camera_does_not_show_what_was_cut_away(metadata: str) -> None:
    preview = load(DUNE).thumbnail_image(160).jpegsave_buffer(keep="none")
    image = load(DUNE).copy()
    image.set_type(pyvips.GValue.blob_type, "jpeg-thumbnail-data", preview)
    source = image.jpegsave_buffer()
    assert load(source).get_typeof("jpeg-thumbnail-data")
    data = make(source, f"crop:width=300,height=300/output:metadata={metadata}").data
    assert not load(data).get_typeof("jpeg-thumbnail-data")
    assert preview[-500:] not in data


def test_recipes_name_the_libvips_that_is_installed() -> None:
    assert ENGINE_VERSION.endswith(f"/vips-{pyvips.version(0)}.{pyvips.version(1)}")
