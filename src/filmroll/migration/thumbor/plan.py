"""What a URL of thumbor's comes to: trim, crop, resize, flip, then the filters as they stand."""

from typing import Any

from filmroll.geometry import Size
from filmroll.instructions import Instructions
from filmroll.migration.plan import Plan
from filmroll.migration.refusal import refuse
from filmroll.migration.thumbor import filters
from filmroll.migration.thumbor.focus import Point, focus, part
from filmroll.migration.thumbor.url import Request

_COMPASS = {
    ("top", "left"): "nw",
    ("top", "center"): "n",
    ("top", "right"): "ne",
    ("middle", "left"): "w",
    ("middle", "center"): None,
    ("middle", "right"): "e",
    ("bottom", "left"): "sw",
    ("bottom", "center"): "s",
    ("bottom", "right"): "se",
}
_MOST_DISTANCE = 442  # the distance of black and white: 255 in each of three channels


def instructions(request: Request, plan: Plan) -> Instructions:
    """Return Filmroll's instructions, written into an empty plan.

    Raises Untranslatable, UnknownSource for a watermark, TooManyPixels.
    """
    _trim(plan, request)
    left, top = _crop(plan, request)
    box = _box(plan, request)
    canvas = filters.Canvas(0, 0)
    if request.fit_in:
        canvas = _fit(plan, request, box)
    elif any(box):
        point = focus(request)
        _fill(plan, request, box, point.moved(left, top) if point else None)
    if request.flip_x:
        plan.add("flip", axis="x")
    if request.flip_y:
        plan.add("flip", axis="y")
    for one in request.filters:
        filters.apply(plan, one, canvas)
    return plan.instructions()


def _has(request: Request, name: str) -> bool:
    return any(one.name == name for one in request.filters)


def _trim(plan: Plan, request: Request) -> None:
    if request.trim is None:
        return
    if request.crop:
        why = "its corners are those of the picture before it was trimmed, which are lost then"
        raise refuse("trim with AxB:CxD", why, "one of both")
    threshold = round(min(255 * request.tolerance / _MOST_DISTANCE, 255))
    turns = request.trim == "bottom-right"  # Filmroll looks at the corner that is top left
    if turns:
        plan.add("rotate", angle=180)
    plan.add("trim", threshold=threshold)
    if turns:
        plan.add("rotate", angle=180)


def _crop(plan: Plan, request: Request) -> tuple[int, int]:
    """Cut the rectangle out, as far as it lies inside; return its left top corner."""
    if request.crop is None:
        return 0, 0
    left, top, right, bottom = request.crop
    if size := plan.size:
        left, right = min(left, size.width), min(right, size.width)
        top, bottom = min(top, size.height), min(bottom, size.height)
    if left >= right or top >= bottom:  # thumbor does nothing then
        return 0, 0
    plan.add("crop", width=right - left, height=bottom - top, x=left, y=top)
    return left, top


def _box(plan: Plan, request: Request) -> tuple[int, int]:
    """Return the box to resize to; 0 where the other side decides."""
    width, height = request.width, request.height
    if "orig" in {width, height}:
        size = plan.known_size("orig")
        width = size.width if width == "orig" else width
        height = size.height if height == "orig" else height
    box = int(width), int(height)
    if plan.header and _has(request, "no_upscale"):  # it looks at the picture before the crop
        return min(box[0], plan.header.width), min(box[1], plan.header.height)
    return box


def _fit(plan: Plan, request: Request, box: tuple[int, int]) -> filters.Canvas:
    """Bring the picture into the box, or over it with nothing cut away; return what to fill."""
    width, height = box
    if request.adaptive and width and height:
        width, height = _adapted(plan.known_size("adaptive-fit-in"), width, height)
    canvas = filters.Canvas(0, 0) if request.full else filters.Canvas(width, height)
    if request.full and width and height:
        size = plan.known_size("full-fit-in")
        across = size.width / width <= size.height / height
        width, height = (width, 0) if across else (0, height)
    enlarge = request.full or _has(request, "upscale")
    if width or height:
        plan.add("resize", **_sides(width, height), enlarge=enlarge or None)
    return canvas


def _adapted(size: Size, width: int, height: int) -> tuple[int, int]:
    """Turn the box where it stands and the picture lies, or the other way round."""
    turned = (size.width - size.height) * (width - height) < 0
    return (height, width) if turned else (width, height)


def _fill(plan: Plan, request: Request, box: tuple[int, int], point: Point | None) -> None:
    """Fill the box and cut away what stands out; a small picture grows."""
    grows = plan.header is not None or not _has(request, "no_upscale")
    keys = _sides(*box) | {"enlarge": grows or None}
    if not all(box):
        plan.add("resize", **keys)
    elif _has(request, "stretch"):
        plan.add("resize", fit="fill", **keys)
    else:
        plan.add("resize", fit="cover", **keys, **_gravity(plan, request, point))


def _sides(width: int, height: int) -> dict[str, Any]:
    return {"width": width or None, "height": height or None}


def _gravity(plan: Plan, request: Request, point: Point | None) -> dict[str, Any]:
    if point is not None:
        size = plan.known_size("focal")
        return {"focus_x": part(point.x, size.width), "focus_y": part(point.y, size.height)}
    if request.smart:
        return {"gravity": "smart"}
    return {"gravity": _COMPASS[request.down, request.across]}
