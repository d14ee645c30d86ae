"""A plan: Filmroll's operations, found one after the other."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from filmroll.errors import InvalidInstructions, Untranslatable
from filmroll.geometry import Size, size_after
from filmroll.instructions import MAX_SIDE, Instructions, parse_json
from filmroll.migration.refusal import refuse
from filmroll.model import Header

# The size of a picture after these depends on what it shows.
_UNFORESEEN = {"trim"}
_LARGEST_SHIFT = 0.4  # factors are at most 10, that of 0.45
# These put their background behind all of the picture.
_COVERING = {"resize", "pad"}


@dataclass(frozen=True, slots=True)
class Overlay:
    """An image that is laid over the picture; ``size`` is None where nobody has looked at it."""

    id: str
    size: Size | None = None


Mark = Callable[[str], Overlay]  # from a source as it is written


class Plan:
    """Operations in their order, and how the picture is written in the end.

    The other servers' options often mean something else for a small picture than for a large one:
    then a plan needs the picture's header.
    """

    def __init__(self, header: Header | None, mark: Mark) -> None:
        """``mark`` finds the image of a watermark, or raises UnknownSource."""
        self.header = header
        self.mark = mark
        self._operations: list[dict[str, Any]] = []
        self._output: dict[str, Any] = {}

    def add(self, op: str, **keys: Any) -> None:
        """Append an operation; keys that are None are left out."""
        self._operations.append({"op": op} | _given(keys))

    def extend_last(self, ops: Collection[str], **keys: Any) -> bool:
        """Give the last operation more keys; False if it is none of ``ops`` or has one of them."""
        last = self._operations[-1] if self._operations else {"op": None}
        if last["op"] not in ops or any(key in last for key in keys):
            return False
        self._operations[-1] = last | _given(keys)
        return True

    def put_behind(self, background: str) -> None:
        """Put a colour behind the picture's transparent parts."""
        if not self.extend_last(_COVERING, background=background):
            self.add("resize", width=MAX_SIDE, background=background)  # changes no size

    def brighten(self, part: float) -> None:
        """Add a part of white to every colour, -1 to 1: Filmroll's own brightness is a factor.

        A contrast that is smaller by as much as the brightness is larger leaves nothing but a
        shift. One step can only shift so far up; several of them cut off what one would.
        """
        steps = max(1, math.ceil(part / _LARGEST_SHIFT))
        contrast = 1 - 2 * part / steps
        for _ in range(steps if part else 0):
            self.add("adjust", brightness=round(1 / contrast, 4), contrast=round(contrast, 4))

    def write(self, **keys: Any) -> None:
        """Say how the picture is written; what is said last holds."""
        self._output |= keys

    @property
    def size(self) -> Size | None:
        """The size that the picture has after what is planned so far; None if it is unknown."""
        if self.header is None or any(one["op"] in _UNFORESEEN for one in self._operations):
            return None
        before = Size(self.header.width, self.header.height)
        return size_after(_read(self._operations), before) if self._operations else before

    def known_size(self, option: str) -> Size:
        """Return the size; refuse the option if it is unknown."""
        size = self.size
        if size is None:
            raise unknown_size(option)
        return size

    def instructions(self) -> Instructions:
        """Return what was planned; a picture that nothing is done to is written anew.

        Raises Untranslatable for what is out of bounds here.
        """
        if self._output or not self._operations:
            return _read([*self._operations, {"op": "output"} | self._output])
        return _read(self._operations)


def unknown_size(option: str) -> Untranslatable:
    """Return the error for what depends on a size that is not known."""
    why = "what it comes to depends on the picture's size, which is not known at this point"
    return refuse(option, why)


def _read(operations: list[dict[str, Any]]) -> Instructions:
    try:
        return parse_json(operations)
    except InvalidInstructions as fault:  # its pointer is into what the client never wrote
        raise Untranslatable(fault.detail, option=fault.detail.partition(":")[0]) from fault


def _given(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}
