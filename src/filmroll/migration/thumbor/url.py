"""thumbor's URLs: ``/<signature>/trim/AxB:CxD/fit-in/-ExF/left/top/smart/filters:…/<image>``.

Every part but the signature and the image may be missing; their order is fixed. The parts stay
percent-encoded until they are told apart, as the signature is over the path as it was sent.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from filmroll.errors import InvalidRequest
from filmroll.migration.refusal import refuse

UNSIGNED = "unsafe"

_PARTS = re.compile(
    r"(?:(?P<debug>debug)/)?"
    r"(?:(?P<meta>meta)/)?"
    r"(?:trim(?::(?P<trim_corner>top-left|bottom-right))?(?::(?P<trim_tolerance>\d+))?(?P<trim>/))?"
    r"(?:(?P<left>\d+)x(?P<top>\d+):(?P<right>\d+)x(?P<bottom>\d+)/)?"
    r"(?:(?P<adaptive>adaptive-)?(?P<full>full-)?(?P<fit_in>fit-in)/)?"
    r"(?:(?P<flip_x>-)?(?P<width>\d+|orig)?x(?P<flip_y>-)?(?P<height>\d+|orig)?/)?"
    r"(?:(?P<across>left|right|center)/)?"
    r"(?:(?P<down>top|bottom|middle)/)?"
    r"(?:(?P<smart>smart)/)?"
    r"(?:filters:(?P<filters>.+?\))/)?"
    r"(?P<image>.+)"
)
_BETWEEN_FILTERS = re.compile(r"(?<=\)):")
_FILTER = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\)", re.DOTALL)
_NUMBER = re.compile(r"-?(\d{1,9}(\.\d{0,9})?|\.\d{1,9})", re.ASCII)
_LONGEST_NUMBER = 9  # digits; no length has more


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """One filter; ``text`` is what was written."""

    name: str
    arguments: tuple[str, ...]
    text: str

    def argument(self, at: int) -> str:
        """Return an argument; "" for one that was left out."""
        return self.arguments[at] if at < len(self.arguments) else ""

    def number(self, at: int, low: float, high: float, otherwise: float | None = None) -> float:
        """Return an argument from ``low`` to ``high``; ``otherwise`` for one left out."""
        text = self.argument(at)
        if text == "" and otherwise is not None:
            return otherwise
        if not _NUMBER.fullmatch(text) or not low <= float(text) <= high:
            raise refuse(self.text, f"argument {at + 1} must be a number from {low:,} to {high:,}")
        return int(text) if text.lstrip("-").isdigit() else float(text)

    def flag(self, at: int) -> bool:
        """Whether an argument says true."""
        return self.argument(at).lower() in {"true", "1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What stands in a URL. Lengths in pixels; a width or height of 0 follows from the other."""

    image: str
    trim: str | None = None  # the corner whose colour is trimmed
    tolerance: int = 0  # distance of colours, 0 to 442
    crop: tuple[int, int, int, int] | None = None  # left, top, right, bottom
    fit_in: bool = False
    full: bool = False
    adaptive: bool = False
    width: int | str = 0  # or "orig"
    height: int | str = 0
    flip_x: bool = False
    flip_y: bool = False
    across: str = "center"
    down: str = "middle"
    smart: bool = False
    filters: tuple[Filter, ...] = ()


def parse(path: str) -> Request:
    """Read what follows the signature; raise InvalidRequest or Untranslatable.

    A query belongs to the image, as it is: it goes to the server that the image is fetched from.
    """
    path, mark, query = path.partition("?")
    # Browsers and proxies write parentheses in either way; they belong to the grammar.
    parts = _PARTS.fullmatch(path.replace("%28", "(").replace("%29", ")"))
    if parts is None:
        raise InvalidRequest("Write thumbor's options, and the image behind them.")
    if parts["meta"] or parts["debug"]:
        raise refuse(parts["meta"] or parts["debug"], "pictures are all that is served here")
    sides = [parts[side] for side in ("left", "top", "right", "bottom")]
    return Request(
        image=unquote(parts["image"]) + mark + query,
        trim=(parts["trim_corner"] or "top-left") if parts["trim"] else None,
        tolerance=_pixels(parts["trim_tolerance"]),
        crop=_corners([_pixels(side) for side in sides]),
        fit_in=parts["fit_in"] is not None,
        full=parts["full"] is not None,
        adaptive=parts["adaptive"] is not None,
        width=_length(parts["width"]),
        height=_length(parts["height"]),
        flip_x=parts["flip_x"] is not None,
        flip_y=parts["flip_y"] is not None,
        across=parts["across"] or "center",
        down=parts["down"] or "middle",
        smart=parts["smart"] is not None,
        filters=tuple(map(_filter, _filters(parts["filters"]))),
    )


def _corners(sides: list[int]) -> tuple[int, int, int, int] | None:
    left, top, right, bottom = sides
    return (left, top, right, bottom) if any(sides) else None


def _length(text: str | None) -> int | str:
    return text if text == "orig" else _pixels(text)


def _pixels(text: str | None) -> int:
    if text and len(text) > _LONGEST_NUMBER:
        raise InvalidRequest(f"{text[:20]}… is no length.")
    return int(text or 0)


def _filters(text: str | None) -> list[str]:
    return _BETWEEN_FILTERS.split(unquote(text)) if text else []


def _filter(text: str) -> Filter:
    match = _FILTER.fullmatch(text)
    if match is None:
        raise InvalidRequest(f"Write a filter as name(arguments), not {text[:40]!r}.")
    arguments = match["arguments"].strip()
    split = tuple(part.strip().strip("'") for part in arguments.split(",")) if arguments else ()
    return Filter(name=match["name"], arguments=split, text=text)
