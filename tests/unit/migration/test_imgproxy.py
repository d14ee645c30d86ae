"""imgproxy's URLs, as its documentation has them, and what they come to."""

import base64

import pytest

from filmroll.errors import InvalidRequest, Untranslatable
from filmroll.geometry import Size, size_after
from filmroll.migration import Imgproxy, Overlay, parse_presets
from filmroll.migration.imgproxy import restored
from filmroll.model import Header

CURIOSITY = "http://example.com/images/curiosity.jpg"
SPLIT = "aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn"
MARK = "0123456789abcdefghjkmnpqrs"
WMU = "wmu:" + base64.urlsafe_b64encode(MARK.encode()).rstrip(b"=").decode()
LARGE = Header(format="jpeg", width=800, height=600)
SERVER = Imgproxy(presets=parse_presets("sharp=sharpen:0.7,round=preset:sharp/quality:50"))
KEPT = "output:metadata=copyright"


def seen(text: str) -> Overlay:
    """Return a mark that is twice as high as wide."""
    return Overlay(text, Size(50, 100))


def translated(options: str, header: Header | None, server: Imgproxy = SERVER) -> str:
    made = server.read(f"{options}/plain/{CURIOSITY}").instructions(header, seen)
    assert made is not None
    return made.canonical().removesuffix(f"/{KEPT}")


