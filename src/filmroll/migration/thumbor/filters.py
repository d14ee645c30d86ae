"""thumbor's filters, one function each: what they come to in a plan."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from filmroll.migration.colors import color
from filmroll.migration.plan import Plan
from filmroll.migration.refusal import refuse
from filmroll.migration.thumbor import watermark
from filmroll.migration.thumbor.url import Filter

_FORMATS = {"jpeg": "jpeg", "jpg": "jpeg"} | {name: name for name in ("png", "webp", "avif", "gif")}
_MOST_QUALITY = 100
_LARGEST_BLUR = 150  # px, of thumbor's kernel
_RADIUS = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Canvas:
    """The sheet that ``fill`` fills: only where a picture was fitted in, and of both sides."""

    width: int
    height: int

    @property
    def whole(self) -> bool:
        """Whether there is one."""
        return bool(self.width and self.height)


def apply(plan: Plan, one: Filter, canvas: Canvas) -> None:
    """Add what a filter does; raise Untranslatable for one that has no counterpart."""
    if one.name in _ELSEWHERE:
        return
    if one.name in _WITHOUT:
        raise refuse(one.text, "this filter has no counterpart here", _WITHOUT[one.name])
    if one.name == "fill":
        _fill(plan, one, canvas)
    elif one.name in _FILTERS:
        _FILTERS[one.name](plan, one)
    else:
        raise refuse(one.text, "there is no such filter")


def _fill(plan: Plan, one: Filter, canvas: Canvas) -> None:
    if one.argument(0) in {"auto", "blur"}:
        raise refuse(
            one.text, "a colour that follows from the picture has no counterpart", "a colour"
        )
    background = color(one.argument(0), one.text)
    if not canvas.whole:
        if one.flag(1):
            plan.put_behind(background)
        return
    sheet = {"fit": "pad", "background": background}
    if not plan.extend_last({"resize"}, **sheet):
        plan.add("resize", width=canvas.width, height=canvas.height, **sheet)


def _format(plan: Plan, one: Filter) -> None:
    name = one.argument(0).lower()
    if name not in _FORMATS:
        raise refuse(one.text, "this format is not written here", ", ".join(sorted(_FORMATS)))
    plan.write(format=_FORMATS[name])


def _quality(plan: Plan, one: Filter) -> None:
    plan.write(quality=int(one.number(0, 1, _MOST_QUALITY)))


def _max_bytes(plan: Plan, one: Filter) -> None:
    plan.write(max_bytes=int(one.number(0, 1, 10**9)))


def _blur(plan: Plan, one: Filter) -> None:
    radius = one.number(0, 1, 10**6)
    sigma = one.number(1, 0, 10**6, 0) or radius
    plan.add("blur", sigma=_width_of(sigma, min(int(radius), _LARGEST_BLUR)))


def _width_of(sigma: float, radius: int) -> float:
    """Return the deviation of a bell that is cut off at ``radius``: less than its sigma."""
    weights = {x: math.exp(-x * x / (2 * sigma * sigma)) for x in range(-radius, radius + 1)}
    variance = sum(x * x * weight for x, weight in weights.items()) / sum(weights.values())
    return round(math.sqrt(variance), 2)


def _sharpen(plan: Plan, one: Filter) -> None:
    if one.number(0, -1000, 1000) > 0:
        plan.add("sharpen", sigma=one.number(1, 0, 10**6) or None)


def _brightness(plan: Plan, one: Filter) -> None:
    plan.brighten(one.number(0, -100, 100) / 100)


def _contrast(plan: Plan, one: Filter) -> None:
    amount = one.number(0, -100, 100)
    if amount:
        plan.add("adjust", contrast=round(((100 + amount) / 100) ** 2, 4))


def _saturation(plan: Plan, one: Filter) -> None:
    factor = one.number(0, 0, 1000)
    if factor != 1:
        plan.add("adjust", saturation=factor)


def _grayscale(plan: Plan, _: Filter) -> None:
    plan.add("grayscale")


def _rotate(plan: Plan, one: Filter) -> None:
    angle = -one.number(0, -(10**6), 10**6) % 360  # thumbor turns the other way
    if angle % 90 == 0 and angle:  # and does nothing at all for other angles
        plan.add("rotate", angle=angle)


def _round_corner(plan: Plan, one: Filter) -> None:
    across, _, down = one.argument(0).partition("|")
    if not _RADIUS.fullmatch(across):
        raise refuse(one.text, "the radius is a number of pixels")
    if down and down != across:
        raise refuse(one.text, "corners are round here, not elliptic", "one radius")
    red, green, blue = (int(one.number(at, 0, 255, 255)) for at in (1, 2, 3))
    background = None if one.flag(4) else f"{red:02x}{green:02x}{blue:02x}"
    if int(across):
        plan.add("round", radius=int(across), background=background)


def _background_color(plan: Plan, one: Filter) -> None:
    plan.put_behind(color(one.argument(0), one.text))


def _proportion(plan: Plan, one: Filter) -> None:
    part = one.number(0, -(10**6), 10**6)
    if not 0 < part < 1:
        return
    size = plan.known_size(one.text)
    width, height = int(size.width * part), int(size.height * part)
    if width and height:
        plan.add("resize", width=width, height=height, fit="fill")


_FILTERS: Mapping[str, Callable[[Plan, Filter], None]] = {
    "background_color": _background_color,
    "blur": _blur,
    "brightness": _brightness,
    "contrast": _contrast,
    "format": _format,
    "grayscale": _grayscale,
    "max_bytes": _max_bytes,
    "proportion": _proportion,
    "quality": _quality,
    "rotate": _rotate,
    "round_corner": _round_corner,
    "saturation": _saturation,
    "sharpen": _sharpen,
    "watermark": watermark.apply,
}
# Looked at with the box, or the rule here anyway: no metadata, sRGB, one lifetime for all.
_ELSEWHERE = {"focal", "no_upscale", "stretch", "upscale", "strip_exif", "strip_icc", "max_age"}
_WITHOUT = {
    "autojpg": "format(jpeg)",
    "colorize": "",
    "convolution": "blur or sharpen",
    "cover": "format(jpeg), which takes the first frame",
    "curve": "brightness and contrast",
    "distributed_collage": "",
    "equalize": "contrast",
    "extract_focal": "focal with the rectangle",
    "frame": "",
    "gifv": "format(webp), which keeps an animation",
    "noise": "",
    "red_eye": "",
    "rgb": "brightness",
}
