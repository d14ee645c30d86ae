"""gravity=face with the real detector: faces stay in the picture, and nothing else changes."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import pyvips

from filmroll.engine import faces, loaders, pipeline
from filmroll.engine.canvas import Canvas
from filmroll.engine.faces import Face
from filmroll.engine.pool import EnginePool
from filmroll.engine.steps import attention
from filmroll.geometry import Box, Size
from filmroll.instructions import parse
from filmroll.limits import Limits
from filmroll.ports import Picture
from tests import samples
from tests.samples import FIXTURES
from tests.unit.engine.pictures import flat, load, lossless, make, psnr
from tests.unit.engine.test_orientation import CAMERA

ASTRONAUT = (FIXTURES / "astronaut.jpg").read_bytes()  # 512 × 512
FACE = Box(183, 75, 84, 100)  # drawn by hand: from the brows to the chin, from ear to ear
FACELESS = ["dune", "ladybird", "storm", "yellowflower"]
Camera = Callable[[pyvips.Image], pyvips.Image]
COVER = "resize:width={},height={},fit=cover,gravity=face"
CROP = "crop:width={},height={},gravity=face"


def seen(image: pyvips.Image) -> list[Face]:
    return faces.find(Canvas.of((image,)))


def middle(face: Face) -> tuple[float, float]:
    return (face.left + face.right) / 2, (face.top + face.bottom) / 2


def shares(face: Face, box: Box, size: Size) -> float:
    """Return what a found face and a drawn box have in common, of what they cover together."""
    left, right = (
        max(face.left * size.width, box.x),
        min(face.right * size.width, box.x + box.width),
    )
    top = max(face.top * size.height, box.y)
    bottom = min(face.bottom * size.height, box.y + box.height)
    common = max(0, right - left) * max(0, bottom - top)
    area = (face.right - face.left) * size.width * (face.bottom - face.top) * size.height
    return common / (area + box.width * box.height - common)


def photograph(width: int, height: int, *places: tuple[int, int, float]) -> pyvips.Image:
    """Return a grey sheet with the astronaut's head, 200 px at scale 1, at x, y, scale."""
    head = load(ASTRONAUT).crop(125, 20, 200, 200)
    sheet = flat(120, 120, 120, width=width, height=height)
    for x, y, scale in places:
        sheet = sheet.insert(head.resize(scale), x, y)
    return sheet.copy_memory()


def test_the_detector_finds_the_face_that_is_there() -> None:
    [face] = seen(load(ASTRONAUT))
    assert shares(face, FACE, Size(512, 512)) > 0.5


@pytest.mark.parametrize("name", FACELESS)
def test_the_detector_finds_none_where_none_is(name: str) -> None:
    assert seen(load((FIXTURES / f"{name}.jpg").read_bytes())) == []


@pytest.mark.parametrize(
    "text",
    [
        CROP.format(200, 200),
        CROP.format(130, 300),
        CROP.format(400, 160),
        CROP.format(512, 150),
        CROP.format(150, 512),
        "crop:width=0.3,height=0.4,unit=ratio,gravity=face",
        COVER.format(300, 100),
        COVER.format(90, 300),
        COVER.format(60, 100),
        COVER.format(1000, 400),
        COVER.format(300, 100) + ",enlarge=true,dpr=2",
    ],
)
def test_the_face_is_in_the_result(text: str) -> None:
    [face] = seen(lossless(ASTRONAUT, text))
    assert face.left > 0
    assert face.right < 1
    assert face.top > 0
    assert face.bottom < 1


def test_the_face_is_in_the_middle_and_a_little_above() -> None:
    [face] = seen(lossless(ASTRONAUT, CROP.format(160, 200)))
    x, y = middle(face)
    assert abs(x - 0.5) < 0.05
    assert 0.4 < y < 0.56
    [face] = seen(
        lossless(
            samples.encoded(photograph(700, 900, (250, 350, 1)), ".png"), CROP.format(600, 600)
        )
    )
    x, y = middle(face)
    assert abs(x - 0.5) < 0.03
    assert 0.42 < y < 0.5