# With the picture's size and without it.
SAID = [
    ("resize:fill:300:400:0/gravity:sm", "resize:width=300,height=400,fit=cover,gravity=smart"),
    ("rs:fill:300:400:0/g:sm", "resize:width=300,height=400,fit=cover,gravity=smart"),
    ("rs:fit:300:300", "resize:width=300,height=300"),
    ("rs:fill:100:200:1", "resize:width=100,height=200,fit=cover,enlarge=true"),
    ("rs::300:200", "resize:width=300,height=200"),
    ("rs:force:300:100", "resize:width=300,height=100,fit=fill"),
    ("rs:fill-down:300:100", "resize:width=300,height=100,fit=cover"),
    ("size:100:200:1", "resize:width=100,height=200,enlarge=true"),
    ("s:100", "resize:width=100"),
    ("s::100", "resize:height=100"),
    ("rt:fill/w:100/h:200", "resize:width=100,height=200,fit=cover"),
    ("h:200/w:100/rt:fill", "resize:width=100,height=200,fit=cover"),
    ("w:100/dpr:2", "resize:width=100,dpr=2"),
    ("w:100/w:0", KEPT),
    ("rs:fill:100:100/g:soea", "resize:width=100,height=100,fit=cover,gravity=se"),
    ("rs:fill:100:100/g:fp:0.5:0.75",
     "resize:width=100,height=100,fit=cover,focus_x=0.5,focus_y=0.75"),
    ("rs:fill:100:100/g:obj:face", "resize:width=100,height=100,fit=cover,gravity=face"),
    ("rs:fit:100:100/g:no", "resize:width=100,height=100"),
    ("c:100:200", "crop:width=100,height=200"),
    ("c:100:0", "crop:width=100,height=600|crop:width=100"),
    ("c:0.5:0.5:sm", ("crop:width=400,height=300,gravity=smart|"
     "crop:width=0.5,height=0.5,gravity=smart,unit=ratio")),
    ("c:100:200/g:no", "crop:width=100,height=200,gravity=n"),
    ("c:100:200:nowe", "crop:width=100,height=200,gravity=nw"),
    ("rs:fit:50:50/c:100:200", "crop:width=100,height=200/resize:width=50,height=50"),
    ("t:10", "trim"),
    ("trim:30:ff00ff", "trim:threshold=30,background=ff00ff"),
    ("t:", KEPT),
    ("pd:10", "pad:top=10,right=10,bottom=10,left=10"),
    ("pd:10:20", "pad:top=10,right=20,bottom=10,left=20"),
    ("pd:10:20:30:40", "pad:top=10,right=20,bottom=30,left=40"),
    ("pd:10/bg:f00/w:100",
     "resize:width=100/pad:top=10,right=10,bottom=10,left=10,background=ff0000"),
    ("w:100/pd:10/dpr:2/el:1",
     "resize:width=100,enlarge=true,dpr=2/pad:top=20,right=20,bottom=20,left=20"),
    ("ar:1", KEPT),
    ("rot:90", "rotate:angle=90"),
    ("rot:450", "rotate:angle=90"),
    ("rot:0", KEPT),
    ("rs:fit:100:50/rot:90", "rotate:angle=90/resize:width=100,height=50"),
    ("flip:1:0", "flip:axis=x"),
    ("fl:1:1", "flip:axis=x/flip:axis=y"),
    ("bg:128:129:130/w:100", "resize:width=100,background=808182"),
    ("bg:ffddee/w:100", "resize:width=100,background=ffddee"),
    ("bg:fff", "resize:width=16383,background=ffffff"),
    ("bg:fff/bg:", KEPT),
    ("bl:0.2", "blur:sigma=0.2"),
    ("sh:0.7", "sharpen:sigma=0.7"),
    ("pix:10", "pixelate:size=10"),
    ("pix:1", KEPT),
    ("pix:5/sh:2/bl:3/w:100",
     "resize:width=100/blur:sigma=3/sharpen:sigma=2/pixelate:size=5"),
    ("a:51:1.5:0.5", "adjust:brightness=1.6667,contrast=0.6/adjust:contrast=1.5,saturation=0.5"),
    ("br:-51/co:1", "adjust:brightness=0.7143,contrast=1.4"),
    ("rs:fit:300:200:0:1", "resize:width=300,height=200,fit=pad"),
    ("rs:fit:300:200/ex:1:so", "resize:width=300,height=200,fit=pad,gravity=s"),
    ("rs:fit:300:200/ex:0:so", "resize:width=300,height=200"),
    ("rs:fit:300:200/ex:1/bg:red", "resize:width=300,height=200,fit=pad,background=ff0000"),
    (f"wm:0.5:soea:10:10/{WMU}", f"watermark:image={MARK},margin=10,opacity=0.5"),
    ("wm:1:so:0:4:0.6/wmt:wqkgTWU",
     "watermark:text=%C2%A9%20Me,position=s,margin=4,scale=0.6,size=16,color=000000"),
    (f"wm:1/{WMU}", f"watermark:image={MARK},position=center"),
    (f"wm:1:re:20:20/{WMU}", f"watermark:image={MARK},margin=20,tile=true"),
    (f"wm:1:re/{WMU}", f"watermark:image={MARK},margin=0,tile=true"),
    (f"wm:1:ch:9:9/{WMU}", f"watermark:image={MARK},margin=9,tile=true"),
    (f"wm:0/{WMU}", KEPT),
    (f"wm:1:noea/{WMU}/wmr:30", f"watermark:image={MARK},position=ne,rotate=30"),
    ("wm:1:sowe/wmt:wqkgTWU", "watermark:text=%C2%A9%20Me,position=sw,size=16,color=000000"),
    ("sm:1/kcr:0", "output"),
    ("sm:0", "output:metadata=all"),
    ("scp:1/eth:0", KEPT),
    ("q:55", "output:quality=55,metadata=copyright"),
    ("q:0", KEPT),
    ("f:webp/fq:webp:50:jpg:60", "output:format=webp,quality=50,metadata=copyright"),
    ("format:webp", "output:format=webp,metadata=copyright"),
    ("ext:jpg", "output:format=jpeg,metadata=copyright"),
    ("mb:40000", "output:max_bytes=40000,metadata=copyright"),
    ("f:best", "output:format=auto,metadata=copyright"),
    ("aq:dssim:0.02:70:80", "output:quality=auto,metadata=copyright"),
    ("aq:size:40000", "output:max_bytes=40000,metadata=copyright"),
    ("aq:none/q:50", "output:quality=50,metadata=copyright"),
    ("cb:xyz", KEPT),
    ("pr:sharp", "sharpen:sigma=0.7"),
    ("preset:sharp:round", "sharpen:sigma=0.7/output:quality=50,metadata=copyright"),
    ("sh:2/pr:sharp", "sharpen:sigma=0.7"),
    ("pr:sharp/sh:2", "sharpen:sigma=2"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "said"), SAID)
def test_means_the_same(options: str, said: str) -> None:
    known, _, unknown = said.partition("|")
    assert translated(options, LARGE) == known
    assert translated(options, None) == (unknown or known)


