"""thumbor's URLs, most of them from its documentation, and what they come to.

The sizes were compared once with those that thumbor 7.8 makes of the same URLs.
"""

import pytest

from filmroll.errors import InvalidRequest, Untranslatable
from filmroll.geometry import Size, size_after
from filmroll.migration import Overlay, thumbor
from filmroll.model import Header

EXAMPLE = "https%3A%2F%2Fgithub.com%2Fthumbor%2Fthumbor%2Fraw%2Fmaster%2Fexample.jpg"
MARK = "0123456789abcdefghjkmnpqrs"
LARGE = Header(format="jpeg", width=800, height=600)
SMALL = Header(format="jpeg", width=300, height=200)


def translated(path: str, header: Header | None) -> str:
    made = thumbor.read(path).instructions(header, Overlay)
    return made.canonical()


SAID = [
    ("300x200/{}", "resize:width=300,height=200,fit=cover,enlarge=true"),
    ("300x200/smart/{}", "resize:width=300,height=200,fit=cover,gravity=smart,enlarge=true"),
    ("300x300/smart/{}", "resize:width=300,height=300,fit=cover,gravity=smart,enlarge=true"),
    ("300x0/{}", "resize:width=300,enlarge=true"),
    ("300x/{}", "resize:width=300,enlarge=true"),
    ("x200/{}", "resize:height=200,enlarge=true"),
    ("0x200/{}", "resize:height=200,enlarge=true"),
    ("0x0/{}", "output"),
    ("{}", "output"),
    ("-0x-0/{}", "flip:axis=x/flip:axis=y"),
    ("-300x200/{}", "resize:width=300,height=200,fit=cover,enlarge=true/flip:axis=x"),
    ("300x-200/{}", "resize:width=300,height=200,fit=cover,enlarge=true/flip:axis=y"),
    (
        "-300x-200/left/top/smart/{}",
        "resize:width=300,height=200,fit=cover,gravity=smart,enlarge=true/flip:axis=x/flip:axis=y",
    ),
    ("300x200/left/top/{}", "resize:width=300,height=200,fit=cover,gravity=nw,enlarge=true"),
    ("300x200/right/{}", "resize:width=300,height=200,fit=cover,gravity=e,enlarge=true"),
    ("300x200/center/bottom/{}", "resize:width=300,height=200,fit=cover,gravity=s,enlarge=true"),
    ("300x200/center/middle/{}", "resize:width=300,height=200,fit=cover,enlarge=true"),
    ("fit-in/300x200/{}", "resize:width=300,height=200"),
    ("fit-in/300x0/{}", "resize:width=300"),
    ("trim/{}", "trim:threshold=0"),
    ("trim:top-left:50/{}", "trim:threshold=29"),
    ("trim:442/{}", "trim:threshold=255"),
    ("trim:bottom-right/{}", "rotate:angle=180/trim:threshold=0/rotate:angle=180"),
    ("10x20:30x40/{}", "crop:width=20,height=20,x=10,y=20"),
    ("10x10:200x200/50x50/{}", ("crop:width=190,height=190,x=10,y=10/"
     "resize:width=50,height=50,fit=cover,enlarge=true")),
    ("0x0:0x0/780x390/{}", "resize:width=780,height=390,fit=cover,enlarge=true"),
    ("fit-in/300x300/filters:fill(blue)/{}",
     "resize:width=300,height=300,fit=pad,background=0000ff"),
    ("fit-in/300x300/filters:fill(f00)/{}",
     "resize:width=300,height=300,fit=pad,background=ff0000"),
    ("fit-in/300x300/filters:fill(add8e6)/{}",
     "resize:width=300,height=300,fit=pad,background=add8e6"),
    ("fit-in/300x225/filters:fill(f00,true)/{}",
     "resize:width=300,height=225,fit=pad,background=ff0000"),
    ("fit-in/300x300/filters:blur(7):fill(red)/{}",
     ("resize:width=300,height=300/blur:sigma=4/"
     "resize:width=300,height=300,fit=pad,background=ff0000")),
    ("300x200/filters:fill(red)/{}", "resize:width=300,height=200,fit=cover,enlarge=true"),
    ("filters:background_color(blue)/{}", "resize:width=16383,background=0000ff"),
    ("fit-in/600x500/filters:upscale()/{}", "resize:width=600,height=500,enlarge=true"),
    ("300x300/filters:stretch()/{}", "resize:width=300,height=300,fit=fill,enlarge=true"),
    ("filters:quality(40)/{}", "output:quality=40"),
    ("filters:max_bytes(40000)/{}", "output:max_bytes=40000"),
    ("filters:format(webp)/{}", "output:format=webp"),
    ("filters:format(jpg):quality(40):format(PNG)/{}", "output:format=png,quality=40"),
    ("filters:grayscale()/{}", "grayscale"),
    ("filters:blur(7)/{}", "blur:sigma=4"),
    ("filters:blur(1)/{}", "blur:sigma=0.74"),
    ("filters:brightness(10):contrast(30)/{}",
     "adjust:brightness=1.25,contrast=0.8/adjust:contrast=1.69"),
    ("filters:brightness(40)/{}", "adjust:brightness=5,contrast=0.2"),
    ("filters:brightness(60)/{}", "/".join(["adjust:brightness=2.5,contrast=0.4"] * 2)),
    ("filters:brightness(-40)/{}", "adjust:brightness=0.5556,contrast=1.8"),
    ("filters:brightness(0)/{}", "output"),
    ("filters:contrast(-40)/{}", "adjust:contrast=0.36"),
    ("filters:saturation(1.3)/{}", "adjust:saturation=1.3"),
    ("filters:sharpen(2,1.5,true)/{}", "sharpen:sigma=1.5"),
    ("filters:sharpen(0,1.5,true)/{}", "output"),
    ("filters:rotate(90)/{}", "rotate:angle=270"),
    ("filters:rotate(-90)/{}", "rotate:angle=90"),
    ("filters:rotate(45)/{}", "output"),
    ("filters:round_corner(20,255,255,255)/{}", "round:radius=20,background=ffffff"),
    ("filters:round_corner(30,0,0,0,1)/{}", "round:radius=30"),
    ("filters:round_corner(30|30,0,0,0)/{}", "round:radius=30,background=000000"),
    ("filters:strip_exif():strip_icc():max_age(60)/{}", "output"),
    (f"filters:watermark({MARK},-10,-10,50)/{{}}",
     f"watermark:image={MARK},margin=10,opacity=0.5"),
    (f"filters:watermark({MARK},10,-10,0,20,none)/{{}}",
     f"watermark:image={MARK},position=sw,margin=10,scale=0.2"),
    (f"filters:watermark({MARK},0,-0,1)/{{}}", f"watermark:image={MARK},position=sw,opacity=0.99"),
    (f"filters:watermark({MARK},center,center,0)/{{}}", f"watermark:image={MARK},position=center"),
    (f"filters:watermark({MARK},center,5,0)/{{}}",
     f"watermark:image={MARK},position=n,margin=5"),
    (f"filters:watermark({MARK},repeat,repeat,20)/{{}}",
     f"watermark:image={MARK},margin=0,opacity=0.8,tile=true"),
]  # fmt: skip

