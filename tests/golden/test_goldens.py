"""Every operation on a real photograph, against a small picture that somebody has looked at.

A golden that is missing fails. ``pytest tests/golden --bless-goldens`` writes all of them anew.
"""

from pathlib import Path
from urllib.parse import quote

import pytest
import pyvips

from filmroll.engine import pipeline
from filmroll.instructions import OPERATIONS, parse
from filmroll.limits import Limits
from filmroll.ports import Picture
from tests.golden.distance import distance
from tests.samples import FIXTURES

GOLDENS = Path(__file__).parent / "pictures"
NOTICEABLE = 1.5  # CIEDE2000, worst patch
MARK = "0" * 26
LINES = "Sturm%20%C3%BCber%0AAyd%C4%B1n%20%26%20%CE%A3"
FOX = quote("The quick brown fox jumps over the lazy dog")
WRAPPED = "wrap=0.7,align=center,outline=0.08"
HOLLOW = "color=transparent,outline=0.05,outline_color=ffcc00"
SIGNED = "watermark:text=Filmroll,size=20,margin=6"
NUMBERED = "watermark:text=1%2F9,size=14,margin=6,position=sw"
SCRIPTS = quote("שלום abc\nمرحبا بالعالم\n😀★✓❤")

CASES = {
    "resize": ("ladybird", "resize:width=160"),
    "crop": ("ladybird", "crop:width=0.3,height=0.4,x=0.5,y=0.3,unit=ratio/resize:width=160"),
    "crop-smart": ("ladybird", "crop:width=300,height=300,gravity=smart/resize:width=100"),
    "crop-entropy": ("ladybird", "crop:width=400,height=300,gravity=entropy/resize:width=120"),
    "crop-face": (
        "astronaut",
        "crop:width=0.4,height=0.5,unit=ratio,gravity=face/resize:width=100",
    ),
    "cover": ("ladybird", "resize:width=120,height=120,fit=cover"),
    "cover-west": ("ladybird", "resize:width=120,height=120,fit=cover,gravity=w"),
    "cover-smart": ("ladybird", "resize:width=120,height=120,fit=cover,gravity=smart"),
    "cover-face": ("astronaut", "resize:width=180,height=72,fit=cover,gravity=face"),
    "cover-focus": ("ladybird", "resize:width=120,height=120,fit=cover,focus_x=0.7,focus_y=0.5"),
    "fill": ("dune", "resize:width=160,height=160,fit=fill"),
    "pad": ("dune", "resize:width=160,height=160,fit=pad,background=204060"),
    "pad-transparent": ("dune", "resize:width=160,height=120,fit=pad,gravity=n"),
    "enlarge": ("dune", "crop:width=60,height=40,x=400,y=100/resize:width=160,enlarge=true"),
    "rotate-quarter": ("dune", "resize:width=120/rotate:angle=90"),
    "rotate-white": ("dune", "resize:width=120/rotate:angle=15,background=ffffff"),
    "rotate-transparent": ("dune", "resize:width=120/rotate:angle=-40"),
    "flip-x": ("dune", "resize:width=120/flip:axis=x"),
    "flip-y": ("dune", "resize:width=120/flip:axis=y"),
    "trim": ("dune", "resize:width=110/pad:top=9,left=15,right=4,background=fdf6e3/trim"),
    "border": ("dune", "resize:width=100/pad:top=5,right=12,bottom=20,left=12,background=fdf6e3"),
    "blur": ("yellowflower", "resize:width=110/blur:sigma=3"),
    "blur-large": ("yellowflower", "blur:sigma=60/resize:width=110"),
    "blur-transparent": ("dune", "resize:width=90,height=80,fit=pad/blur:sigma=4"),
    "sharpen": ("ladybird", "resize:width=110/sharpen:sigma=1.5"),
    "pixelate": ("yellowflower", "resize:width=110/pixelate:size=12"),
    "pixelate-transparent": ("dune", "resize:width=100,height=90,fit=pad/pixelate:size=14"),
    "adjust": ("ladybird", "resize:width=110/adjust:brightness=1.2,contrast=0.8,saturation=1.5"),
    "adjust-hue": ("ladybird", "resize:width=110/adjust:hue=120"),
    "grayscale": ("ladybird", "resize:width=110/grayscale"),
    "round": ("yellowflower", "resize:width=90,height=90,fit=cover/round"),
    "round-corners": ("dune", "resize:width=110/round:radius=18,background=204060"),
    "text": ("storm", "resize:width=200/watermark:text=Filmroll,size=24,margin=8"),
    "text-lines": (
        "storm",
        f"resize:width=200/watermark:text={LINES},scale=0.6,position=center,font=sans-bold,color=fc0",
    ),
    "text-tiled": (
        "storm",
        "resize:width=200/watermark:text=draft,size=20,tile=true,rotate=30,opacity=0.4",
    ),
    "text-wrapped": (
        "storm",
        f"resize:width=200/watermark:text={FOX},size=22,position=center,{WRAPPED}",
    ),
    "text-scripts": (
        "storm",
        f"resize:width=200/watermark:text={SCRIPTS},size=26,position=center,font=sans-bold",
    ),
    "text-hollow": (
        "storm",
        f"resize:width=200/watermark:text=Film,size=70,position=center,{HOLLOW}",
    ),
    "several": (
        "storm",
        f"resize:width=200/watermark:image={MARK},scale=0.2,position=nw/{SIGNED}/{NUMBERED}",
    ),
    "logo": (
        "storm",
        f"resize:width=200/watermark:image={MARK},scale=0.25,margin=0.05,position=ne",
    ),
    "logo-faded": (
        "storm",
        f"resize:width=200/watermark:image={MARK},scale=0.2,rotate=-20,opacity=0.6",
    ),
    "logo-tiled": (
        "storm",
        f"resize:width=200/watermark:image={MARK},scale=0.1,margin=6,tile=true",
    ),
    "logo-tiled-turned": (
        "storm",
        f"resize:width=200/watermark:image={MARK},scale=0.1,tile=true,rotate=-30,opacity=0.5",
    ),
    "jpeg": ("yellowflower", "resize:width=160/output:format=jpeg,quality=30"),
    "webp": ("yellowflower", "resize:width=160/output:format=webp"),
    "avif": ("yellowflower", "resize:width=160/output:format=avif"),
    "gif": ("yellowflower", "resize:width=160/output:format=gif"),
    "jpeg-flattened": ("yellowflower", "resize:width=160/rotate:angle=20/output:format=jpeg"),
}