# What imgproxy's formulas give, from the code of its version 3.30; (width, height) of the source.
BY_SIZE = [
    ("rs:fill:1600:300", (800, 600), (800, 300)),
    ("rs:fill:1600:300:1", (800, 600), (1600, 300)),
    ("rs:fill:1600:1200", (800, 600), (800, 600)),
    ("rs:fill-down:1600:300", (800, 600), (800, 150)),
    ("rs:fill-down:1600:1200", (800, 600), (800, 600)),
    ("rs:force:1600:300", (800, 600), (800, 150)),
    ("rs:force:1600:300:1", (800, 600), (1600, 300)),
    ("rs:force:300:0", (800, 600), (300, 600)),
    ("rs:force:0:300", (800, 600), (800, 300)),
    ("rs:auto:300:200", (800, 600), (300, 200)),
    ("rs:auto:200:300", (800, 600), (200, 150)),
    ("rs:auto:200:300", (600, 800), (200, 300)),
    ("rs:fit:1600:1600", (800, 600), (800, 600)),
    ("rs:fit:1600:1600:1", (800, 600), (1600, 1200)),
    ("rs:fit:300:300", (800, 600), (300, 225)),
    ("rs:fill:300:200/dpr:2", (800, 600), (600, 400)),
    ("rs:fill:300:200/dpr:4", (800, 600), (800, 533)),
    ("rs:fit:300:300/dpr:4", (800, 600), (800, 600)),
    ("dpr:2", (800, 600), (800, 600)),
    ("dpr:2/el:1", (800, 600), (1600, 1200)),
    ("dpr:0.5", (800, 600), (400, 300)),
    ("mw:1000", (800, 600), (1000, 750)),
    ("mh:1200", (800, 600), (1600, 1200)),
    ("w:100/mh:300", (800, 600), (100, 300)),
    ("w:100/mw:200", (800, 600), (100, 150)),
    ("z:0.5", (800, 600), (400, 300)),
    ("z:0.5:0.25", (800, 600), (400, 150)),
    ("w:400/z:0.5", (800, 600), (200, 150)),
    ("z:2", (800, 600), (800, 600)),
    ("z:2/el:1", (800, 600), (1600, 1200)),
    ("c:2000:100", (800, 600), (800, 100)),
    ("c:200:0.5", (800, 600), (200, 300)),
    ("c:0.1:0/rs:fill:40:40", (800, 600), (40, 40)),
    ("c:100:100/rs:fit:50:25", (800, 600), (25, 25)),
    ("rot:90/rs:fit:300:300", (800, 600), (225, 300)),
    ("rot:90/c:100:400", (800, 600), (100, 400)),
    ("rs:fill:200:200/g:no:0:10", (800, 600), (200, 200)),
    ("rs:fit:1600:1600/ex:1", (800, 600), (1600, 1600)),
    ("rs:fill:1600:300/ex:1", (800, 600), (1600, 300)),
    ("w:1000/ex:1", (800, 600), (1000, 600)),
    ("rs:fit:300:300/ex:1/dpr:2", (800, 600), (600, 600)),
    ("rs:fit:300:300/exar:1", (800, 600), (300, 300)),
    ("rs:fit:300:150/exar:1:so", (800, 600), (300, 150)),
    ("rs:fit:1600:800/exar:1", (800, 600), (1200, 600)),
    ("w:100/pd:10:20", (800, 600), (140, 95)),
    ("w:1600/pd:10/dpr:2", (800, 600), (820, 620)),
    ("w:100/pd:10/dpr:2", (800, 600), (240, 190)),
    ("rs:fit:300:0:1/pd:5/z:0.5", (600, 800), (160, 210)),
    ("rs:fit:300:0:0/dpr:2/exar:1/pd:5", (800, 600), (620, 470)),
    ("rs:fit:300:200:1/dpr:2/ex:1/z:0.5", (801, 333), (300, 200)),
    ("rs:fit:1000:300:1/dpr:2/ex:1/z:0.5/g:nowe:10:20", (800, 600), (1000, 300)),
    ("rs:fit:1600:1600:0/ex:1/z:0.5/g:nowe:10:20", (800, 600), (800, 800)),
    ("rs:fit:300:0:0/dpr:2/exar:1/z:0.5/g:nowe:10:20", (801, 333), (300, 125)),
    ("rs:fit:1600:1600:0/dpr:1.5/exar:1/z:0.5", (800, 600), (800, 800)),
    ("rs:fit:25:33:1/dpr:2/ex:1/g:nowe:10:20", (600, 800), (50, 66)),
    ("rs:fill:25:33:1/dpr:0.5/ex:1/z:0.5/g:nowe:10:20", (801, 333), (6, 8)),
    ("rs:fill:1000:300:1/dpr:1.5/ex:1/pd:5/g:nowe:10:20", (800, 600), (1516, 466)),
    ("rs:fill:0:500:0/dpr:1.5/pd:5/z:0.5/g:nowe:10:20", (801, 333), (815, 347)),
    ("rs:fill:300:200:0/dpr:1.5/exar:1/pd:5/z:0.5", (600, 800), (241, 166)),
    ("rs:fill:1000:300:0/ex:1/z:0.5/g:nowe:10:20", (800, 600), (500, 150)),
    ("rs:fill:1600:1600:0/dpr:1.5/pd:5", (800, 600), (810, 610)),
    ("rs:fill:1000:300:1/dpr:2/ex:1/z:0.5", (801, 333), (1000, 300)),
    ("rs:fill:300:200:1/dpr:0.5/ex:1/pd:5/g:nowe:10:20", (801, 333), (154, 104)),
    ("rs:fill-down:1600:1600:0/z:0.5/g:nowe:10:20", (800, 600), (600, 600)),
    ("rs:fill-down:1000:300:0/dpr:2/exar:1/pd:5/z:0.5/g:nowe:10:20", (600, 800), (612, 192)),
    ("rs:fill-down:1600:1600:0/dpr:1.5/ex:1/pd:5", (800, 600), (1610, 1610)),
    ("rs:fill-down:300:0:1/dpr:0.5/z:0.5", (801, 333), (75, 31)),
    ("rs:fill-down:1000:300:1/ex:1/g:nowe:10:20", (801, 333), (1000, 300)),
    ("rs:fill-down:1000:300:0/dpr:1.5/exar:1/z:0.5", (800, 600), (750, 225)),
    ("rs:fill-down:25:33:0/dpr:2/ex:1/pd:5", (801, 333), (70, 86)),
    ("rs:fill-down:0:500:1/dpr:1.5/pd:5/g:nowe:10:20", (800, 600), (1016, 766)),
    ("rs:force:300:200:0/dpr:1.5/exar:1/g:nowe:10:20", (600, 800), (450, 300)),
    ("rs:force:25:33:0/dpr:0.5/exar:1/pd:5/z:0.5/g:nowe:10:20", (801, 333), (10, 12)),
    ("rs:force:1000:300:0/dpr:0.5/pd:5/z:0.5", (800, 600), (254, 79)),
    ("rs:force:25:33:0/dpr:1.5/exar:1/z:0.5/g:nowe:10:20", (801, 333), (19, 25)),
    ("rs:force:25:33:1/dpr:0.5/pd:5/z:0.5", (600, 800), (10, 12)),
    ("rs:force:1000:300:0/dpr:2/exar:1/g:nowe:10:20", (800, 600), (800, 240)),
    ("rs:force:300:200:1/dpr:1.5/ex:1", (600, 800), (450, 300)),
    ("rs:force:1000:300:0/dpr:2/ex:1/pd:5", (800, 600), (1010, 310)),
    ("rs:auto:25:33:1/ex:1/pd:5/g:nowe:10:20", (801, 333), (35, 43)),
    ("rs:auto:0:500:0/dpr:0.5/ex:1/g:nowe:10:20", (800, 600), (333, 250)),
    ("rs:auto:1600:1600:0/dpr:0.5/exar:1/z:0.5/g:nowe:10:20", (600, 800), (400, 400)),
    ("rs:auto:1000:300:1/pd:5/z:0.5/g:nowe:10:20", (801, 333), (510, 160)),
    ("rs:auto:300:0:1/dpr:2/pd:5/g:nowe:10:20", (800, 600), (620, 470)),
    ("rs:auto:300:0:0/dpr:1.5/ex:1/z:0.5/g:nowe:10:20", (801, 333), (225, 94)),
    ("rs:auto:0:500:1/dpr:2/ex:1/pd:5/z:0.5", (800, 600), (687, 520)),
    ("rs:auto:25:33:0/dpr:1.5/ex:1/z:0.5", (801, 333), (19, 25)),
    ("rs:fit:0:1000/dpr:0.5/ex:1", (800, 600), (400, 500)),
    ("rs:fill-down:0:1000/dpr:0.5/ex:1", (800, 600), (400, 500)),
    ("rs:fill-down:0:1000/mw:9", (800, 600), (800, 600)),
]


