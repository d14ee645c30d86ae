"""The operations: for each its keys, their defaults, and which keys contradict each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeAlias, get_args

from filmroll.instructions.values import (
    Choice,
    Color,
    Flag,
    ImageId,
    Number,
    NumberOr,
    Text,
    Value,
)

MAX_SIDE = 16_383  # px; the largest side that every output format can hold (WebP)
# A picture that grows may have as many as an original by default: encoders hold all of them at
# once, several times over, in the memory that one picture may have.
MAX_GROWN_PIXELS = 100_000_000

# What ``format=auto`` comes to, once it is known what is shown where the picture goes: for each
# word the formats that may be chosen beside those that everything shows (JPEG, PNG, GIF).
AUTO = "auto"
AUTO_FORMATS: Mapping[str, frozenset[str]] = {
    "auto-avif-webp": frozenset({"avif", "webp"}),
    "auto-avif": frozenset({"avif"}),
    "auto-webp": frozenset({"webp"}),
    "auto-basic": frozenset(),
}

MAX_OUTPUT_BYTES = 100_000_000

_COMPASS = ("center", "n", "ne", "e", "se", "s", "sw", "w", "nw")
_LOOKING = ("smart", "entropy", "face")  # what is in the picture decides


def _key(value: Value, default: Any = None, *, short: str | None = None) -> Any:
    """Declare a key of an operation: how it is read, its default, its short spelling."""
    return field(default=default, metadata={"value": value, "short": short})


_PIXELS = Number(1, MAX_SIDE, whole=True)
_PART = Number(0, 1)
_BORDER = Number(0, MAX_SIDE, whole=True)
_FACTOR = Number(0, 10)
_OF_TEXT = frozenset({"size", "color", "font", "wrap", "align", "outline", "outline_color"})
_FOCUS = "focus_x and focus_y belong together"


def _focus_fault(op: "Crop | Resize") -> tuple[str, str] | None:
    if (op.focus_x is None) != (op.focus_y is None):
        return ("focus_y" if op.focus_y is None else "focus_x"), _FOCUS
    if op.focus_x is not None and op.gravity != "center":
        return "gravity", "takes the place of focus_x and focus_y: give one of them"
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Crop:
    """Keep a rectangle: at ``x``, ``y``, or where gravity or the focus point says."""

    op: ClassVar[str] = "crop"
    width: float | None = _key(Number(0, MAX_SIDE), short="w")
    height: float | None = _key(Number(0, MAX_SIDE), short="h")
    x: float | None = _key(Number(0, 1_000_000))
    y: float | None = _key(Number(0, 1_000_000))
    gravity: str = _key(Choice((*_COMPASS, *_LOOKING)), "center")
    focus_x: float | None = _key(_PART)
    focus_y: float | None = _key(_PART)
    unit: str = _key(Choice(("px", "ratio")), "px")

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        if self.width is None and self.height is None:
            return "width", "is missing: a crop needs width, height or both"
        for key in ("width", "height", "x", "y"):
            value = getattr(self, key)
            if value is None:
                continue
            if value == 0 and key in {"width", "height"}:
                return key, "must be more than 0"
            if self.unit == "ratio" and value > 1:
                return key, "must be from 0 to 1 when unit=ratio"
            if self.unit == "px" and value != int(value):
                return key, "must be a whole number of pixels (or say unit=ratio)"
        if (self.x is None) != (self.y is None):
            return ("y" if self.y is None else "x"), "x and y belong together"
        if self.x is not None and (self.gravity != "center" or self.focus_x is not None):
            return "x", "takes the place of gravity and focus: give one of them"
        return _focus_fault(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Resize:
    """Scale into (contain), over (cover), exactly to (fill) or onto a canvas of (pad) a box."""

    op: ClassVar[str] = "resize"
    width: int | None = _key(_PIXELS, short="w")
    height: int | None = _key(_PIXELS, short="h")
    fit: str = _key(Choice(("contain", "cover", "fill", "pad")), "contain")
    gravity: str = _key(Choice((*_COMPASS, *_LOOKING)), "center")
    focus_x: float | None = _key(_PART)
    focus_y: float | None = _key(_PART)
    enlarge: bool = _key(Flag(), default=False)
    background: str | None = _key(Color())
    dpr: float = _key(Number(0.1, 8), 1)

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        if self.width is None and self.height is None:
            return "width", "is missing: a resize needs width, height or both"
        for key in ("width", "height"):
            if (getattr(self, key) or 0) * self.dpr > MAX_SIDE:
                return key, f"times dpr must be at most {MAX_SIDE}"
        if self.fit != "contain" and (self.width is None or self.height is None):
            missing = "width" if self.width is None else "height"
            return missing, f"is missing: fit={self.fit} needs width and height"
        if self.fit == "pad" and self.gravity in _LOOKING:
            words = ", ".join(_LOOKING)
            return "gravity", f"{words} choose what to cut away: use them with fit=cover"
        return _focus_fault(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watermark:
    """Lay another image, or a text, over the picture."""

    op: ClassVar[str] = "watermark"
    image: str | None = _key(ImageId())
    text: str | None = _key(Text())
    position: str = _key(Choice(_COMPASS), "se")
    margin: float | None = _key(Number(0, MAX_SIDE))  # px; below 1: a part of the picture's width
    scale: float | None = _key(Number(0.001, 1))  # of the picture's width
    opacity: float = _key(_PART, 1)
    rotate: float = _key(Number(-360, 360), 0)  # degrees, clockwise
    tile: bool = _key(Flag(), default=False)
    size: int = _key(Number(4, 2000, whole=True), 32)  # px, of the text
    color: str = _key(Color(), "ffffff")
    font: str = _key(Choice(("sans", "sans-bold")), "sans")
    wrap: float | None = _key(Number(0.01, 1))  # of the picture's width
    align: str = _key(Choice(("start", "center", "end")), "start")
    outline: float = _key(Number(0, 0.5), 0)  # of the text's size
    outline_color: str = _key(Color(), "000000")

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        if (self.image is None) == (self.text is None):
            return "image", "a watermark needs either an image or a text"
        if self.margin and self.margin >= 1 and self.margin != int(self.margin):
            return "margin", "must be whole pixels, or a part of the width below 1"
        if self.wrap is not None and self.scale is not None:
            return "wrap", "needs a size of the letters: give size in the place of scale"
        if self.image is not None:
            for key in fields(self):
                if key.name in _OF_TEXT and getattr(self, key.name) != key.default:
                    return key.name, "belongs to a text, not to an image"
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotate:
    """Turn clockwise; corners that open get the background."""

    op: ClassVar[str] = "rotate"
    angle: float = _key(Number(-360, 360), 0)
    background: str | None = _key(Color())

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        return ("angle", "is missing or turns nothing") if self.angle % 360 == 0 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Flip:
    """Mirror: ``x`` swaps left and right, ``y`` swaps top and bottom."""

    op: ClassVar[str] = "flip"
    axis: str | None = _key(Choice(("x", "y")))

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        return ("axis", "is missing: x or y") if self.axis is None else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trim:
    """Cut away a border of one colour: that of the top left corner, or ``background``."""

    op: ClassVar[str] = "trim"
    threshold: float = _key(Number(0, 255), 10)  # how far a channel may differ within the border
    background: str | None = _key(Color())

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pad:
    """Add a border, as wide on each side as that side's key says."""

    op: ClassVar[str] = "pad"
    top: int = _key(_BORDER, 0)
    right: int = _key(_BORDER, 0)
    bottom: int = _key(_BORDER, 0)
    left: int = _key(_BORDER, 0)
    background: str | None = _key(Color())

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        if self.top or self.right or self.bottom or self.left:
            return None
        return "top", "is missing: a pad needs top, right, bottom or left"


