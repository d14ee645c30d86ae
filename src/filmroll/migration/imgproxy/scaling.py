"""How imgproxy comes to a size: by shrink factors, 2 for half the length."""

from dataclasses import dataclass

from filmroll.geometry import Size
from filmroll.migration.imgproxy.arguments import Gravity
from filmroll.migration.imgproxy.options import Options


@dataclass(frozen=True, slots=True)
class Scaled:
    """The picture's size after scaling, what is cut out of it then, and the dpr that came to."""

    size: Size
    final: Size
    dpr: float


def kind_of(options: Options, size: Size) -> str:
    """Return the resizing type that ``auto`` stands for with a picture of this size."""
    if options.resizing_type != "auto":
        return options.resizing_type
    width, height = options.width or size.width, options.height or size.height
    return "fill" if (size.width >= size.height) == (width >= height) else "fit"


def scaled(options: Options, size: Size) -> Scaled:
    """Return what the resizing options make of a picture."""
    across, down = _shrinks(options, size)
    across, down = across / options.zoom[0], down / options.zoom[1]
    dpr = options.dpr
    if not options.enlarge:
        least = min(across, down)
        if least < 1:
            across, down = across / least, down / least
            dpr = dpr if options.extend else dpr / least
        dpr = min(dpr, across, down)
    if options.min_width and size.width / options.min_width < across:
        across, down = (
            size.width / options.min_width,
            down * size.width / options.min_width / across,
        )
    if options.min_height and size.height / options.min_height < down:
        across, down = (
            across * size.height / options.min_height / down,
            size.height / options.min_height,
        )
    made = Size(
        max(1, round(size.width / across * dpr)),
        max(1, round(size.height / down * dpr)),
    )
    return Scaled(made, _final(options, size, made, dpr), dpr)


def position(size: Size, inner: Size, gravity: Gravity, dpr: float) -> tuple[int, int]:
    """Return x and y of what is cut out beside a point of the compass, inside the picture."""
    x = round(gravity.x * (dpr if abs(gravity.x) >= 1 else size.width))
    y = round(gravity.y * (dpr if abs(gravity.y) >= 1 else size.height))
    free = Size(size.width - inner.width, size.height - inner.height)
    left, top = (free.width + 1) // 2 + x, (free.height + 1) // 2 + y
    if "e" in gravity.place.removeprefix("center"):
        left = free.width - x
    elif "w" in gravity.place:
        left = x
    if gravity.place.startswith("s"):
        top = free.height - y
    elif gravity.place.startswith("n"):
        top = y
    return min(max(left, 0), free.width), min(max(top, 0), free.height)


def _shrinks(options: Options, size: Size) -> tuple[float, float]:
    across = size.width / (options.width or size.width)
    down = size.height / (options.height or size.height)
    kind = kind_of(options, size)
    if kind == "force":
        return across, down
    if not options.width or not options.height:
        one = across if options.width else down
    else:
        one = max(across, down) if kind == "fit" else min(across, down)
    return one, one


def _final(options: Options, size: Size, made: Size, dpr: float) -> Size:
    """Return the size that is left of the scaled picture."""
    width = round(options.width * dpr * options.zoom[0]) or made.width
    height = round(options.height * dpr * options.zoom[1]) or made.height
    if kind_of(options, size) == "fill-down" and options.width and options.height:
        too_wide, too_high = width / made.width, height / made.height
        if too_wide > max(too_high, 1):
            width, height = made.width, round(made.width * height / width)
        elif too_high > max(too_wide, 1):
            width, height = round(made.height * width / height), made.height
    return Size(max(1, min(width, made.width)), max(1, min(height, made.height)))