@pytest.mark.parametrize(("options", "source", "size"), BY_SIZE)
def test_comes_to_the_size_that_imgproxy_makes(
    options: str, source: tuple[int, int], size: tuple[int, int]
) -> None:
    header = Header(format="jpeg", width=source[0], height=source[1])
    made = SERVER.read(f"{options}/plain/a").instructions(header, seen)
    assert made is not None
    assert size_after(made, Size(*source)) == Size(*size)


def test_a_picture_that_is_too_small_gets_smaller_still_by_a_dpr_below_1_when_extended() -> None:
    assert translated("rs:fit:1600:1600/dpr:0.5/ex:1", LARGE) == (
        "resize:width=400,height=300,fit=fill,enlarge=true/resize:width=800,height=800,fit=pad"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("c:200:100:nowe:10:20", "crop:width=200,height=100,x=10,y=20"),
        ("c:200:100:soea:10:20", "crop:width=200,height=100,x=590,y=480"),
        ("c:200:100:ce:10:-20", "crop:width=200,height=100,x=310,y=230"),
        ("c:200:100:no:0.1:0.1", "crop:width=200,height=100,x=380,y=60"),
        ("c:200:100:nowe:900:900", "crop:width=200,height=100,x=600,y=500"),
        (
            "rs:fill:200:100/g:nowe:0:20/dpr:2",
            "resize:width=400,height=300,fit=fill,enlarge=true/crop:width=400,height=200,x=0,y=40",
        ),
    ],
)
def test_offsets_move_what_is_cut_out(options: str, said: str) -> None:
    assert translated(options, LARGE) == said