def test_a_face_larger_than_the_part_fills_it() -> None:
    canvas = Canvas.of((load(ASTRONAUT),))
    box = attention.find(canvas, "face", Size(40, 40))
    assert FACE.x < box.x < box.x + 40 < FACE.x + FACE.width
    assert FACE.y - 20 < box.y < box.y + 40 < FACE.y + FACE.height


@pytest.mark.parametrize(("x", "y"), [(0, 0), (600, 0), (0, 400), (600, 400)])
def test_a_face_at_an_edge_stays_whole(x: int, y: int) -> None:
    picture = samples.encoded(photograph(800, 600, (x, y, 1)), ".png")
    for text in (CROP.format(300, 300), COVER.format(300, 500)):
        [face] = seen(lossless(picture, text))
        assert min(face.left, face.top, 1 - face.right, 1 - face.bottom) > 0


def test_two_faces_that_fit_are_both_kept() -> None:
    picture = samples.encoded(photograph(1200, 500, (80, 100, 1), (620, 140, 0.8)), ".png")
    assert len(seen(lossless(picture, CROP.format(800, 400)))) == 2
    assert len(seen(lossless(picture, COVER.format(640, 400)))) == 2


@pytest.mark.parametrize("turn", [lambda image: image, lambda image: image.fliphor()])
def test_of_two_faces_that_do_not_fit_the_larger_one_is_kept(turn: Camera) -> None:
    sheet = turn(photograph(1200, 500, (620, 100, 1.4), (80, 140, 0.7)))
    [face] = seen(lossless(samples.encoded(sheet, ".png"), CROP.format(400, 400)))
    assert abs(middle(face)[0] - 0.5) < 0.05
    assert 0.25 < face.right - face.left < 0.45  # 88 of 200 px, times 1.4, of 400


@pytest.mark.parametrize("text", [CROP.format(200, 260), COVER.format(60, 100)])
@pytest.mark.parametrize("orientation", CAMERA)
def test_a_turned_picture_is_cut_as_the_upright_one(orientation: int, text: str) -> None:
    upright = load(ASTRONAUT)
    turned = samples.encoded(CAMERA[orientation](upright), ".jpg", orientation, Q=97)
    wanted = lossless(samples.encoded(upright, ".png"), text)
    assert psnr(lossless(turned, text), wanted) > 30


@pytest.mark.parametrize("text", [CROP.format(300, 200), COVER.format(60, 40)])
@pytest.mark.parametrize("name", ["ladybird", "storm"])
def test_without_a_face_it_is_as_smart(name: str, text: str) -> None:
    data = (FIXTURES / f"{name}.jpg").read_bytes()
    smart = text.replace("face", "smart")
    assert (
        make(data, f"{text}/output:format=png").data
        != make(data, f"{text.replace('face', 'center')}/output:format=png").data
    )
    assert psnr(lossless(data, text), lossless(data, smart)) > 40


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (1, 3), (5, 3), (19, 19), (3000, 1), (1, 3000), (81, 20)]
)
def test_tiny_pictures_are_cut_as_by_smart(width: int, height: int) -> None:
    data = samples.encoded(samples.picture(width, height), ".png")
    for text in ("crop:width=1,height=1,gravity=face", COVER.format(1, 1)):
        smart = lossless(data, text.replace("face", "smart"))
        assert psnr(lossless(data, text), smart) == float("inf")


