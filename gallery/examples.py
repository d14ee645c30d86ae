"""What the gallery shows: for each operation some instructions, and the photograph they meet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

MARK = "0" * 26  # stands for the id that tests/fixtures/mark.png has once it is uploaded

_SMALL = "resize:width=420"
_FOX = quote("The quick brown fox jumps over the lazy dog")
_SCRIPTS = quote("Ελλάδα · Україна\nשלום עולם\nمرحبا بالعالم\n😀 ★ ✓ ❤")


@dataclass(frozen=True)
class Example:
    """One picture of the page."""

    photo: str  # a file's name in tests/fixtures, without its end; or "moving", an animation
    text: str
    note: str = ""


def _each(photo: str, *texts: str) -> Sequence[Example]:
    return [Example(photo, text) for text in texts]


SECTIONS: Mapping[str, Sequence[Example]] = {
    "crop": [
        *_each(
            "ladybird",
            "crop:width=400,height=260",
            "crop:width=400,height=260,gravity=nw",
            "crop:width=0.4,height=0.4,unit=ratio,x=0.5,y=0.3",
            "crop:width=400,height=260,focus_x=0.7,focus_y=0.5",
            "crop:width=400,height=260,gravity=smart",
            "crop:width=400,height=260,gravity=entropy",
        ),
        *_each("astronaut", "resize:width=420", "crop:width=200,height=200,gravity=face"),
    ],
    "resize": [
        *_each(
            "dune",
            "resize:width=420",
            "resize:width=260,height=260",
            "resize:width=260,height=260,fit=cover",
            "resize:width=260,height=260,fit=cover,gravity=e",
            "resize:width=260,height=260,fit=fill",
            "resize:width=260,height=260,fit=pad,background=204060",
            "resize:width=260,height=260,fit=pad,gravity=s",
            "crop:width=60,height=40,x=400,y=100/resize:width=420,enlarge=true",
            "resize:width=130,dpr=2",
        ),
        *_each("astronaut", "resize:width=260,height=140,fit=cover,gravity=face"),
    ],
    "trim": [
        Example("dune", f"{_SMALL}/pad:top=30,right=60,left=10,background=white", "before"),
        Example("dune", f"{_SMALL}/pad:top=30,right=60,left=10,background=white/trim", "after"),
        Example("dune", f"{_SMALL}/rotate:angle=12", "before"),
        Example("dune", f"{_SMALL}/rotate:angle=12/round/trim", "transparent borders as well"),
    ],
    "pad": _each(
        "yellowflower",
        f"{_SMALL}/pad:top=16,right=16,bottom=56,left=16,background=fdf6e3",
        f"{_SMALL}/pad:left=60,right=60",
    ),
    "rotate": _each(
        "dune",
        "resize:width=300/rotate:angle=90",
        "resize:width=360/rotate:angle=-8",
        "resize:width=360/rotate:angle=30,background=204060",
    ),
    "flip": _each("ladybird", f"{_SMALL}/flip:axis=x", f"{_SMALL}/flip:axis=y"),
    "watermark": [
        *_each(
            "storm",
            f"{_SMALL}/watermark:image={MARK},scale=0.2,margin=0.03",
            f"{_SMALL}/watermark:image={MARK},scale=0.3,position=center,opacity=0.5,rotate=-20",
            f"{_SMALL}/watermark:image={MARK},scale=0.08,tile=true,opacity=0.6",
            f"{_SMALL}/watermark:image={MARK},scale=0.08,tile=true,margin=0.03,rotate=-30,opacity=0.6",
        ),
        *_each(
            "ladybird",
            f"{_SMALL}/watermark:text=%C2%A9%20Filmroll,size=24,margin=10",
            f"{_SMALL}/watermark:text=Filmroll,scale=0.9,font=sans-bold,position=center,opacity=0.7",
            f"{_SMALL}/watermark:text={_FOX},size=30,wrap=0.6,position=nw,margin=12",
            f"{_SMALL}/watermark:text={_FOX},size=34,wrap=0.9,align=center,position=s,margin=12,"
            "font=sans-bold,color=ffd54a,outline=0.08",
            f"{_SMALL}/watermark:text=Film,size=150,position=center,font=sans-bold,"
            "color=transparent,outline=0.03,outline_color=ffffff",
            f"{_SMALL}/watermark:text={_SCRIPTS},size=34,position=center,outline=0.06",
            f"{_SMALL}/watermark:text=proof,tile=true,rotate=-30,opacity=0.4,size=26",
            f"{_SMALL}/watermark:text=proof,tile=true,size=20,opacity=0.5,margin=12",
            f"{_SMALL}/watermark:image={MARK},scale=0.15,margin=10,position=nw"
            "/watermark:text=Filmroll,size=22,margin=10,position=ne"
            "/watermark:text=4%20of%209,size=14,margin=10,position=s,outline=0.1",
        ),
    ],
    "blur": [
        *_each("yellowflower", f"{_SMALL}/blur:sigma=2", f"{_SMALL}/blur:sigma=12"),
        Example("yellowflower", f"{_SMALL}/round/blur:sigma=8", "no dark seam"),
    ],
    "sharpen": [
        Example("ladybird", _SMALL, "before"),
        *_each("ladybird", f"{_SMALL}/sharpen", f"{_SMALL}/sharpen:sigma=3"),
    ],
    "pixelate": _each("yellowflower", f"{_SMALL}/pixelate:size=8", f"{_SMALL}/pixelate:size=40"),
    "adjust": [
        Example("ladybird", _SMALL, "before"),
        *_each(
            "ladybird",
            f"{_SMALL}/adjust:brightness=1.4",
            f"{_SMALL}/adjust:brightness=0.6",
            f"{_SMALL}/adjust:contrast=1.5",
            f"{_SMALL}/adjust:contrast=0.5",
            f"{_SMALL}/adjust:saturation=2",
            f"{_SMALL}/adjust:saturation=0.3",
            f"{_SMALL}/adjust:hue=90",
            f"{_SMALL}/adjust:hue=180",
        ),
    ],
    "grayscale": _each("yellowflower", f"{_SMALL}/grayscale"),
    "round": [
        *_each(
            "yellowflower",
            "resize:width=260,height=260,fit=cover/round",
            f"{_SMALL}/round",
            f"{_SMALL}/round:radius=0.1",
            f"{_SMALL}/round:radius=40,background=204060",
        ),
        Example("yellowflower", f"{_SMALL}/round:radius=40/output:format=jpeg", "white in a JPEG"),
    ],
    "output": [
        *_each(
            "dune",
            *(f"{_SMALL}/output:format={kind}" for kind in ("jpeg", "png", "webp", "avif", "gif")),
            f"{_SMALL}/output:format=jpeg,quality=15",
            f"{_SMALL}/output:format=webp,quality=15",
            f"{_SMALL}/output:format=avif,quality=15",
        ),
        *_each(
            "moving",
            "resize:width=280/output:format=webp",
            "resize:width=280/output:format=gif",
            "resize:width=280/round:radius=20/watermark:text=moving,size=24,margin=12,outline=0.1"
            "/output:format=webp",
            "resize:width=200,height=200,fit=cover/pixelate:size=8/output:format=webp",
        ),
    ],
}