MARKED = [
    (f"wm:1:soea:10:10/{WMU}/dpr:2/w:100", (800, 200), "margin=20"),
    (f"wm:1:soea:10:10/{WMU}/dpr:2/w:1600", (800, 200), "margin=10"),
    (f"wm:1:soea:10:10/{WMU}/dpr:2/w:1600/el:1", (800, 200), "margin=20"),
    (f"wm:1:so:0:0.1/{WMU}", (800, 200), "position=s,margin=20"),
    (f"wm:1:ea:0.1/{WMU}", (800, 200), "position=e,margin=80"),
    (f"wm:1:nowe:0.1:0.4/{WMU}/dpr:0.5", (800, 200), "position=nw,margin=40"),
    (f"wm:1:no:0:0.1/{WMU}/pd:50:0", (800, 200), "position=n,margin=30"),
    (f"wm:1:no:0:0.001/{WMU}", (800, 200), "position=n"),
    (f"wm:1:re:0.05:0.2/{WMU}", (800, 200), "margin=40,tile=true"),
    (f"wm:1:re:3:3/{WMU}/w:80/dpr:3", (800, 200), "margin=9,tile=true"),
    (f"wm:1:soea:0:0:0.5/{WMU}", (800, 200), "scale=0.0625"),
    (f"wm:1:soea:0:0:0.5/{WMU}", (200, 800), "scale=0.5"),
    (f"wm:1:soea:0:0:0.6/{WMU}/w:400/ex:1/h:400", (800, 200), "scale=0.3"),
    (f"wm:1:soea:0:0:1/{WMU}", (700, 300), "scale=0.214286"),
]


@pytest.mark.parametrize(("options", "source", "said"), MARKED)
def test_a_mark_lies_where_imgproxy_lays_it(
    options: str, source: tuple[int, int], said: str
) -> None:
    header = Header(format="jpeg", width=source[0], height=source[1])
    made = translated(options, header).rpartition("/")[2]
    assert made == f"watermark:image={MARK},{said}"


