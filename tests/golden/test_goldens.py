"""Every operation on a real photograph, against a small picture that somebody has looked at.

A golden that is missing fails. ``pytest tests/golden --bless-goldens`` writes all of them anew.
"""

from pathlib import Path

import pytest
import pyvips

from filmroll.engine import pipeline
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.ports import Picture
from tests.golden.distance import distance
from tests.samples import FIXTURES

GOLDENS = Path(__file__).parent / "pictures"
NOTICEABLE = 1.5  # CIEDE2000, worst patch
MARK = "0" * 26
LINES = "Sturm%20%C3%BCber%0AAyd%C4%B1n%20%26%20%CE%A3"

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
    "text": ("storm", "resize:width=200/watermark:text=Filmroll,size=24,margin=8"),
    "text-lines": (
        "storm",
        f"resize:width=200/watermark:text={LINES},scale=0.6,position=center,font=sans-bold,color=fc0",
    ),
    "text-tiled": (
        "storm",
        "resize:width=200/watermark:text=draft,size=20,tile=true,rotate=30,opacity=0.4",
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
        f"resize:width=200/watermark:image={MARK},scale=0.15,margin=6,tile=true",
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
    [result] = pipeline.make(data, [parse(_seen(text))], {MARK: mark()}, Limits())
    assert isinstance(result, Picture)
    seen = pyvips.Image.new_from_buffer(result.data, "")
    path = GOLDENS / f"{name}.png"
    if bless:
        seen.pngsave(str(path), keep="none", effort=10)
    assert distance(seen, pyvips.Image.new_from_file(str(path))) < NOTICEABLE


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