@dataclass(frozen=True, kw_only=True, slots=True)
class Blur:
    """Blur by a Gaussian."""

    op: ClassVar[str] = "blur"
    sigma: float | None = _key(Number(0.1, 250))  # px

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        return ("sigma", "is missing") if self.sigma is None else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sharpen:
    """Sharpen edges, in lightness only."""

    op: ClassVar[str] = "sharpen"
    sigma: float = _key(Number(0.1, 10), 1)  # px

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pixelate:
    """Make squares of one colour out of the picture."""

    op: ClassVar[str] = "pixelate"
    size: int | None = _key(Number(2, MAX_SIDE, whole=True))  # px

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        return ("size", "is missing") if self.size is None else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Adjust:
    """Change colours as the CSS filters of these names do: factors around 1, hue in degrees."""

    op: ClassVar[str] = "adjust"
    brightness: float = _key(_FACTOR, 1)
    contrast: float = _key(_FACTOR, 1)
    saturation: float = _key(_FACTOR, 1)
    hue: float = _key(Number(-360, 360), 0)

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        if (self.brightness, self.contrast, self.saturation, self.hue % 360) == (1, 1, 1, 0):
            keys = "brightness, contrast, saturation or hue"
            return "brightness", f"is missing: an adjust needs {keys}, other than they are"
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Grayscale:
    """Take the colours away and keep the lightness."""

    op: ClassVar[str] = "grayscale"

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """Round the corners off; ``radius`` 0.5, half the shorter side, makes a square a disc."""

    op: ClassVar[str] = "round"
    radius: float = _key(Number(0.001, MAX_SIDE), 0.5)  # px; below 1: a part of the shorter side
    background: str | None = _key(Color())

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        if self.radius >= 1 and self.radius != int(self.radius):
            return "radius", "must be whole pixels, or a part of the shorter side below 1"
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """How the picture is written; it comes last."""

    op: ClassVar[str] = "output"
    format: str = _key(
        Choice(("same", "jpeg", "png", "webp", "avif", "gif", "tiff", AUTO, *AUTO_FORMATS)),
        "same",
        short="f",
    )
    quality: int | str | None = _key(NumberOr(Number(1, 100, whole=True), AUTO), short="q")
    lossless: bool = _key(Flag(), default=False)
    progressive: bool = _key(Flag(), default=False)
    effort: int | None = _key(Number(0, 9, whole=True))
    max_bytes: int | None = _key(Number(1, MAX_OUTPUT_BYTES, whole=True))
    metadata: str = _key(Choice(("none", "copyright", "all")), "none")

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        if self.lossless and self.format in {"jpeg", "gif"}:
            return "lossless", f"{self.format} cannot be lossless"
        if self.lossless and self.quality == AUTO:
            return "quality", "auto finds out how much may be lost: leave it out, or lossless"
        if self.lossless and self.max_bytes is not None:
            return "max_bytes", "needs something that may be lost: leave it out, or lossless"
        if self.format == "tiff" and self.max_bytes is not None:
            return "max_bytes", "is not for TIFF, of which nothing may be lost"
        return None


Operation: TypeAlias = (
    Crop
    | Resize
    | Trim
    | Pad
    | Rotate
    | Flip
    | Watermark
    | Blur
    | Sharpen
    | Pixelate
    | Adjust
    | Grayscale
    | Round
    | Output
)
OPERATIONS: Mapping[str, type[Operation]] = {kind.op: kind for kind in get_args(Operation)}


def operation_schema(kind: type[Operation]) -> dict[str, Any]:
    """Return the JSON Schema of one operation, for the OpenAPI document."""
    keys = {key.name: key.metadata["value"].schema() for key in fields(kind)}
    for key in fields(kind):
        if key.default is not None:
            keys[key.name]["default"] = key.default
    return {
        "type": "object",
        "description": (kind.__doc__ or "").strip(),
        "properties": {"op": {"const": kind.op}, **keys},
        "required": ["op"],
        "additionalProperties": False,
    }