def test_the_width_of_a_scaled_mark_follows_from_its_shape() -> None:
    read = SERVER.read(f"wm:1:soea:0:0:0.5/{WMU}/plain/a")
    header = Header(format="jpeg", width=800, height=200)
    made = read.instructions(header, lambda text: Overlay(text, Size(64, 64)))
    assert made is not None
    assert "scale=0.125/" in made.canonical()  # 100 pixels
    with pytest.raises(Untranslatable, match="shape"):
        read.instructions(header, Overlay)


@pytest.mark.parametrize(
    "options",
    [
        "rs:auto:1:2",
        "rs:force:0:9",
        "z:2",
        "mw:9",
        "dpr:2",
        "c:9:0.5",
        "c:9:9:no:1:1",
        "w:9/pd:1/dpr:2",
        "rs:fit:9:9:0:1/dpr:2",
        f"wm:1:no:0:0.1/{WMU}",
        f"wm:1:no:0:2/{WMU}/w:9/dpr:2",
        f"wm:1:no:0:0:0.5/{WMU}",
    ],
)
def test_what_depends_on_an_unknown_size_says_so(options: str) -> None:
    with pytest.raises(Untranslatable, match="depends on the picture's size"):
        translated(options, None)


REFUSED = [
    "ar:0", "scp:0", "eth:1", "rot:45", "rt:cover", "g:obj:dog", "g:obj", "g:objw:face:2",
    "ex:1:obj:face", "g:north",
    "g:fp:2:0", "g:fp:0.5", "ex:1:sm", "ex:1:so:10:20", "t:10::1", "t:300", "bl:x", "w:-1",
    "w:1.5", "q:101", "f:jxl", "f:svg", "fq:webp", "wm:2", "wm:1:soea:1:2",
    "wm:1:so:5:0", "wm:1:re:1:2", "pr:unknown", "preset:", "bg:300:0:0", "bg:#zz", "nonsense:1",
    "ra:cubic", "op:ce", "car:1", "bga:0.5", "mc:1", "dt:1", "col:1", "gr:1", "ush:1", "bd:1",
    "dd:1", "wms:1:1", "wmsh:1", "st:x", "dpi:72", "aq:magic", "aq:size", "jpgo:1", "pngo:1",
    "webpo:1",
    "pg:1", "pgs:2", "da:1", "vts:1", "vtk:1", "vtt:1", "vta:1", "fiu:x", "hs:md5:x", "msr:1",
    "msfs:1", "maf:1", "mafr:1", "mrd:1", "wmu:***", "exp:soon", "mb:1.5", "-",
]  # fmt: skip


@pytest.mark.parametrize("option", REFUSED)
def test_what_has_no_counterpart_is_named(option: str) -> None:
    options = f"{option}/{WMU}" if option.startswith("wm:") else option
    with pytest.raises((Untranslatable, InvalidRequest)) as caught:
        translated(options, LARGE)
    if option not in {"-", "preset:"}:
        named = caught.value.figures["option"]
        assert named.partition(":")[0] in {option.partition(":")[0], "preset", "watermark"}


def test_a_watermark_without_an_image_says_where_to_name_one() -> None:
    with pytest.raises(Untranslatable, match="FILMROLL_IMGPROXY_WATERMARK"):
        translated("wm:0.5", LARGE)
    assert translated("wm:0.5", LARGE, Imgproxy(watermark=MARK)) == (
        f"watermark:image={MARK},position=center,opacity=0.5"
    )


def test_a_default_preset_comes_before_everything() -> None:
    server = Imgproxy(presets=parse_presets("default=resizing_type:fill/blur:0.2/quality:50"))
    assert translated("q:70/w:10/h:20", LARGE, server) == (
        "resize:width=10,height=20,fit=cover/blur:0.2".replace("blur:", "blur:sigma=")
        + "/output:quality=70,metadata=copyright"
    )


def test_presets_that_name_each_other_come_to_an_end() -> None:
    server = Imgproxy(presets=parse_presets("a=preset:b/w:10,b=preset:a/h:20"))
    assert translated("pr:a", LARGE, server) == "resize:width=10,height=20"


@pytest.mark.parametrize("text", ["a", "a=", "=w:1", "a=w:1,b"])
def test_presets_out_of_form_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be name=option"):
        parse_presets(text)


