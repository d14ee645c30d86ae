"""The grammar of instructions: two spellings in, one canonical text out.

URL path:  ``crop:width=0.5,height=0.5,unit=ratio/resize:width=800/output:format=webp``
JSON:      ``[{"op": "resize", "width": 800}, {"op": "output", "format": "webp"}]``

A pure value: parse → validate → canonical text → recipe. The canonical text writes keys in the
order of the fields below, leaves defaults out and percent-encodes values, so equal instructions
have equal texts. A segment without ``:`` that is no operation is the name of a preset.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Protocol, TypeAlias
from urllib.parse import quote, unquote

from filmroll.errors import InvalidInstructions, UnknownPreset

# Covers the pipeline and the encoders: a new value makes every recipe new, so that whatever an
# upgrade changes is made again. A test holds it against the libvips that is installed.
ENGINE_VERSION = "1/vips-8.18"

MAX_SIDE = 16_383  # px; the largest side that every output format can hold (WebP)
MAX_OPERATIONS = 32
MAX_TEXT = 500  # characters of a text watermark
PRESET_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_HEX = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_NAMED_COLORS = {"white": "ffffff", "black": "000000", "transparent": "00000000"}
_COMPASS = ("center", "n", "ne", "e", "se", "s", "sw", "w", "nw")


class Value(Protocol):
    """How one key's value is read and written."""

    def read(self, raw: Any) -> Any:
        """Return the value in its one normal form; ValueError says what is wrong."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""


@dataclass(frozen=True)
class Number:
    """A number from ``low`` to ``high``; ``whole`` ones have no fraction."""

    low: float
    high: float
    whole: bool = False

    def read(self, raw: Any) -> float:
        """Read 12, 12.5 or their texts."""
        kind = "a whole number" if self.whole else "a number"
        if isinstance(raw, bool) or not isinstance(raw, str | int | float):
            raise ValueError(f"must be {kind}")
        try:
            value = float(raw)
        except (ValueError, OverflowError):
            raise ValueError(f"must be {kind}") from None
        if not math.isfinite(value) or (self.whole and not value.is_integer()):
            raise ValueError(f"must be {kind}")
        if not self.low <= value <= self.high:
            raise ValueError(f"must be from {self.low:g} to {self.high:g}")
        return int(value) if value.is_integer() else value

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        kind = "integer" if self.whole else "number"
        return {"type": kind, "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, raw: Any) -> str:
        """Read one of the words, whatever its case."""
        if isinstance(raw, str) and raw.lower() in self.words:
            return raw.lower()
        raise ValueError("must be one of " + ", ".join(self.words))

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def read(self, raw: Any) -> bool:
        """Read true, false, 1, 0 or their texts."""
        words = {"true": True, "1": True, "false": False, "0": False}
        text = str(raw).lower()
        if isinstance(raw, str | bool | int) and text in words:
            return words[text]
        raise ValueError("must be true or false")

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Color:
    """A colour: rgb, rrggbb, rrggbbaa in hex, or white, black, transparent."""

    def read(self, raw: Any) -> str:
        """Return rrggbb or rrggbbaa in lower case."""
        if isinstance(raw, str) and raw.lower() in _NAMED_COLORS:
            return _NAMED_COLORS[raw.lower()]
        match = _HEX.fullmatch(raw) if isinstance(raw, str) else None
        if match is None:
            raise ValueError("must be a colour: rrggbb, rrggbbaa, white, black or transparent")
        digits = match[1].lower()
        if len(digits) == len("rgb"):
            digits = "".join(digit * 2 for digit in digits)
        return digits.removesuffix("ff") if len(digits) == len("rrggbbaa") else digits

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "string", "examples": ["ffffff", "00000080", "transparent"]}


@dataclass(frozen=True)
class Text:
    """Free text of at most ``longest`` characters, without control characters but newlines."""

    longest: int = MAX_TEXT

    def read(self, raw: Any) -> str:
        """Read a text."""
        if not isinstance(raw, str) or not raw.strip():
            raise ValueError("must be a text")
        if len(raw) > self.longest:
            raise ValueError(f"must have at most {self.longest} characters")
        if any(not (char.isprintable() or char == "\n") for char in raw):
            raise ValueError("must not hold control characters")
        return raw

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "string", "maxLength": self.longest}


@dataclass(frozen=True)
class ImageId:
    """The id of a kept image."""

    def read(self, raw: Any) -> str:
        """Read an id."""
        if isinstance(raw, str) and re.fullmatch(r"[0-9a-z]{26}", raw):
            return raw
        raise ValueError("must be the id of an image: 26 letters and digits")

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"type": "string", "pattern": "^[0-9a-z]{26}$"}


def _key(value: Value, default: Any = None, *, short: str | None = None) -> Any:
    """Declare a key of an operation: how it is read, its default, its short spelling."""
    return field(default=default, metadata={"value": value, "short": short})


_PIXELS = Number(1, MAX_SIDE, whole=True)
_PART = Number(0, 1)
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
    gravity: str = _key(Choice((*_COMPASS, "smart", "entropy")), "center")
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
    gravity: str = _key(Choice((*_COMPASS, "smart", "entropy")), "center")
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
        if self.fit == "pad" and self.gravity in {"smart", "entropy"}:
            return "gravity", "smart and entropy choose what to cut away: use them with fit=cover"
        return _focus_fault(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watermark:
    """Lay another image, or a text, over the picture."""

    op: ClassVar[str] = "watermark"
    image: str | None = _key(ImageId())
    text: str | None = _key(Text())
    position: str = _key(Choice(_COMPASS), "se")
    margin: float = _key(Number(0, MAX_SIDE), 0)  # px; below 1: a part of the picture's width
    scale: float | None = _key(Number(0.001, 1))  # of the picture's width
    opacity: float = _key(_PART, 1)
    rotate: float = _key(Number(-360, 360), 0)  # degrees, clockwise
    tile: bool = _key(Flag(), default=False)
    size: int = _key(Number(4, 2000, whole=True), 32)  # px, of the text
    color: str = _key(Color(), "ffffff")
    font: str = _key(Choice(("sans", "sans-bold")), "sans")

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        if (self.image is None) == (self.text is None):
            return "image", "a watermark needs either an image or a text"
        if self.margin >= 1 and self.margin != int(self.margin):
            return "margin", "must be whole pixels, or a part of the width below 1"
        if self.image is not None:
            for key, default in (("size", 32), ("color", "ffffff"), ("font", "sans")):
                if getattr(self, key) != default:
                    return key, "belongs to a text, not to an image"
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
class Output:
    """How the picture is written; it comes last."""

    op: ClassVar[str] = "output"
    format: str = _key(
        Choice(("same", "jpeg", "png", "webp", "avif", "gif", "tiff")), "same", short="f"
    )
    quality: int | None = _key(Number(1, 100, whole=True), short="q")
    lossless: bool = _key(Flag(), default=False)
    progressive: bool = _key(Flag(), default=False)
    effort: int | None = _key(Number(0, 9, whole=True))
    metadata: str = _key(Choice(("none", "copyright", "all")), "none")

    def fault(self) -> tuple[str, str] | None:
        """Return the key that contradicts the others, and why."""
        if self.lossless and self.format not in {"same", "webp", "avif", "png", "tiff"}:
            return "lossless", f"{self.format} cannot be lossless"
        return None


Operation: TypeAlias = Crop | Resize | Watermark | Rotate | Flip | Output
OPERATIONS: Mapping[str, type[Operation]] = {
    kind.op: kind for kind in (Crop, Resize, Watermark, Rotate, Flip, Output)
}


@dataclass(frozen=True, slots=True)
class Instructions:
    """Operations in the order in which they run; ``output`` is the last, if there is one."""

    operations: tuple[Operation, ...]

    @property
    def steps(self) -> tuple[Operation, ...]:
        """The operations before ``output``."""
        return tuple(op for op in self.operations if not isinstance(op, Output))

    @property
    def output(self) -> Output:
        """How to write the picture."""
        last = self.operations[-1]
        return last if isinstance(last, Output) else Output()

    @property
    def watermarks(self) -> tuple[str, ...]:
        """Ids of the images that are laid over, each once."""
        ids = (op.image for op in self.operations if isinstance(op, Watermark) and op.image)
        return tuple(dict.fromkeys(ids))

    def canonical(self) -> str:
        """Return the one text of these instructions."""
        return "/".join(_write(op) for op in self.operations)

    def recipe(self) -> str:
        """Return the hash of the canonical text and the engine's version: 32 hex digits."""
        text = f"{ENGINE_VERSION}\n{self.canonical()}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def parse(text: str, presets: Mapping[str, str] | None = None) -> Instructions:
    """Read the path spelling. ``presets`` maps names to canonical texts.

    Raises InvalidInstructions with a ``pointer`` (``/1/width``: operation 1, key width), or
    UnknownPreset.
    """
    operations: list[Operation] = []
    for position, segment in enumerate(_segments(text)):
        name, colon, rest = segment.partition(":")
        if name in OPERATIONS:
            operations.append(_read(position, name, _pairs(position, rest) if colon else ()))
        elif colon:
            raise _unknown_operation(position, name)
        else:
            operations += _preset(position, unquote(name), presets or {}).operations
    return _sequence(operations)


