"""Accept headers, those of real browsers among them, and what ``format=auto`` makes of each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmroll.instructions import AUTO_FORMATS
from filmroll.web.accept import choice, shown_by

BOTH, AVIF, WEBP, BASIC = AUTO_FORMATS

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
FIREFOX = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
SAFARI = (
    "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,"
    "image/svg+xml,image/*;q=0.8,*/*;q=0.5"
)
ADDRESS_BAR = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;"
    "q=0.8,application/signed-exchange;v=b3;q=0.7"
)
OLD_CHROME = "image/webp,image/apng,image/*,*/*;q=0.8"
OLD_FIREFOX = "image/webp,*/*"
OLD_SAFARI = "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
INTERNET_EXPLORER = "image/png, image/svg+xml, image/*;q=0.8, */*;q=0.5"

HEADERS = [
    (CHROME, BOTH),
    (FIREFOX, BOTH),
    (SAFARI, BOTH),
    (ADDRESS_BAR, BOTH),
    (OLD_CHROME, WEBP),
    (OLD_FIREFOX, WEBP),
    (OLD_SAFARI, BASIC),
    (INTERNET_EXPLORER, BASIC),
    # Nothing said, or nothing in particular.
    ("", BASIC),
    ("*/*", BASIC),
    ("image/*", BASIC),
    ("image/*,*/*;q=0.8", BASIC),
    ("text/html", BASIC),
    # One of them.
    ("image/webp", WEBP),
    ("image/avif", AVIF),
    ("image/avif,*/*;q=0.1", AVIF),
    ("image/avif,image/webp", BOTH),
    # Weights: 0 forbids, more is liked better.
    ("image/avif;q=0,image/webp", WEBP),
    ("image/avif;q=0.0, image/webp;q=0.000, */*", BASIC),
    ("image/avif,image/webp;q=0", AVIF),
    ("image/avif;q=0.5,image/webp", WEBP),
    ("image/avif;q=0.9,image/webp;q=0.8,*/*;q=0.7", BOTH),
    ("image/avif;q=0.9,image/webp;q=0.8,*/*;q=0.85", AVIF),
    ("image/webp;q=0.5,image/jpeg", BASIC),
    ("image/webp;q=0.5,image/jpeg;q=0.4,image/*;q=0.3", WEBP),
    ("image/webp,image/webp;q=0", BASIC),
    # Spelling.
    ("IMAGE/AVIF , Image/WebP ; Q=1.0", BOTH),
    ("image/avif;level=5;q=1,image/webp;v=1", BOTH),
    ("image/avif ; q = 0 ,image/webp", WEBP),
    ("image/avifx,image/webpx", BASIC),
    # Out of form: what has no sound weight is not liked.
    ("image/avif;q=,image/webp;q=2", BASIC),
    ("image/avif;q=-1,image/webp;q=0.1234", BASIC),
    ("image/avif;q=nan,image/webp;q=1e0", BASIC),
    (",,;,;;q=1,=,image/webp", WEBP),
    ("\x00\xff" * 100, BASIC),
]


@pytest.mark.parametrize(("accept", "wanted"), HEADERS)
def test_what_a_header_comes_to(accept: str, wanted: str) -> None:
    assert choice(accept) == wanted


def test_several_lines_are_one_header() -> None:
    lines = [(b"accept", b"image/webp"), (b"host", b"a"), (b"accept", b"image/avif")]
    assert shown_by({"headers": lines}) == BOTH
    assert shown_by({"headers": []}) == BASIC


def test_a_header_without_end_is_not_read_to_its_end() -> None:
    assert shown_by({"headers": [(b"accept", b"image/webp," + b"a/b," * 20_000)]}) == WEBP
    assert shown_by({"headers": [(b"accept", b"a/b," * 20_000 + b"image/webp")]}) == BASIC


@given(
    st.lists(st.sampled_from(["image/avif", "image/webp", "*/*", ";q=", "0", ".5", "1", ",", ";"]))
)
def test_whatever_is_sent_comes_to_a_choice(parts: list[str]) -> None:
    accept = "".join(parts)
    assert choice(accept) in AUTO_FORMATS
    if "image/avif" not in accept:
        assert choice(accept) in {WEBP, BASIC}