# What the picture's size decides: of one of 800 × 600, and of one of 300 × 200.
BY_SIZE = [
    ("origx300", LARGE, (800, 300)),
    ("300xorig", LARGE, (300, 600)),
    ("origxorig", LARGE, (800, 600)),
    ("400x0", LARGE, (400, 300)),
    ("fit-in/300x200", LARGE, (267, 200)),
    ("full-fit-in/300x200", LARGE, (300, 225)),
    ("full-fit-in/300x200", Header(format="png", width=400, height=600), (300, 450)),
    ("full-fit-in/600x600", SMALL, (900, 600)),
    ("adaptive-fit-in/200x300", LARGE, (267, 200)),
    ("adaptive-full-fit-in/200x300", LARGE, (300, 225)),
    ("adaptive-fit-in/300x200", LARGE, (267, 200)),
    ("fit-in/600x500", SMALL, (300, 200)),
    ("fit-in/600x500/filters:upscale()", SMALL, (600, 400)),
    ("600x400", SMALL, (600, 400)),
    ("600x400/filters:no_upscale()", SMALL, (300, 200)),
    ("500x50/filters:no_upscale()", SMALL, (300, 50)),
    ("300x300/filters:proportion(0.5)", LARGE, (150, 150)),
    ("filters:proportion(0.5)", SMALL, (150, 100)),
    ("filters:proportion(1.5)", SMALL, (300, 200)),
    ("10x20:2000x1800", LARGE, (790, 580)),
    ("20x20:10x10", LARGE, (800, 600)),
    ("900x900:1000x1000/100x100", LARGE, (100, 100)),
    ("10x20:110x70/origx", LARGE, (100, 50)),
    ("10x20:110x70/200xorig", LARGE, (200, 50)),
    ("adaptive-fit-in/200x300/filters:fill(red)", LARGE, (300, 200)),
    ("full-fit-in/300x200/filters:fill(red)", LARGE, (300, 225)),
    ("fit-in/0x100/filters:fill(red)", LARGE, (133, 100)),
    ("300x200/filters:rotate(90)", LARGE, (200, 300)),
]

