"""max_bytes and quality=auto: what is promised is kept, in a bounded number of encodings."""

import pytest
import pyvips

from filmroll.engine import encoders, fitting, pipeline
from filmroll.engine.fitting import SQUEEZES, TARGET, squeezed
from filmroll.engine.similarity import Similarity
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.model import Problem
from tests import samples
from tests.unit.engine.pictures import DUNE, LADYBIRD, STORM, flat, load, make

LOSSY = ("jpeg", "webp", "avif")


def refused(data: bytes, text: str) -> Problem:
    [result] = pipeline.make(data, [parse(text)], {}, Limits())
    assert isinstance(result, Problem), result
    return result


@pytest.mark.parametrize("limit", [2_000, 5_000, 12_000])
@pytest.mark.parametrize("form", [*LOSSY, "png", "gif"])
def test_bytes_are_kept_within_the_limit(form: str, limit: int) -> None:
    wide = {2_000: 90, 5_000: 150, 12_000: 240}[limit] if form in {"png", "gif"} else 240
    picture = make(LADYBIRD, f"resize:width={wide}/output:format={form},max_bytes={limit}")
    assert len(picture.data) <= limit
    assert (picture.format, load(picture.data).width) == (form, wide)


@pytest.mark.parametrize("form", LOSSY)
def test_no_more_is_lost_than_need_be(form: str) -> None:
    text = f"resize:width=400/output:format={form}"
    plain = make(DUNE, text)
    assert make(DUNE, f"{text},max_bytes={len(plain.data)}").data == plain.data
    limit = len(plain.data) * 2 // 3
    assert limit * 0.85 < len(make(DUNE, f"{text},max_bytes={limit}").data) <= limit


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("resize:width=300/output:format=jpeg,max_bytes=900", "/1/max_bytes"),
        ("output:format=avif,max_bytes=300", "/0/max_bytes"),
        ("flip:axis=x/resize:width=300/output:format=png,max_bytes=500", "/2/max_bytes"),
        ("output:format=auto-basic,max_bytes=1", "/0/max_bytes"),
    ],
)
def test_what_cannot_be_reached_is_refused_with_what_can(text: str, pointer: str) -> None:
    problem = refused(STORM, text)
    assert (problem.code, problem.figures["pointer"]) == ("invalid-instructions", pointer)
    reached = problem.figures["actual"]
    assert reached > problem.figures["limit"]
    assert f"{reached:,} bytes" in problem.detail
    enough = text.replace(f"max_bytes={problem.figures['limit']}", f"max_bytes={reached}")
    assert len(make(STORM, enough).data) == reached


def test_a_picture_that_stays_tiff_has_nothing_to_lose() -> None:
    problem = refused(samples.tiff(), "resize:width=50/output:max_bytes=500")
    assert problem.figures["pointer"] == "/1/max_bytes"
    assert "TIFF" in problem.detail


def test_animations_keep_their_frames_within_the_limit() -> None:
    for form, part in (("webp", 2), ("gif", 2)):
        plain = make(samples.gif(8), f"output:format={form}")
        limit = len(plain.data) // part
        picture = make(samples.gif(8), f"output:format={form},max_bytes={limit}")
        assert len(picture.data) <= limit
        assert load(picture.data, n=-1).get("n-pages") == 8


@pytest.mark.parametrize("ceiling", range(0, 101, 7))
def test_the_search_is_bounded_and_finds_the_best_that_it_tried(ceiling: int) -> None:
    tried: list[int] = []

    def encode(settings: dict[str, int]) -> bytes:
        tried.append(settings["Q"])
        return bytes(settings["Q"])  # as many bytes as its quality

    data = squeezed(encode, [{"Q": quality} for quality in range(10, 80)], ceiling)
    assert len(tried) <= SQUEEZES
    fitting_ = [quality for quality in tried if quality <= ceiling]
    assert len(data) == (max(fitting_) if fitting_ else 10)
    if 10 <= ceiling < 80:
        assert ceiling - 4 < len(data) <= ceiling


# ------------------------------------------------------------------------------- quality=auto


@pytest.mark.parametrize("form", LOSSY)
@pytest.mark.parametrize("data", [LADYBIRD, STORM], ids=["ladybird", "storm"])
def test_the_score_is_kept_with_fewer_bytes(data: bytes, form: str) -> None:
    text = f"resize:width=400/output:format={form}"
    original = Similarity(load(make(data, "resize:width=400/output:format=png").data))
    chosen, usual = make(data, f"{text},quality=auto"), make(data, text)
    assert original.of(chosen.data) >= TARGET
    if form != "webp":  # whose own quality is as low as this
        assert len(chosen.data) < 0.9 * len(usual.data)


@pytest.mark.parametrize("form", LOSSY)
def test_one_step_less_would_not_do(form: str) -> None:
    image = load(DUNE).thumbnail_image(800).copy_memory()
    op = parse(f"output:format={form},quality=auto").output
    similarity = Similarity(image)

    def encode(settings: dict[str, int]) -> bytes:
        return encoders.encode(image, form, op, settings)

    quality = fitting.alike_enough(form, encode, similarity)
    assert similarity.of(encode({"Q": quality})) >= TARGET
    assert similarity.of(encode({"Q": quality - 1})) < TARGET


def test_rough_pictures_get_more_than_usual() -> None:
    text = "resize:width=400/output:format=webp"
    assert len(make(DUNE, f"{text},quality=auto").data) > len(make(DUNE, text).data)


@pytest.mark.parametrize("form", [*samples.FORMATS, "auto-avif-webp", "auto-basic"])
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (12, 12), (40, 11), (90, 60)])
def test_every_size_and_format_takes_it(size: tuple[int, int], form: str) -> None:
    picture = make(samples.png(*size), f"output:format={form},quality=auto")
    assert (picture.width, picture.height) == size


def test_alpha_and_animations_take_it() -> None:
    clear = flat(9, 99, 200, 0, width=90, height=60).pngsave_buffer()
    assert load(make(clear, "output:format=webp,quality=auto").data)(20, 20)[3] == 0
    assert make(samples.gif(4), "output:format=webp,quality=auto").frames == 4


def test_the_score_says_what_the_eye_does() -> None:
    image = load(STORM).thumbnail_image(300).copy_memory()
    similarity = Similarity(image)
    scores = [
        similarity.of(image.pngsave_buffer()),
        similarity.of(image.jpegsave_buffer(Q=90)),
        similarity.of(image.jpegsave_buffer(Q=40)),
        similarity.of(image.gaussblur(3).cast("uchar").pngsave_buffer()),
        similarity.of(pyvips.Image.gaussnoise(300, image.height, mean=128).pngsave_buffer()),
    ]
    assert scores[0] == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.2
