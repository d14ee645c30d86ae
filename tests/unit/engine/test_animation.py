"""Animations stay animated where the output can hold them, and every frame gets every step."""

import pytest

from filmroll.engine import pipeline
from filmroll.errors import TooManyFrames
from filmroll.geometry import Size, size_after
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.ports import Picture
from tests import samples
from tests.unit.engine.pictures import load, make, psnr

FRAMES = 5
STEPS = [
    "resize:width=61",
    "crop:width=50,height=31,x=11,y=7",
    "resize:width=40,height=40,fit=cover,gravity=smart",
    "resize:width=60,height=60,fit=pad,background=ff0000",
    "rotate:angle=90",
    "rotate:angle=20",
    "flip:axis=y",
    "watermark:text=Hello,size=20",
    "watermark:text=Hello,size=12,tile=true,rotate=20,outline=0.1",
    "pad:top=3,right=8,background=00ff00",
    "blur:sigma=1",
    "sharpen",
    "pixelate:size=3",
    "adjust:saturation=2,hue=30",
    "grayscale",
    "round:radius=9",
]


def test_the_sources_are_animated() -> None:
    for data in (samples.gif(FRAMES), samples.webp(96, 64, frames=FRAMES)):
        assert load(data).get("n-pages") == FRAMES


@pytest.mark.parametrize("text", STEPS)
@pytest.mark.parametrize("out", ["gif", "webp"])
@pytest.mark.parametrize("into", ["gif", "webp"])
def test_stays_animated(into: str, out: str, text: str) -> None:
    data = samples.make(into, 97, 65, frames=FRAMES)
    instructions = parse(f"{text}/output:format={out},effort=0")
    picture = make(data, instructions.canonical())
    wanted = size_after(instructions, Size(97, 65))
    assert (picture.frames, picture.width, picture.height) == (FRAMES, wanted.width, wanted.height)
    image = load(picture.data, n=-1)
    assert image.get("n-pages") == FRAMES
    assert image.get("delay") == [100] * FRAMES
    assert (image.width, image.get_page_height()) == (wanted.width, wanted.height)


@pytest.mark.parametrize("text", STEPS)
def test_each_frame_looks_as_if_it_were_alone(text: str) -> None:
    data = samples.webp(97, 65, frames=FRAMES, lossless=True)
    strip = load(make(data, f"{text}/output:format=webp,lossless=true,effort=0").data, n=-1)
    height = strip.get_page_height()
    first = load(make(load(data).pngsave_buffer(), f"{text}/output:format=png").data)
    seen = strip.crop(0, 0, strip.width, height)
    assert psnr(_flat(seen), _flat(first)) > 45
    last = strip.crop(0, strip.height - height, strip.width, height)
    assert psnr(_flat(last), _flat(first)) < 45  # and not the first one five times


def _flat(image):
    return image.flatten(background=[0, 0, 0]) if image.hasalpha() else image


@pytest.mark.parametrize("form", ["jpeg", "png", "avif", "tiff"])
def test_still_format_gets_the_first_frame(form: str) -> None:
    picture = make(samples.gif(FRAMES), f"resize:width=80/output:format={form}")
    assert (picture.frames, picture.width, picture.height) == (1, 80, 60)
    assert load(picture.data).get_n_pages() == 1


def test_moving_and_still_variants_come_together() -> None:
    texts = ["resize:width=40", "resize:width=40/output:format=png"]
    moving, still = pipeline.make(samples.gif(3), [parse(t) for t in texts], {}, Limits())
    assert isinstance(moving, Picture)
    assert isinstance(still, Picture)
    assert (moving.frames, still.frames) == (3, 1)
    assert load(still.data).height == 30


def test_moving_webp_is_written_at_less_effort_unless_one_is_given() -> None:
    data = samples.gif(FRAMES)

    def written(output: str, source: bytes = data) -> bytes:
        return make(source, f"output:format=webp{output}").data

    assert written("") == written(",effort=3") != written(",effort=6")  # 2 and 4 of libwebp's 6
    still = load(data).pngsave_buffer()
    assert written("", still) == written(",effort=6", still) != written(",effort=3", still)


def test_loop_count_is_kept() -> None:
    once = load(samples.gif(3), n=-1).copy()
    once.set("loop", 1)
    assert load(make(once.gifsave_buffer(), "resize:width=40").data).get("loop") == 1


def test_over_the_budget_it_is_refused_not_cut() -> None:
    with pytest.raises(TooManyFrames):
        pipeline.make(samples.gif(5), [parse("resize:width=9")], {}, Limits(max_frames=4))
    few = Limits(max_pixels=160 * 120 * 5 - 1)
    with pytest.raises(TooManyFrames):
        pipeline.make(samples.gif(5), [parse("resize:width=9")], {}, few)


def test_pages_of_a_tiff_are_no_animation() -> None:
    data = samples.tiff(96, 64, frames=3)
    picture = make(data, "resize:width=48/output:format=webp")
    assert (picture.frames, picture.height) == (1, 32)
    one_page = Limits(max_pixels=96 * 64)
    assert isinstance(pipeline.make(data, [parse("output")], {}, one_page)[0], Picture)