REFUSED = [
    ("meta/300x200/{}", "meta"),
    ("debug/300x200/{}", "debug"),
    ("trim/10x10:20x20/{}", "trim with AxB:CxD"),
    ("filters:noise(40)/{}", "noise(40)"),
    ("filters:equalize()/{}", "equalize()"),
    ("filters:rgb(20,-20,40)/{}", "rgb(20,-20,40)"),
    ("filters:red_eye()/{}", "red_eye()"),
    ("filters:cover()/{}", "cover()"),
    ("filters:autojpg()/{}", "autojpg()"),
    ("filters:extract_focal()/{}", "extract_focal()"),
    ("filters:curve([(0,0),(255,255)])/{}", "curve([(0,0),(255,255)])"),
    ("filters:colorize(40,40,100,000000)/{}", "colorize(40,40,100,000000)"),
    ("filters:convolution(1;2;1;2;4;2;1;2;1,3,true)/{}", "convolution(1;2;1;2;4;2;1;2;1,3,true)"),
    ("filters:frame(a.png)/{}", "frame(a.png)"),
    ("filters:nonsense(1)/{}", "nonsense(1)"),
    ("filters:format(heic)/{}", "format(heic)"),
    ("filters:quality(0)/{}", "quality(0)"),
    ("filters:quality()/{}", "quality()"),
    ("filters:quality(²)/{}", "quality(²)"),
    ("filters:blur(x)/{}", "blur(x)"),
    ("filters:blur(0)/{}", "blur(0)"),
    ("filters:round_corner(20|40,0,0,0)/{}", "round_corner(20|40,0,0,0)"),
    ("filters:round_corner(x,0,0,0)/{}", "round_corner(x,0,0,0)"),
    (f"filters:round_corner({'1' * 5000})/{{}}", f"round_corner({'1' * 67}…"),
    (f"filters:round_corner({'0' * 5000})/{{}}", f"round_corner({'0' * 67}…"),
    ("fit-in/300x300/filters:fill(auto)/{}", "fill(auto)"),
    ("fit-in/300x300/filters:fill(blur)/{}", "fill(blur)"),
    ("fit-in/300x300/filters:fill(nocolour)/{}", "fill(nocolour)"),
    ("300x300/filters:focal(somewhere)/{}", "focal(somewhere)"),
    (f"filters:watermark({MARK},10,20,0)/{{}}", f"watermark({MARK},10,20,0)"),
    (f"filters:watermark({MARK},repeat,0,0)/{{}}", f"watermark({MARK},repeat,0,0)"),
    (f"filters:watermark({MARK},30,10,50,none,15)/{{}}", f"watermark({MARK},30,10,50,none,15)"),
    (f"filters:watermark({MARK},north,0,0)/{{}}", f"watermark({MARK},north,0,0)"),
    ("99999x0/{}", "resize"),
]  # fmt: skip