def test_grey_and_transparent_pictures() -> None:
    upright = load(ASTRONAUT)
    [wanted] = seen(lossless(ASTRONAUT, CROP.format(160, 200)))
    place = (pyvips.Image.xyz(512, 512) - [225, 120]) ** 2
    cut_out = upright.bandjoin((place[0] + place[1]) < 100**2)
    for image in (upright.colourspace("b-w"), upright.colourspace("grey16"), cut_out):
        data = samples.encoded(image, ".png")
        [face] = seen(lossless(data, CROP.format(160, 200)))
        assert all(abs(a - b) < 0.06 for a, b in zip(middle(face), middle(wanted), strict=True))


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_the_first_frame_decides_for_all(kind: str) -> None:
    frames = [
        photograph(600, 300, (380, 60, 1)),
        photograph(600, 300, (20, 60, 1)),
        flat(9, 9, 9, width=600, height=300),
    ]
    strip = pyvips.Image.arrayjoin(frames, across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", 300)
    data = samples.encoded(strip, f".{kind}")
    result = make(data, CROP.format(220, 220) + "/output:format=webp,lossless=true,effort=0")
    moving = load(result.data, n=-1)
    assert result.frames == 3
    first, second, third = (moving.crop(0, 220 * n, 220, 220) for n in range(3))
    assert len(seen(first)) == 1
    assert seen(second) == seen(third) == []


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_other_variants_made_at_once_change_nothing(suffix: str) -> None:
    large = load(ASTRONAUT).resize(5)
    data = samples.encoded(large, suffix, Q=90)
    wanted = parse(COVER.format(30, 50) + "/output:format=png")
    [alone] = pipeline.make(data, [wanted], {}, Limits())
    [_whole, beside] = pipeline.make(data, [parse("output:format=jpeg"), wanted], {}, Limits())
    assert isinstance(alone, Picture)
    assert isinstance(beside, Picture)
    assert psnr(load(alone.data), load(beside.data)) > 35


def test_the_decoder_leaves_enough_to_see_a_face() -> None:
    data = samples.encoded(photograph(4800, 3200, (3000, 1200, 5)), ".jpg")
    text = COVER.format(40, 60)
    canvas = pipeline.decoded(loaders.open_source(data, Limits()), [parse(text)])
    assert canvas.grain == (4, 4)
    assert canvas.frames[0].width >= faces.SIDE
    [face] = seen(lossless(data, text.replace("40", "400").replace("60", "600")))
    assert abs(middle(face)[0] - 0.5) < 0.1


async def run(engine: EnginePool, data: bytes, text: str) -> Picture:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        [result] = await engine.make(file, [parse(text)], {})
    assert isinstance(result, Picture), result
    return result


def mapped(pid: int) -> bool:
    return "dlib" in Path(f"/proc/{pid}/maps").read_text()


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def test_a_confined_child_loads_it_when_asked_and_keeps_it() -> None:
    engine = EnginePool(1)
    await engine.start()
    try:
        [pid] = engine.pids()
        await run(engine, ASTRONAUT, "crop:width=200,height=200,gravity=smart")
        assert not mapped(pid)
        before = resident(pid), threads(pid)
        cut = await run(engine, ASTRONAUT, CROP.format(160, 200) + "/output:format=png")
        assert len(seen(load(cut.data))) == 1
        assert mapped(pid)
        assert threads(pid) <= before[1]  # no pool of threads came along
        settled = resident(pid)
        assert settled - before[0] < 64 << 20
        for _time in range(12):
            await run(engine, ASTRONAUT, CROP.format(160, 200))
        assert engine.pids() == [pid]  # it was not recycled for what it holds
        assert resident(pid) - settled < 8 << 20
    finally:
        await engine.close()


WITHOUT = """
import sys
sys.modules["dlib"] = None  # as if it were not installed
from filmroll.engine import pipeline
from filmroll.instructions import parse
from filmroll.limits import Limits

wanted = [parse("flip:axis=x/crop:width=9,gravity=face"), parse("crop:width=9,gravity=smart")]
problem, picture = pipeline.make(sys.stdin.buffer.read(), wanted, {}, Limits())
print(problem.code, problem.figures["pointer"], problem.detail, picture.width, sep="|")
"""


def test_an_engine_without_the_detector_says_what_is_missing() -> None:
    """Its machine may be another one than that which let the instructions pass."""
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        input=ASTRONAUT,
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout.decode()
    code, pointer, detail, width = said.strip().split("|")
    assert (code, pointer, width) == ("invalid-instructions", "/1/gravity", "9")
    assert "filmroll[faces]" in detail
