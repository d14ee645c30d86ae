"""What client hints make of instructions that leave something open."""

import pytest

from filmroll.instructions import parse
from filmroll.instructions.grammar import MAX_OPERATIONS
from filmroll.usecases.hints import RATIOS, WIDTHS, Hint, Hints, hinted, open_to
from filmroll.web.hints import hints_of, varying
from tests.contract.records import image

PHOTO = image(width=4000, height=3000, format="jpeg", frames=1)
RETINA = Hints(ratio=2)
WIDE = Hints(width=640)
FLIPS = "/".join(["flip:axis=x"] * MAX_OPERATIONS)
FRUGAL = Hints(ratio=2, width=640, frugal=True)


@pytest.mark.parametrize(
    ("text", "hints", "expected"),
    [
        ("resize:width=300", RETINA, "resize:width=300,dpr=2"),
        ("resize:width=300", Hints(ratio=1.5), "resize:width=300,dpr=1.5"),
        ("resize:width=300", Hints(), "resize:width=300"),
        ("resize:width=300,dpr=3", RETINA, "resize:width=300,dpr=3"),
        ("resize:width=300/flip:axis=x", RETINA, "resize:width=300,dpr=2/flip:axis=x"),
        ("crop:width=90/resize:width=30", RETINA, "crop:width=90/resize:width=30,dpr=2"),
        ("resize:width=300/crop:width=100", RETINA, "resize:width=300/crop:width=100"),
        ("resize:width=300/blur:sigma=3", RETINA, "resize:width=300/blur:sigma=3"),
        ("resize:width=9/resize:width=8", RETINA, "resize:width=9/resize:width=8"),
        ("resize:width=10000", RETINA, "resize:width=10000"),
        ("resize:width=300", WIDE, "resize:width=300"),
        ("flip:axis=x", WIDE, "flip:axis=x/resize:width=640"),
        ("output:format=webp", WIDE, "resize:width=640/output:format=webp"),
        ("output", WIDE, "resize:width=640"),
        ("output", Hints(), "output"),
        ("resize:width=300", FRUGAL, "resize:width=300/output:quality=60"),
        (
            "resize:width=300/output:f=avif",
            FRUGAL,
            "resize:width=300/output:format=avif,quality=45",
        ),
        ("resize:width=9/output:quality=90", FRUGAL, "resize:width=9/output:quality=90"),
        ("output:f=png", FRUGAL, "resize:width=640/output:format=png"),
        (
            "resize:width=9/output:f=webp,lossless=true",
            FRUGAL,
            "resize:width=9/output:format=webp,lossless=true",
        ),
        (
            "/".join(["flip:axis=x"] * MAX_OPERATIONS),
            WIDE,
            "/".join(["flip:axis=x"] * MAX_OPERATIONS),
        ),
    ],
)
def test_hints_fill_in_what_is_open_and_nothing_else(text, hints, expected) -> None:
    assert hinted(parse(text), hints, PHOTO).canonical() == expected


def test_what_hints_make_impossible_stays_as_it_was() -> None:
    large = "resize:height=6200,enlarge=true"  # twice that would be wider than anything may be
    assert hinted(parse(large), RETINA, PHOTO).canonical() == parse(large).canonical()


@pytest.mark.parametrize(
    ("text", "heeded"),
    [
        ("resize:width=9", {Hint.RATIO, Hint.FRUGAL}),
        ("resize:width=9,dpr=2/output:quality=9", set()),
        ("resize:width=9/output:quality=9", {Hint.RATIO, Hint.FRUGAL}),
        ("flip:axis=x", {Hint.WIDTH, Hint.FRUGAL}),
        ("output:format=png", {Hint.WIDTH}),
    ],
)
def test_an_answer_says_on_what_it_depends(text, heeded) -> None:
    assert open_to(parse(text)) == heeded


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Hints()),
        ({"sec-ch-dpr": "2.0"}, Hints(ratio=2)),
        ({"dpr": "2.625"}, Hints(ratio=3)),
        ({"dpr": "9"}, Hints(ratio=3)),
        ({"dpr": "0.8"}, Hints(ratio=1)),
        ({"dpr": "3", "sec-ch-dpr": "1.25"}, Hints(ratio=1.5)),
        ({"sec-ch-width": "641"}, Hints(width=800)),
        ({"width": "1"}, Hints(width=160)),
        ({"width": "99999"}, Hints(width=3840)),
        ({"save-data": "On"}, Hints(frugal=True)),
        ({"save-data": "off"}, Hints()),
        ({"dpr": "nan", "width": "inf"}, Hints()),
        ({"dpr": "-1", "width": "0"}, Hints()),
        ({"dpr": "x", "width": "\xff"}, Hints()),
        ({"dpr": "1e400"}, Hints()),
    ],
)
def test_what_a_client_says_by_its_class(headers, expected) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    assert hints_of({"headers": raw}) == expected


def test_classes_are_few_and_rise() -> None:
    for classes in (RATIOS, WIDTHS):
        assert list(classes) == sorted(set(classes))
        assert len(classes) <= 12


def test_the_headers_of_a_hint_are_its_old_and_new_names() -> None:
    assert varying({Hint.RATIO, Hint.FRUGAL}) == {"Sec-CH-DPR", "DPR", "Save-Data"}