@pytest.mark.parametrize("header", [LARGE, None], ids=["known", "unknown"])
@pytest.mark.parametrize(("path", "said"), SAID)
def test_means_the_same(path: str, said: str, header: Header | None) -> None:
    assert translated(path.format(EXAMPLE), header) == said


@pytest.mark.parametrize(("options", "header", "size"), BY_SIZE)
def test_comes_to_the_size_that_thumbor_makes(
    options: str, header: Header, size: tuple[int, int]
) -> None:
    made = thumbor.read(f"{options}/a.jpg").instructions(header, Overlay)
    assert size_after(made, Size(header.width, header.height)) == Size(*size)


@pytest.mark.parametrize(("path", "option"), REFUSED)
def test_what_has_no_counterpart_is_named(path: str, option: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        translated(path.format(EXAMPLE), LARGE)
    assert caught.value.figures["option"] == option
    assert caught.value.detail.startswith(option)


@pytest.mark.parametrize(
    "options",
    ["300xorig", "full-fit-in/300x200", "adaptive-fit-in/200x300", "filters:proportion(0.5)",
     "400x100/filters:focal(146x206:279x360)"],
)  # fmt: skip
def test_what_depends_on_an_unknown_size_says_so(options: str) -> None:
    with pytest.raises(Untranslatable, match="depends on the picture's size"):
        translated(f"{options}/a.jpg", None)


@pytest.mark.parametrize(
    ("options", "focus"),
    [
        ("400x100/filters:focal(146x206:279x360)", "focus_x=0.265,focus_y=0.4717"),
        (
            "400x100/filters:focal(0x0:100x100):focal(0x200:200x400)",
            "focus_x=0.1125,focus_y=0.4167",
        ),
        ("100x100:500x500/40x10/filters:focal(200x200:300x300)", "focus_x=0.375,focus_y=0.375"),
    ],
)
def test_focal_points_are_what_a_crop_keeps(options: str, focus: str) -> None:
    assert focus in translated(f"{options}/a.jpg", LARGE)


def test_a_focal_point_outside_the_crop_counts_for_nothing() -> None:
    path = "0x0:100x100/50x20/left/top/filters:focal(200x200:300x300)/a.jpg"
    assert "gravity=nw" in translated(path, LARGE)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (f"300x200/{EXAMPLE}", "https://github.com/thumbor/thumbor/raw/master/example.jpg"),
        ("300x200/my.server.com/some/path/to/image.jpg", "my.server.com/some/path/to/image.jpg"),
        ("smart/path/to/image.jpg", "path/to/image.jpg"),
        ("fit-in/300x225/filters:fill(blue,1)/https://a.example/b.png", "https://a.example/b.png"),
        (
            "filters:watermark(http://my.site.com/img.png,-10,-10,50)/some/image.jpg",
            "some/image.jpg",
        ),
        ("300x200/gr%C3%BC%20n.jpg", "grü n.jpg"),
        ("filters:blur%287%29/a%28b%29.jpg", "a(b).jpg"),
        ("path/300x200/a.jpg", "path/300x200/a.jpg"),
        ("filters:/a.jpg", "filters:/a.jpg"),
    ],
)
def test_the_image_is_what_is_left(path: str, source: str) -> None:
    assert thumbor.read(path).source == source


@pytest.mark.parametrize("path", ["", "9999999999x1/a.jpg", "filters:blur(7)brightness(1)x)/a"])
def test_what_is_out_of_form_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        translated(path, LARGE)
