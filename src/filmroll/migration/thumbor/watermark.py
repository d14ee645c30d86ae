"""``filters:watermark(image,x,y,alpha,width,height)``: a mark at a corner, the middle, or all over.

thumbor's alpha is transparency: 0 covers, 100 cannot be seen.
"""

import re
from typing import Any

from filmroll.migration.plan import Plan
from filmroll.migration.refusal import refuse
from filmroll.migration.thumbor.url import Filter

_PLACE = re.compile(r"(?P<minus>-?)(?P<number>\d{1,6})(?P<percent>p?)|(?P<word>center|repeat)")
_ROWS = {"": "n", "-": "s", "center": ""}
_COLUMNS = {"": "w", "-": "e", "center": ""}


def apply(plan: Plan, one: Filter) -> None:
    """Add the watermark; refuse a place that Filmroll cannot put it to."""
    image = plan.mark(one.argument(0)).id
    keys = _placed(plan, one) | _scaled(one)
    opacity = round(1 - one.number(3, 0, 100, 0) / 100, 2)
    plan.add("watermark", image=image, opacity=opacity, **keys)


def _placed(plan: Plan, one: Filter) -> dict[str, Any]:
    x, y = (_PLACE.fullmatch(one.argument(at) or "0") for at in (1, 2))
    if x is None or y is None:
        raise refuse(one.text, "a place is a number of pixels, a number and p, center or repeat")
    if "repeat" in {x["word"], y["word"]}:
        if x["word"] != y["word"]:
            raise refuse(one.text, "a mark is repeated both ways, or not at all", "repeat,repeat")
        return {"tile": True, "margin": 0}
    row, column = _ROWS[y["word"] or y["minus"]], _COLUMNS[x["word"] or x["minus"]]
    margins = {
        _pixels(plan, one, place, axis) for axis, place in enumerate((x, y)) if not place["word"]
    }
    if len(margins) > 1:
        raise refuse(
            one.text, "a mark is as far from one edge as from the other here", "x equal to y"
        )
    return {"position": row + column or "center", "margin": max(margins, default=0) or None}


def _pixels(plan: Plan, one: Filter, place: re.Match[str], axis: int) -> int:
    """Return a distance in pixels; ``axis`` is 0 for a part of the width, 1 of the height."""
    number = int(place["number"])
    if not place["percent"]:
        return number
    size = plan.known_size(one.text)
    return round(number * (size.width, size.height)[axis] / 100)


def _scaled(one: Filter) -> dict[str, Any]:
    width, height = (one.argument(at) or "none" for at in (4, 5))
    if height not in {"none", "0"}:
        raise refuse(one.text, "a mark's height follows from its width here", "the width alone")
    if width in {"none", "0"}:
        return {}
    return {"scale": one.number(4, 1, 100) / 100}
