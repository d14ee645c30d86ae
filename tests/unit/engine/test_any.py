"""Whatever the instructions, on whatever picture: a picture of the right size, or a clear no."""

import pyvips
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from filmroll.engine import pipeline
from filmroll.errors import FilmrollError
from filmroll.geometry import Size, size_after
from filmroll.instructions import Instructions, Output, Trim, parse
from filmroll.limits import Limits
from filmroll.ports import Picture
from tests import samples
from tests.unit.engine.pictures import load
from tests.unit.test_instructions import STEPS

REFUSALS = {"invalid-instructions", "too-many-pixels", "unknown-watermark"}
MOST = 3_000_000  # pixels on the way: what costs more time than that is no better a test
PNG = Output(format="png", effort=0)


def source(width: int, height: int, bands: int, border: int) -> bytes:
    """Return a PNG: grey or in colour, with alpha or not, with a border or not."""
    image = samples.picture(width, height, 5).extract_band(0, n=1 if bands < 3 else 3)
    if bands in {2, 4}:
        image = image.bandjoin(samples.picture(width, height, 6).extract_band(0))
    kind = "b-w" if bands < 3 else "srgb"
    image = image.copy(interpretation=kind)
    side = {"extend": "background", "background": [255] * bands}
    framed = image.embed(border, 0, width + 2 * border, height + border, **side)
    data: bytes = framed.pngsave_buffer(compression=1)
    return data


WIDTHS = st.one_of(st.integers(1, 40), st.sampled_from([5_000, 16_000]))
SOURCES = st.builds(
    source, WIDTHS, st.integers(1, 40), st.sampled_from([1, 2, 3, 4]), st.integers(0, 9)
)


@given(SOURCES, st.lists(STEPS, min_size=1, max_size=4))
@example(source(1, 1, 4, 0), parse("trim/blur:sigma=250/round/pixelate:size=16383/sharpen").steps)
@example(source(16_000, 16, 3, 0), parse("watermark:text=%D7%A9%0Aa,size=4,wrap=1").steps)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_steps_on_any_picture(data: bytes, steps: list) -> None:
    instructions = Instructions((*steps, PNG))
    image: pyvips.Image = load(data)
    try:
        if _largest(instructions, Size(image.width, image.height)) > MOST:
            return
        wanted = size_after(instructions, Size(image.width, image.height))
    except FilmrollError:
        wanted = None
    [result] = pipeline.make(data, [instructions], {}, Limits())
    if not isinstance(result, Picture):
        assert result.code in REFUSALS, result
        return
    assert wanted is not None
    seen = load(result.data)
    assert (seen.width, seen.height) == (result.width, result.height)
    if not any(isinstance(step, Trim) for step in steps):
        assert (result.width, result.height) == (wanted.width, wanted.height)
    assert seen.avg() >= 0  # every pixel can be decoded


def _largest(instructions: Instructions, size: Size) -> int:
    """Return the pixels of the largest picture on the way."""
    pixels = 0
    for operation in instructions.steps:
        size = size_after(Instructions((operation,)), size)
        pixels = max(pixels, size.pixels)
    return pixels
