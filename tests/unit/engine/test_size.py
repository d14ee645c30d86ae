"""Every picture has exactly the size that geometry promises, and shows what a full decode shows."""

import pytest
import pyvips

from filmroll.engine import loaders, pipeline
from filmroll.geometry import Size, size_after
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.model import Problem
from filmroll.ports import Picture
from tests import samples
from tests.unit.engine.pictures import DUNE, LADYBIRD, load, lossless, make, psnr

SIZED = [
    "",
    "resize:width=333",
    "resize:height=77",
    "resize:width=301,height=199",
    "resize:width=301,height=199,fit=cover",
    "resize:width=301,height=199,fit=fill",
    "resize:width=301,height=199,fit=pad",
    "resize:width=3000,fit=contain",
    "resize:width=1500,enlarge=true",
    "resize:width=1500,height=1500,fit=cover",
    "resize:width=1,height=1,fit=fill",
    "resize:width=1",
    "resize:width=100,dpr=2.5",
    "resize:width=200,height=200,fit=cover,gravity=smart",
    "resize:width=200,height=150,fit=cover,focus_x=0.9,focus_y=0.1",
    "crop:width=0.33,height=0.41,unit=ratio",
    "crop:width=101,height=99,x=7,y=9/resize:width=33",
    "crop:width=300,height=100,gravity=entropy/resize:width=99",
    "crop:width=0.5,unit=ratio/crop:height=0.5,unit=ratio,gravity=se/resize:width=61",
    "rotate:angle=90/resize:width=200",
    "rotate:angle=33/resize:width=200",
    "resize:width=200/rotate:angle=-45",
    "resize:width=200/rotate:angle=180/flip:axis=y",
    "resize:width=200/watermark:text=Dune,rotate=30",
    "resize:width=200/watermark:text=Dune,rotate=30,tile=true",
    "resize:width=200/pad:top=7,left=3",
    "pad:right=50,bottom=1,background=ffffff/resize:width=200",
    "blur:sigma=2/resize:width=99",
    "resize:width=99/blur:sigma=60",
    "resize:width=99/pixelate:size=16/sharpen/grayscale/adjust:hue=9/round",
    "round:radius=0.3/crop:width=101,height=33,x=7,y=9/resize:width=50",
    "resize:width=200/resize:width=90/crop:width=30",
]
SOURCES = {
    "jpeg": DUNE,
    "odd jpeg": samples.jpeg(1023, 767),
    "narrow jpeg": samples.jpeg(641, 113),
    "webp": samples.webp(1001, 601),
    "png": samples.png(801, 603),
}


@pytest.mark.parametrize("text", SIZED)
@pytest.mark.parametrize("name", SOURCES)
def test_size_is_that_of_geometry(name: str, text: str) -> None:
    data, instructions = (
        SOURCES[name],
        parse(f"{text}/output:format=png,effort=1".removeprefix("/")),
    )
    source = load(data)
    wanted = size_after(instructions, Size(source.width, source.height))
    picture = make(data, instructions.canonical())
    assert (picture.width, picture.height) == (wanted.width, wanted.height)
    image = load(picture.data)
    assert (image.width, image.height) == (wanted.width, wanted.height)


@pytest.mark.parametrize("width", [75, 99, 111, 150, 187, 233, 300, 333, 400, 401])
@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_shrunk_decode_looks_like_a_full_one(form: str, width: int) -> None:
    photo = load(LADYBIRD).crop(0, 0, 1199, 749)
    data = photo.jpegsave_buffer(Q=90) if form == "jpeg" else photo.webpsave_buffer(Q=90)
    shrunk = lossless(data, f"resize:width={width}")
    factor = shrunk.width / 1199
    assert psnr(shrunk, load(data).resize(factor, vscale=shrunk.height / 749)) > 40


CROPS = [
    (101, 103, 801, 501),
    (3, 5, 797, 403),
    (0, 0, 640, 400),
    (211, 87, 983, 600),
    (1, 1, 1197, 747),
]


