"""Instructions that are wrong: each is refused with the key that is at fault, and nothing else."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filmroll.errors import FilmrollError, InvalidInstructions, UnknownPreset
from filmroll.instructions import OPERATIONS, parse, parse_json, preset_names

ID = "0123456789abcdefghjkmnpqrs"
LONG = "x" * 10_000

TEXTS = [
    # text, pointer, a word of the message
    ("", "", "at least one"),
    ("///", "", "at least one"),
    ("/".join(["flip:axis=x"] * 33), "", "At most 32"),
    ("/".join(["flip:axis=x"] * 1000), "", "are 1000"),
    ("resize:width=0", "/0/width", "from 1 to 16,383"),
    ("resize:width=-5", "/0/width", "from 1"),
    ("resize:width=16384", "/0/width", "16,383"),
    ("resize:width=1000000000", "/0/width", "16,383"),
    ("resize:width=1e400", "/0/width", "16,383"),
    ("resize:width=" + "9" * 10_000, "/0/width", "16,383"),
    ("resize:width=NaN", "/0/width", "number"),
    ("resize:width=inf", "/0/width", "number"),
    ("resize:width=-Infinity", "/0/width", "number"),
    ("resize:width=12.5", "/0/width", "whole"),
    ("resize:width=1_000", "/0/width", "number"),
    ("resize:width=%2012", "/0/width", "number"),
    ("resize:width=١٢", "/0/width", "number"),
    ("resize:width=0x10", "/0/width", "number"),
    ("resize:width=", "/0/width", "number"),
    ("resize:width=8%00", "/0/width", "number"),
    ("resize:width=" + LONG, "/0/width", "number"),
    ("resize:width=true", "/0/width", "number"),
    ("resize:width=.", "/0/width", "number"),
    ("resize:width=1e", "/0/width", "number"),
    ("resize", "/0/width", "missing"),
    ("resize:", "/0", "key=value"),
    ("resize:width", "/0", "key=value"),
    ("resize:width=8,", "/0", "key=value"),
    ("resize:width=8,width=9", "/0/width", "twice"),
    ("resize:w=8,width=9", "/0/width", "twice"),
    ("resize:colour=red", "/0/colour", "no key"),
    ("resize:=8", "/0/", "no key"),
    ("resize:../..=8", "/0", "key=value"),
    ("resize:..=8", "/0/..", "no key"),
    ("resize:a~b=8", "/0/a~0b", "no key"),
    (f"resize:{LONG}=8", "/0/" + "x" * 40, "no key"),
    ("resize:😀=8", "/0/😀", "no key"),
    ("resize:\ud800=8", r"/0/\ud800", "no key"),
    ("resize:op=resize", "/0/op", "no key"),
    ("resize:width=8,fit=stretch", "/0/fit", "one of contain"),
    ("resize:width=8,fit=cover", "/0/height", "missing"),
    ("resize:height=8,fit=pad", "/0/width", "missing"),
    ("resize:width=8,height=8,fit=pad,gravity=smart", "/0/gravity", "cover"),
    ("resize:width=8,height=8,fit=pad,gravity=face", "/0/gravity", "cover"),
    ("resize:width=8,gravity=up", "/0/gravity", "one of"),
    ("resize:width=8,focus_x=0.5", "/0/focus_y", "together"),
    ("resize:width=8,focus_y=0.5", "/0/focus_x", "together"),
    ("resize:width=8,focus_x=1.1,focus_y=0", "/0/focus_x", "from 0 to 1"),
    ("resize:width=8,focus_x=0,focus_y=0,gravity=n", "/0/gravity", "one of them"),
    ("resize:width=8,enlarge=maybe", "/0/enlarge", "true or false"),
    ("resize:width=8,enlarge=2", "/0/enlarge", "true or false"),
    ("resize:width=8,background=red", "/0/background", "colour"),
    ("resize:width=8,background=12345", "/0/background", "colour"),
    ("resize:width=8,background=ffffff%0A", "/0/background", "colour"),
    ("resize:width=8,dpr=0", "/0/dpr", "from 0.1 to 8"),
    ("resize:width=8000,dpr=3", "/0/width", "times dpr"),
    ("resize:height=8000,dpr=3", "/0/height", "times dpr"),
    ("crop", "/0/width", "missing"),
    ("crop:x=1,y=1", "/0/width", "missing"),
    ("crop:width=0", "/0/width", "more than 0"),
    ("crop:height=0.0", "/0/height", "more than 0"),
    ("crop:width=1000000000", "/0/width", "16,383"),
    ("crop:width=0.5", "/0/width", "unit=ratio"),
    ("crop:width=2,unit=ratio", "/0/width", "from 0 to 1"),
    ("crop:width=.5,x=2,y=0,unit=ratio", "/0/x", "from 0 to 1"),
    ("crop:width=5,x=1", "/0/y", "together"),
    ("crop:width=5,y=1", "/0/x", "together"),
    ("crop:width=5,x=-1,y=0", "/0/x", "from 0"),
    ("crop:width=5,x=0.5,y=0", "/0/x", "whole"),
    ("crop:width=5,x=1,y=1,gravity=n", "/0/x", "one of them"),
    ("crop:width=5,x=1,y=1,focus_x=0,focus_y=0", "/0/x", "one of them"),
    ("crop:width=5,unit=em", "/0/unit", "one of px, ratio"),
    ("watermark", "/0/image", "either"),
    (f"watermark:image={ID},text=a", "/0/image", "either"),
    ("watermark:image=../../etc/passwd", "/0/image", "id of an image"),
    ("watermark:image=..%2F..%2Fetc%2Fpasswd", "/0/image", "id of an image"),
    (f"watermark:image={ID.upper()}", "/0/image", "id of an image"),
    (f"watermark:image={ID}%00", "/0/image", "id of an image"),
    (f"watermark:image={ID}%0A", "/0/image", "id of an image"),
    (f"watermark:image={LONG}", "/0/image", "id of an image"),
    (f"watermark:image={ID},size=40", "/0/size", "belongs to a text"),
    (f"watermark:image={ID},color=000000", "/0/color", "belongs to a text"),
    (f"watermark:image={ID},font=sans-bold", "/0/font", "belongs to a text"),
    (f"watermark:image={ID},wrap=0.5", "/0/wrap", "belongs to a text"),
    (f"watermark:image={ID},align=end", "/0/align", "belongs to a text"),
    (f"watermark:image={ID},outline=0.1", "/0/outline", "belongs to a text"),
    (f"watermark:image={ID},outline_color=f00", "/0/outline_color", "belongs to a text"),
    ("watermark:text=a,wrap=0", "/0/wrap", "from 0.01 to 1"),
    ("watermark:text=a,wrap=0.5,scale=0.5", "/0/wrap", "needs a size"),
    ("watermark:text=a,align=left", "/0/align", "one of start"),
    ("watermark:text=a,outline=1", "/0/outline", "from 0 to 0.5"),
    ("watermark:text=", "/0/text", "must be a text"),
    ("watermark:text=%20%0A", "/0/text", "must be a text"),
    ("watermark:text=a%00b", "/0/text", "control characters"),
    ("watermark:text=a%1B%5B31m", "/0/text", "control characters"),
    ("watermark:text=a\ud800", "/0/text", "control characters"),
    ("watermark:text=%ff%fe", "/0/text", "UTF-8"),
    ("watermark:text=%ED%A0%80", "/0/text", "UTF-8"),
    ("watermark:text=" + "a" * 501, "/0/text", "at most 500"),
    ("watermark:text=" + "%F0%9F%98%80" * 501, "/0/text", "at most 500"),
    ("watermark:text=a,size=0", "/0/size", "from 4 to 2,000"),
    ("watermark:text=a,margin=1.5", "/0/margin", "whole pixels"),
    ("watermark:text=a,opacity=2", "/0/opacity", "from 0 to 1"),
    ("watermark:text=a,scale=0", "/0/scale", "from 0.001"),
    ("watermark:text=a,position=smart", "/0/position", "one of"),
    ("watermark:text=a,font=%2Fetc%2Fpasswd", "/0/font", "one of sans"),
    ("rotate", "/0/angle", "missing"),
    ("rotate:angle=360", "/0/angle", "turns nothing"),
    ("rotate:angle=361", "/0/angle", "from -360 to 360"),
    ("flip", "/0/axis", "missing"),
    ("flip:axis=z", "/0/axis", "one of x, y"),
    ("trim:threshold=-1", "/0/threshold", "from 0 to 255"),
    ("trim:threshold=256", "/0/threshold", "from 0 to 255"),
    ("trim:background=grey", "/0/background", "colour"),
    ("pad", "/0/top", "missing"),
    ("pad:background=white", "/0/top", "missing"),
    ("pad:top=0,left=0", "/0/top", "missing"),
    ("pad:left=-1", "/0/left", "from 0"),
    ("pad:left=1.5", "/0/left", "whole"),
    ("pad:bottom=16384", "/0/bottom", "16,383"),
    ("blur", "/0/sigma", "missing"),
    ("blur:sigma=0", "/0/sigma", "from 0.1 to 250"),
    ("blur:sigma=251", "/0/sigma", "from 0.1 to 250"),
    ("sharpen:sigma=11", "/0/sigma", "from 0.1 to 10"),
    ("pixelate", "/0/size", "missing"),
    ("pixelate:size=1", "/0/size", "from 2"),
    ("pixelate:size=2.5", "/0/size", "whole"),
    ("adjust", "/0/brightness", "missing"),
    ("adjust:brightness=1,hue=360", "/0/brightness", "missing"),
    ("adjust:brightness=-1", "/0/brightness", "from 0 to 10"),
    ("adjust:contrast=11", "/0/contrast", "from 0 to 10"),
    ("adjust:hue=400", "/0/hue", "from -360 to 360"),
    ("grayscale:", "/0", "key=value"),
    ("grayscale:amount=1", "/0/amount", "it has none"),
    ("round:radius=0", "/0/radius", "from 0.001"),
    ("round:radius=1.5", "/0/radius", "whole pixels"),
    ("output:format=bmp", "/0/format", "one of"),
    ("output:quality=0", "/0/quality", "from 1 to 100"),
    ("output:quality=101", "/0/quality", "from 1 to 100"),
    ("output:effort=10", "/0/effort", "from 0 to 9"),
    ("output:quality=best", "/0/quality", "a whole number, or auto"),
    ("output:format=auto-jpeg", "/0/format", "one of"),
    ("output:max_bytes=0", "/0/max_bytes", "from 1 to 100,000,000"),
    ("output:max_bytes=1.5", "/0/max_bytes", "whole number"),
    ("output:format=jpeg,lossless=true", "/0/lossless", "cannot be lossless"),
    ("output:lossless=true,quality=auto", "/0/quality", "lossless"),
    ("output:format=webp,lossless=true,max_bytes=9", "/0/max_bytes", "lossless"),
    ("output:format=tiff,max_bytes=9000", "/0/max_bytes", "not for TIFF"),
    ("output:metadata=some", "/0/metadata", "one of none"),
    ("output/resize:width=8", "/0", "comes last"),
    ("output/output", "/0", "comes last"),
    ("flip:axis=x/output:quality=9/flip:axis=x", "/1", "comes last"),
    ("flip:axis=x/swirl:sigma=3", "/1", "no operation"),
    ("Resize:width=8", "/0", "no operation"),
    ("flip:axis=x/:", "/1", "no operation"),
    (f"{LONG}:a=b", "/0", "no operation"),
    ("flip:axis=x/resize:width=8,height=0", "/1/height", "from 1"),
]


@pytest.mark.parametrize(("text", "pointer", "message"), TEXTS)
def test_text(text: str, pointer: str, message: str) -> None:
    with pytest.raises(InvalidInstructions, match=message) as caught:
        parse(text)
    assert caught.value.figures["pointer"] == pointer
    assert len(caught.value.detail) < 400
    json.dumps([caught.value.detail, caught.value.figures]).encode()


@pytest.mark.parametrize(
    "name", ["thumb", "flip:axis=x/nope", "..", "%2e%2e", "a%00b", "😀", LONG, "flip:axis=x//x"]
)  # fmt: skip
def test_unknown_preset(name: str) -> None:
    with pytest.raises(UnknownPreset, match="nor a preset") as caught:
        parse(name, {"other": "flip:axis=x"})
    assert caught.value.figures["pointer"] == ("/1" if name.startswith("flip") else "/0")
    assert len(caught.value.detail) < 400


JSONS: list[tuple[Any, str, str]] = [
    (None, "", "at least one"),
    ([], "", "at least one"),
    ({}, "", "at least one"),
    ("resize:width=8", "", "at least one"),
    ([{"op": "flip", "axis": "x"}] * 1000, "", "are 1000"),
    ([None], "/0", "object"),
    (["resize:width=8"], "/0", "object"),
    ([[]], "/0", "object"),
    ([{}], "/0", "object"),
    ([{"width": 8}], "/0", "object"),
    ([{"op": None}], "/0/op", "no operation"),
    ([{"op": 3}], "/0/op", "no operation"),
    ([{"op": ["resize"]}], "/0/op", "no operation"),
    ([{"op": "swirl"}], "/0/op", "no operation"),
    ([{"op": "resize"}], "/0/width", "missing"),
    ([{"op": "resize", "width": True}], "/0/width", "number"),
    ([{"op": "resize", "width": [8]}], "/0/width", "number"),
    ([{"op": "resize", "width": {"px": 8}}], "/0/width", "number"),
    ([{"op": "resize", "width": math.nan}], "/0/width", "number"),
    ([{"op": "resize", "width": math.inf}], "/0/width", "16,383"),
    ([{"op": "resize", "width": -math.inf}], "/0/width", "16,383"),
    ([{"op": "resize", "width": 10**400}], "/0/width", "16,383"),
    ([{"op": "resize", "width": 8.5}], "/0/width", "whole"),
    ([{"op": "resize", "width": 8, "fit": 3}], "/0/fit", "one of"),
    ([{"op": "resize", "width": 8, "enlarge": "yes"}], "/0/enlarge", "true or false"),
    ([{"op": "resize", "width": 8, "enlarge": 1.0}], "/0/enlarge", "true or false"),
    ([{"op": "resize", "width": 8, "enlarge": []}], "/0/enlarge", "true or false"),
    ([{"op": "resize", "width": 8, "background": 0xFFFFFF}], "/0/background", "colour"),
    ([{"op": "resize", "w": 8, "width": 9}], "/0/width", "twice"),
    ([{"op": "resize", "width": 8, "": 1}], "/0/", "no key"),
    ([{"op": "resize", "width": 8, "a/b": 1}], "/0/a~1b", "no key"),
    ([{"op": "resize", "width": 8, LONG: 1}], "/0/" + "x" * 40, "no key"),
    ([{"op": "watermark", "text": 8}], "/0/text", "must be a text"),
    ([{"op": "watermark", "text": "\x00"}], "/0/text", "control characters"),
    ([{"op": "watermark", "text": "\ud83d"}], "/0/text", "control characters"),
    ([{"op": "watermark", "image": 8}], "/0/image", "id of an image"),
    ([{"op": "output"}, {"op": "flip", "axis": "x"}], "/0", "comes last"),
    ([{"op": "flip", "axis": "x"}, {"op": "crop"}], "/1/width", "missing"),
]


@pytest.mark.parametrize(("items", "pointer", "message"), JSONS)
def test_json(items: Any, pointer: str, message: str) -> None:
    with pytest.raises(InvalidInstructions, match=message) as caught:
        parse_json(items)
    assert caught.value.figures["pointer"] == pointer
    assert len(caught.value.detail) < 400


# ------------------------------------------------------------------- whatever is sent, no surprise

PIECES = st.sampled_from(
    [*OPERATIONS, ":", ",", "=", "/", "%", "%00", "%ff", "width", "w", "text", "gravity", "smart",
     "0", "1", "-", "e9", ".5", "nan", "true", "thumb", "..", "\0", "\ud800", "😀", " "]
)  # fmt: skip


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join)))
@example("resize:width=1e999999999")
@settings(max_examples=500)
def test_any_text(text: str) -> None:
    for read in (parse, preset_names):
        try:
            read(text)
        except FilmrollError as refusal:
            json.dumps(refusal.figures).encode()


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = st.sampled_from(["width", "w", "height", "x", "text", "image", "angle", "axis", "format"])
ALMOST = st.lists(
    st.builds(
        lambda op, keys: {"op": op} | keys,
        st.sampled_from([*OPERATIONS]),
        st.dictionaries(KEYS, ANYTHING, max_size=3),
    ),
    max_size=3,
)


@given(st.one_of(ANYTHING, ALMOST))
@settings(max_examples=300)
def test_any_json(items: Any) -> None:
    try:
        instructions = parse_json(items)
    except FilmrollError as refusal:
        json.dumps(refusal.figures).encode()
    else:
        assert parse(instructions.canonical()) == instructions