def mark() -> bytes:
    """Return a logo: a disc with a hole in it, on nothing."""
    place = pyvips.Image.xyz(200, 200) - [100, 100]
    radius = (place[0] ** 2 + place[1] ** 2) ** 0.5
    ring = ((radius > 45) & (radius < 95)).gaussblur(1)
    logo = ring.new_from_image([255, 90, 40]).bandjoin(ring).cast("uchar")
    data: bytes = logo.copy(interpretation="srgb").pngsave_buffer()
    return data


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str, *, bless: bool) -> None:
    photo, text = CASES[name]
    data = (FIXTURES / f"{photo}.jpg").read_bytes()
    seen = made(data, _seen(text))
    path = GOLDENS / f"{name}.png"
    if bless:
        seen.pngsave(str(path), keep="none", effort=10)
    assert distance(seen, pyvips.Image.new_from_file(str(path))) < NOTICEABLE


# How each format is written, and what it may lose: rounding (an animation always has alpha, which
# is scaled otherwise), grain, or all but 256 colours.
FORMATS = {
    "jpeg": ("quality=95", 4),
    "webp": ("lossless=true", 2.5),
    "avif": ("lossless=true", NOTICEABLE),
    "tiff": ("effort=1", NOTICEABLE),
    "gif": ("effort=7", 12),
}
FIRST_WITH = {
    op: next(name for name, (_, text) in CASES.items() if op in text.replace("/", ":").split(":"))
    for op in OPERATIONS
    if op != "output"
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", FIRST_WITH.values(), ids=FIRST_WITH)
def test_every_operation_in_every_format(name: str, form: str) -> None:
    photo, text = CASES[name]
    options, tolerance = FORMATS[form]
    data = (FIXTURES / f"{photo}.jpg").read_bytes()
    seen = made(data, f"{text}/output:format={form},{options}")
    golden = pyvips.Image.new_from_file(str(GOLDENS / f"{name}.png"))
    if form == "jpeg" and golden.hasalpha():
        golden = golden.flatten(background=[255, 255, 255])
    assert distance(seen, golden) < tolerance


@pytest.mark.parametrize("form", ["webp", "gif"])
@pytest.mark.parametrize("name", FIRST_WITH.values(), ids=FIRST_WITH)
def test_every_operation_on_every_frame_of_an_animation(name: str, form: str) -> None:
    photo, text = CASES[name]
    still = pyvips.Image.new_from_file(str(FIXTURES / f"{photo}.jpg")).resize(0.25)
    frames = [still, still.rot180()]
    options, tolerance = FORMATS[form]
    strip = made(animated(frames), f"{text}/output:format={form},{options}", n=-1)
    assert strip.get("n-pages") == len(frames)
    height = strip.get_page_height()
    for number, frame in enumerate(frames):
        alone = made(frame.pngsave_buffer(), f"{text}/output:format=png")
        seen = strip.crop(0, number * height, strip.width, height)
        assert distance(seen, alone) < tolerance


def animated(frames: list[pyvips.Image]) -> bytes:
    """Return a WebP without loss that shows pictures of one size one after the other."""
    strip = pyvips.Image.arrayjoin(frames, across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", frames[0].height)
    strip.set_type(pyvips.GValue.array_int_type, "delay", [100] * len(frames))
    data: bytes = strip.webpsave_buffer(lossless=True, effort=0)
    return data


def made(data: bytes, text: str, **options: int) -> pyvips.Image:
    """Make a variant that must succeed, and return its pixels."""
    [result] = pipeline.make(data, [parse(text)], {MARK: mark()}, Limits())
    assert isinstance(result, Picture), result
    return pyvips.Image.new_from_buffer(result.data, "", **options)


def _seen(text: str) -> str:
    """Write a case that does not test a format without loss."""
    return text if "output" in text else f"{text}/output:format=png"


def test_no_golden_is_left_over() -> None:
    assert {path.stem for path in GOLDENS.iterdir()} == set(CASES)


def test_distance_sees_what_an_eye_sees() -> None:
    picture = pyvips.Image.new_from_file(str(FIXTURES / "dune.jpg")).resize(0.2)
    noise = pyvips.Image.gaussnoise(picture.width, picture.height, sigma=1, mean=0, seed=1)
    assert distance(picture, (picture + noise).cast("uchar").copy(interpretation="srgb")) < 1
    assert distance(picture, picture.wrap(x=1, y=0)) > NOTICEABLE
    assert distance(picture, (picture * 1.06).cast("uchar").copy(interpretation="srgb")) > 1
    dot = picture.draw_rect([255, 0, 0], 30, 30, 4, 4, fill=True)
    assert distance(picture, dot) > NOTICEABLE
