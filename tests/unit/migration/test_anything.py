"""Whatever stands in a URL: it is translated into instructions that are possible, or refused."""

from collections.abc import Callable
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from filmroll.errors import FilmrollError, TooManyPixels
from filmroll.geometry import Size, size_after
from filmroll.instructions import parse
from filmroll.migration import Foreign, Imgproxy, Overlay, Sources, parse_presets, thumbor
from filmroll.migration.imgproxy.options import _OPTIONS
from filmroll.migration.thumbor.filters import _ELSEWHERE, _FILTERS, _WITHOUT
from filmroll.model import Header

SOURCES = Sources(["https://a.example/b/"])
SERVER = Imgproxy(presets=parse_presets("default=el:1,p=pr:p/w:10"), watermark="mark.png")

numbers = st.sampled_from(
    [
        "",
        "0",
        "1",
        "2",
        "0.5",
        "-1",
        "99",
        "300",
        "16383",
        "16384",
        "1e3",
        "9" * 12,
        ".5",
        "²",
        "nan",
    ]
)
words = st.sampled_from(
    ["1", "t", "ce", "no", "soea", "sm", "fp", "obj", "face", "re", "fill", "force", "auto", "jpg",
     "best", "f00", "red", "center", "repeat", "-0", "5p", "true", "p", "YQ", "%2F", "|", ";"]
)  # fmt: skip
arguments = st.lists(st.one_of(numbers, words), max_size=6)
headers = st.one_of(
    st.none(),
    st.builds(
        Header,
        format=st.sampled_from(["jpeg", "png", "gif"]),
        width=st.sampled_from([1, 2, 300, 801, 16_383]),
        height=st.sampled_from([1, 3, 200, 599, 16_383]),
    ),
)


def mark(text: str) -> Overlay:
    return Overlay(SOURCES.find(text).id, Size(40, 30))


def check(read: Callable[[str], Foreign], path: str, header: Header | None) -> None:
    """Translate; what comes of it can be written, read and carried out."""
    try:
        made = read(path).instructions(header, mark)
    except FilmrollError:
        return
    if made is None:
        return
    assert parse(made.canonical()) == made
    if header is not None:
        with suppress(TooManyPixels):
            size_after(made, Size(header.width, header.height))


@given(options=st.lists(st.tuples(st.sampled_from(sorted(_OPTIONS)), arguments)), header=headers)
def test_any_options_of_imgproxy(
    options: list[tuple[str, list[str]]], header: Header | None
) -> None:
    path = "/".join(":".join([name, *values]) for name, values in options)
    check(SERVER.read, f"{path}/plain/a.jpg".lstrip("/"), header)


filters = st.tuples(st.sampled_from(sorted({*_FILTERS, *_ELSEWHERE, *_WITHOUT, "fill"})), arguments)
sides = st.sampled_from(["", "0", "1", "orig", "300", "-5", "-orig", "16384", "9" * 10])


@given(
    before=st.lists(
        st.sampled_from(
            ["trim", "trim:bottom-right:5", "1x2:30x40", "0x0:99999x5", "fit-in", "full-fit-in",
             "adaptive-fit-in", "adaptive-full-fit-in"]
        ),
        max_size=3,
    ),
    width=sides,
    height=sides,
    after=st.lists(st.sampled_from(["left", "top", "bottom", "smart", "x"]), max_size=3),
    wanted=st.lists(filters, max_size=4),
    header=headers,
)  # fmt: skip
def test_any_options_of_thumbor(  # noqa: PLR0917 -- the parts of a URL
    before: list[str],
    width: str,
    height: str,
    after: list[str],
    wanted: list[tuple[str, list[str]]],
    header: Header | None,
) -> None:
    called = ":".join(f"{name}({','.join(values)})" for name, values in wanted)
    parts = [*before, f"{width}x{height}", *after, *([f"filters:{called}"] if wanted else [])]
    check(thumbor.read, "/".join([*parts, "a.jpg"]), header)


@given(path=st.text(max_size=60), header=headers)
def test_any_text(path: str, header: Header | None) -> None:
    for read in (thumbor.read, SERVER.read):
        check(read, path, header)


@given(text=st.text(max_size=60))
def test_any_source(text: str) -> None:
    try:
        found = SOURCES.find(text)
    except FilmrollError:
        return
    assert found.url is None or found.url.startswith("https://a.example/b/")