@pytest.mark.parametrize(
    ("path", "source", "written"),
    [
        (f"rs:fit:9:9/plain/{CURIOSITY}", CURIOSITY, "same"),
        (f"rs:fit:9:9/plain/{CURIOSITY}@png", CURIOSITY, "png"),
        (f"plain/{CURIOSITY}@webp", CURIOSITY, "webp"),
        ("plain/http%3A%2F%2Fa.example%2Fb.jpg%3Fc=d@png", "http://a.example/b.jpg?c=d", "png"),
        ("plain/a%40b.jpg", "a@b.jpg", "same"),
        (f"pr:sharp/rs:fill:300:400:0/g:sm/{SPLIT}.png", CURIOSITY, "png"),
        (SPLIT.replace("/", ""), CURIOSITY, "same"),
        (f"{SPLIT}==", CURIOSITY, "same"),
        (f"f:webp/{SPLIT}.png", CURIOSITY, "png"),
        ("plain/s3://bucket/key.jpg@jpg", "s3://bucket/key.jpg", "jpeg"),
        ("plain/local:///some/image.jpg", "local:///some/image.jpg", "same"),
    ],
)
def test_sources_in_every_spelling(path: str, source: str, written: str) -> None:
    read = SERVER.read(path)
    assert read.source == source
    made = read.instructions(LARGE, seen)
    assert made is not None
    assert made.output.format == written


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("w:1/plain/http:/a.example/b.jpg", "w:1/plain/http://a.example/b.jpg"),
        ("w:1/plain/http://a.example/c:/b.jpg", "w:1/plain/http://a.example/c:/b.jpg"),
        ("plain/local:/some/image.jpg", "plain/local:///some/image.jpg"),
        ("plain/local:///some/image.jpg", "plain/local:///some/image.jpg"),
    ],
)
def test_slashes_that_a_proxy_left_out_are_put_back(sent: str, meant: str) -> None:
    assert restored(sent) == meant


def test_the_basic_urls_of_old_are_read_too() -> None:
    old = SERVER.read("fill/300/300/no/1/aHR0cDovL2ltZy5leGFtcGxlLmNvbS9wcmV0dHkvaW1hZ2UuanBn.png")
    assert old.source == "http://img.example.com/pretty/image.jpg"
    made = old.instructions(LARGE, seen)
    assert made is not None
    assert made.canonical() == (
        "resize:width=300,height=300,fit=cover,gravity=n,enlarge=true/"
        "output:format=png,metadata=copyright"
    )


@pytest.mark.parametrize(
    "path",
    ["", "w:1", "w:1/plain/", "w:1/plain/@png", "w:1/plain/a@png@jpg", "w:1/***", "w:1/YQ.png.jpg",
     "enc/jwV3wUD9r4VBIzgv/ang3Hbh0vPpcm5cc", "w:1/_w", "fill/300/300/a"],
)  # fmt: skip
def test_what_names_no_source_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        SERVER.read(path)


@pytest.mark.parametrize(
    ("options", "original"),
    [
        ("raw:1", True),
        ("raw:1/w:100", True),
        ("raw:0", False),
        ("skp:jpg", True),
        ("skp:png:jpeg/w:10", True),
        ("skp:png", False),
        ("skp:jpg/f:png", False),
        ("skp:jpg/f:jpg", True),
    ],
)
def test_an_original_is_left_as_it_is(options: str, *, original: bool) -> None:
    made = SERVER.read(f"{options}/plain/a").instructions(LARGE, seen)
    assert (made is None) is original


def test_what_depends_on_an_unknown_format_says_so() -> None:
    for options in ("skp:jpg", "fq:jpg:50"):
        with pytest.raises(Untranslatable, match="source's format"):
            translated(options, None)
    assert "quality=50" in translated("fq:jpg:50", LARGE)


def test_names_and_times_are_told_apart_from_the_picture() -> None:
    read = SERVER.read(f"exp:1900000000/att:1/fn:TGFrZS5qcGc:1/plain/{CURIOSITY}")
    assert (read.expires, read.attachment) == (1_900_000_000, "Lake.jpg")
    assert SERVER.read(f"att:1/plain/{CURIOSITY}").attachment == "curiosity.jpg"
    assert SERVER.read(f"fn:lake/plain/{CURIOSITY}").attachment is None
    assert SERVER.read(f"exp:0/plain/{CURIOSITY}").expires is None