def parse_json(items: Any) -> Instructions:
    """Read the JSON spelling: a list of objects with ``op`` and the operation's keys.

    Raises InvalidInstructions with a ``pointer``, as ``parse`` does.
    """
    if not isinstance(items, list) or not items:
        raise InvalidInstructions("Give a list with at least one operation.", pointer="")
    _count(items)
    operations: list[Operation] = []
    for position, item in enumerate(items):
        if not isinstance(item, dict):
            fault = 'An operation is an object such as {"op": "resize", "width": 800}.'
            raise InvalidInstructions(fault, pointer=f"/{position}")
        name = item.get("op")
        if not isinstance(name, str) or name not in OPERATIONS:
            raise _unknown_operation(position, str(name), key="/op")
        operations.append(_read(position, name, [pair for pair in item.items() if pair[0] != "op"]))
    return _sequence(operations)


def preset_names(text: str) -> tuple[str, ...]:
    """Return the names of the presets that a text in the path spelling refers to."""
    names = (unquote(part) for part in _segments(text) if ":" not in part)
    return tuple(dict.fromkeys(name for name in names if name not in OPERATIONS))


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


def _segments(text: str) -> list[str]:
    segments = text.strip("/").split("/")
    if segments == [""]:
        raise InvalidInstructions("Give at least one operation or preset.", pointer="")
    _count(segments)
    return segments


