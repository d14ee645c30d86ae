"""How the value of one key is read: numbers, words, colours, texts; each with its JSON Schema."""

import math
import re
from dataclasses import dataclass
from typing import Any, Protocol
from unicodedata import category

MAX_TEXT = 500  # characters of a text watermark

_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_HEX = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_NAMED_COLORS = {"white": "ffffff", "black": "000000", "transparent": "00000000"}
_UNWRITABLE = {"Cc", "Cs"}  # Unicode's categories: control characters, halves of characters


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
        value = _float(raw)
        if math.isnan(value):
            raise ValueError(f"must be {kind}")
        if not self.low <= value <= self.high:
            raise ValueError(f"must be from {self.low:,} to {self.high:,}")
        if self.whole and not value.is_integer():
            raise ValueError(f"must be {kind}")
        return int(value) if value.is_integer() else value

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        kind = "integer" if self.whole else "number"
        return {"type": kind, "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class NumberOr:
    """A number, or the one word that leaves it to the engine."""

    number: Number
    word: str

    def read(self, raw: Any) -> float | str:
        """Read the word, whatever its case, or a number."""
        if isinstance(raw, str) and raw.lower() == self.word:
            return self.word
        try:
            return self.number.read(raw)
        except ValueError as fault:
            raise ValueError(f"{fault}, or {self.word}") from None

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        return {"anyOf": [self.number.schema(), {"const": self.word}]}


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
        if not writable(raw.replace("\n", "")):
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


def writable(text: str) -> bool:
    """Whether a text holds neither control characters nor halves of surrogate pairs.

    Not str.isprintable() alone, though it is quick: it refuses the joiners of emoji and Persian,
    and Japanese spaces.
    """
    return text.isprintable() or not any(category(char) in _UNWRITABLE for char in text)


def _float(raw: Any) -> float:
    """Return a number as it is or as its text says; NaN if it is none."""
    if isinstance(raw, str):  # float() itself would also take 1_000, ١٢ and surrounding spaces
        return float(raw) if _NUMBER.fullmatch(raw) else math.nan
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return math.nan
    try:
        return float(raw)
    except OverflowError:  # JSON knows no largest number
        return math.inf