@pytest.mark.parametrize("divisor", [1.7, 3.1, 4.9, 9])
@pytest.mark.parametrize("box", CROPS)
def test_crop_before_a_resize_is_exact_and_still_shrinks(
    box: tuple[int, int, int, int], divisor: float
) -> None:
    x, y, width, height = box
    data = load(LADYBIRD).crop(0, 0, 1199, 749).jpegsave_buffer(Q=90)
    target = round(width / divisor)
    crop = f"crop:x={x},y={y},width={width},height={height}"
    seen = lossless(data, f"{crop}/resize:width={target}")
    part = load(data).crop(x, y, width, height)
    assert psnr(seen, part.resize(target / width, vscale=seen.height / height)) > 40


@pytest.mark.parametrize(
    ("text", "shrink"),
    [
        ("resize:width=120", 4),
        ("resize:width=400", 2),
        ("resize:width=401", 1),
        ("crop:width=600,height=300/resize:width=200", 2),
        ("crop:width=600,height=300,gravity=smart/resize:width=200", 1),
        ("rotate:angle=90/resize:width=200", 1),
        ("output:format=png", 1),
        ("crop:width=600,height=300/blur:sigma=3/resize:width=200", 1),
    ],
)
def test_decoder_of_jpeg_leaves_lanczos_one_and_a_half_at_least(text: str, shrink: int) -> None:
    source = loaders.open_source(LADYBIRD, Limits())
    assert pipeline.decoded(source, [parse(text)]).grain == (shrink, shrink)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("resize:width=100", 125),
        ("resize:width=333", 416),
        ("resize:width=480", 600),
        ("resize:width=481", 600),
        ("rotate:angle=90/resize:width=200", 600),
    ],
)
def test_decoder_of_webp_leaves_lanczos_a_quarter_at_least(text: str, width: int) -> None:
    data = load(LADYBIRD).resize(0.5).write_to_buffer(".webp")
    canvas = pipeline.decoded(loaders.open_source(data, Limits()), [parse(text)])
    assert canvas.frames[0].width == width


def test_no_colour_of_what_is_transparent_shows_where_webp_is_scaled() -> None:
    disc = pyvips.Image.xyz(400, 400) - 200
    alpha = ((disc[0] ** 2 + disc[1] ** 2) ** 0.5 < 150).ifthenelse(255, 0)
    red, green = alpha, 255 - alpha
    picture = red.bandjoin([green, red * 0, alpha]).cast("uchar").copy(interpretation="srgb")
    data = picture.write_to_buffer(".webp", Q=90, exact=True)
    seen = lossless(data, "resize:width=166")
    visible = seen[3] > 32
    assert visible.ifthenelse(seen[1], 0).max() < 90


def test_webp_that_its_decoder_shrinks_looks_like_one_that_was_decoded_in_full() -> None:
    data = load(LADYBIRD).write_to_buffer(".webp")
    seen = lossless(data, "resize:width=301")
    exact = load(data).resize(301 / 1200, vscale=seen.height / 750)
    assert psnr(seen, exact) > 40


def test_variants_asked_for_together_share_one_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    decodes = []
    real = loaders.decode

    def counting(source: loaders.Source, shrink: int, *, animated: bool) -> object:
        decodes.append(shrink)
        return real(source, shrink, animated=animated)

    monkeypatch.setattr(loaders, "decode", counting)
    widths = [80, 120, 200, 333]
    results = pipeline.make(LADYBIRD, [parse(f"resize:width={w}") for w in widths], {}, Limits())
    assert [result.width for result in results if isinstance(result, Picture)] == widths
    assert decodes == [2]  # small enough for the largest of them


def test_fault_of_one_variant_stays_in_its_place() -> None:
    texts = ["resize:width=100", "crop:width=5000", "watermark:image=" + "a" * 26, "flip:axis=x"]
    results = pipeline.make(LADYBIRD, [parse(text) for text in texts], {}, Limits())
    kinds = [r.code if isinstance(r, Problem) else r.format for r in results]
    assert kinds == ["jpeg", "invalid-instructions", "unknown-watermark", "jpeg"]
    pointers = [r.figures["pointer"] for r in results if isinstance(r, Problem)]
    assert pointers == ["/0/width", "/0/image"]


@pytest.mark.parametrize("form", samples.FORMATS)
def test_same_input_gives_the_same_bytes(form: str) -> None:
    text = f"resize:width=90/rotate:angle=10/watermark:text=Same/output:format={form}"
    assert make(LADYBIRD, text).data == make(LADYBIRD, text).data