def _count(operations: Sequence[Any]) -> None:
    if len(operations) > MAX_OPERATIONS:
        raise InvalidInstructions(
            f"At most {MAX_OPERATIONS} operations; these are {len(operations)}.",
            pointer="",
            limit=MAX_OPERATIONS,
            actual=len(operations),
        )


def _pairs(position: int, text: str) -> Iterator[tuple[str, str]]:
    for pair in text.split(","):
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInstructions(
                f"Write key=value, not {_shown(pair)}.", pointer=f"/{position}"
            )
        yield key, unquote(value)


def _read(position: int, name: str, pairs: Any) -> Operation:
    kind = OPERATIONS[name]
    keys = {key.name: key for key in fields(kind)}
    shorts = {key.metadata["short"]: key.name for key in fields(kind) if key.metadata["short"]}
    values: dict[str, Any] = {}
    for spelling, raw in pairs:
        key = shorts.get(spelling, spelling)
        pointer = f"/{position}/{_pointer_part(key)}"
        if key not in keys:
            known = ", ".join(keys)
            raise InvalidInstructions(
                f"{name} has no key {_shown(key)}; it has {known}.", pointer=pointer
            )
        if key in values:
            raise InvalidInstructions(f"{key} is given twice.", pointer=pointer)
        if raw is None:
            continue
        try:
            values[key] = keys[key].metadata["value"].read(raw)
        except ValueError as fault:
            raise InvalidInstructions(f"{name}: {key} {fault}.", pointer=pointer) from None
    operation = kind(**values)
    contradiction = operation.fault()
    if contradiction:
        key, why = contradiction
        raise InvalidInstructions(f"{name}: {key} {why}.", pointer=f"/{position}/{key}")
    return operation


def _preset(position: int, name: str, presets: Mapping[str, str]) -> Instructions:
    if name not in presets:
        raise UnknownPreset(
            f"{_shown(name)} is neither an operation ({', '.join(OPERATIONS)}) nor a preset.",
            pointer=f"/{position}",
        )
    return parse(presets[name])


def _sequence(operations: list[Operation]) -> Instructions:
    _count(operations)
    for position, operation in enumerate(operations[:-1]):
        if isinstance(operation, Output):
            raise InvalidInstructions(
                "output comes last, and at most once.", pointer=f"/{position}"
            )
    return Instructions(tuple(operations))


def _write(operation: Operation) -> str:
    pairs = [
        f"{key.name}={_write_value(getattr(operation, key.name))}"
        for key in fields(operation)
        if getattr(operation, key.name) != key.default
    ]
    return f"{operation.op}:{','.join(pairs)}" if pairs else operation.op


def _write_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return quote(value, safe="") if isinstance(value, str) else repr(value)


def _unknown_operation(position: int, name: str, key: str = "") -> InvalidInstructions:
    return InvalidInstructions(
        f"There is no operation {_shown(name)}; there are {', '.join(OPERATIONS)}.",
        pointer=f"/{position}{key}",
    )


def _shown(text: str) -> str:
    """Quote what the client sent, short enough for a message."""
    longest = 40
    return repr(text if len(text) <= longest else text[:longest] + "…")


def _pointer_part(key: str) -> str:
    """Escape a key for a JSON pointer (RFC 6901)."""
    return key[:40].replace("~", "~0").replace("/", "~1")
