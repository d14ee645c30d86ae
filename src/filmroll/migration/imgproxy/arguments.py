"""One option of an imgproxy URL: ``name:first:second:…``, its arguments read one by one."""

import base64
import binascii
import re
from dataclasses import dataclass

from filmroll.migration.colors import color
from filmroll.migration.refusal import refuse

_NUMBER = re.compile(r"-?(\d{1,12}(\.\d{0,12})?|\.\d{1,12})", re.ASCII)
_TRUE = {"1", "t", "true"}
_COMPASS = {
    "ce": "center",
    "no": "n",
    "so": "s",
    "ea": "e",
    "we": "w",
    "noea": "ne",
    "nowe": "nw",
    "soea": "se",
    "sowe": "sw",
}


@dataclass(frozen=True, slots=True)
class Gravity:
    """What part of a picture counts; ``x`` and ``y`` move it, or are the focus point."""

    place: str = "center"  # a point of the compass, "smart", "face" or "focus"
    x: float = 0
    y: float = 0

    @property
    def moved(self) -> bool:
        """Whether it lies beside the point of the compass."""
        return self.place != "focus" and bool(self.x or self.y)


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of an option; ``text`` is all of it, for messages."""

    values: tuple[str, ...]
    text: str

    def given(self, at: int) -> bool:
        """Whether there is an argument, and it is not empty."""
        return at < len(self.values) and self.values[at] != ""

    def word(self, at: int) -> str:
        """Return an argument as it is; "" for one that was left out."""
        return self.values[at] if at < len(self.values) else ""

    def number(self, at: int, low: float, high: float) -> float:
        """Return an argument from ``low`` to ``high``."""
        text = self.word(at)
        if not _NUMBER.fullmatch(text) or not low <= float(text) <= high:
            raise refuse(self.text, f"argument {at + 1} must be a number from {low:,} to {high:,}")
        return float(text) if "." in text else int(text)

    def whole(self, at: int, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``."""
        number = self.number(at, low, high)
        if number != int(number):
            raise refuse(self.text, f"argument {at + 1} must be a whole number")
        return int(number)

    def flag(self, at: int) -> bool:
        """Whether an argument says true."""
        return self.word(at).lower() in _TRUE

    def hex(self, at: int) -> str:
        """Return a colour."""
        return color(self.word(at), self.text)

    def decoded(self, at: int) -> str:
        """Return a text that was written in URL-safe base64."""
        return decode(self.word(at), self.text)

    def rest(self, first: int) -> "Arguments":
        """Return the arguments from one on."""
        return Arguments(self.values[first:], self.text)

    def compass(self, at: int) -> str:
        """Return a point of the compass."""
        if self.word(at) not in _COMPASS:
            raise refuse(self.text, f"{self.word(at)[:20]!r} is none of {', '.join(_COMPASS)}")
        return _COMPASS[self.word(at)]

    def gravity(self) -> Gravity:
        """Read ``type:x:y``."""
        kind = self.word(0)
        if kind == "sm":
            return Gravity("smart")
        if kind == "obj" and self.values[1:] == ("face",):
            return Gravity("face")
        if kind in {"obj", "objw"}:
            raise refuse(self.text, "faces are all that is looked for here", "obj:face or sm")
        if kind == "fp":
            return Gravity("focus", self.number(1, 0, 1), self.number(2, 0, 1))
        x, y = (self.number(at, -(10**6), 10**6) if self.given(at) else 0 for at in (1, 2))
        return Gravity(self.compass(0), x, y)


def decode(text: str, option: str) -> str:
    """Return what was written in URL-safe base64, with padding or without."""
    bare = text.rstrip("=")
    try:
        raw = base64.b64decode(bare + "=" * (-len(bare) % 4), b"-_", validate=True)
        return raw.decode()
    except (binascii.Error, ValueError):
        raise refuse(option, "this is not URL-safe base64 of a text in UTF-8") from None
