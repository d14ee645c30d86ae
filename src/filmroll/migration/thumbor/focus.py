"""``filters:focal(AxB:CxD)``: rectangles that a crop must keep, as one point between them."""

import re
from dataclasses import dataclass

from filmroll.migration.refusal import refuse
from filmroll.migration.thumbor.url import Request

_RECTANGLE = re.compile(r"(\d{1,9})x(\d{1,9}):(\d{1,9})x(\d{1,9})")
_DIGITS = 4  # of a part: a pixel in ten thousand


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a picture, in pixels."""

    x: float
    y: float

    def moved(self, left: int, top: int) -> "Point":
        """Return it as seen from another corner."""
        return Point(self.x - left, self.y - top)


def focus(request: Request) -> Point | None:
    """Return the middle of the rectangles inside the crop, large ones counting more."""
    rectangles = [_rectangle(one.text) for one in request.filters if one.name == "focal"]
    middles = [
        (Point((left + right) // 2, (top + bottom) // 2), (right - left) * (bottom - top))
        for left, top, right, bottom in rectangles
    ]
    weighed = [(point, weight) for point, weight in middles if weight and _inside(point, request)]
    total = sum(weight for _, weight in weighed)
    if not total:
        return None
    x = sum(point.x * weight for point, weight in weighed) / total
    y = sum(point.y * weight for point, weight in weighed) / total
    return Point(x, y)


def part(place: float, length: int) -> float:
    """Return where a place lies on a length, 0 to 1."""
    return round(min(max(place / length, 0), 1), _DIGITS)


def _rectangle(text: str) -> tuple[int, int, int, int]:
    match = _RECTANGLE.search(text)
    if match is None:
        raise refuse(text, "a focal point is written focal(leftxtop:rightxbottom)")
    left, top, right, bottom = map(int, match.groups())
    return left, top, right, bottom


def _inside(point: Point, request: Request) -> bool:
    if request.crop is None:
        return True
    left, top, right, bottom = request.crop
    return left <= point.x <= right and top <= point.y <= bottom
