"""What imgproxy's options come to, in the order of its pipeline, whatever theirs.

Trim, turn, crop, resize, crop to the size, filters, extend, pad, background, watermark.
"""

from typing import Any

from filmroll.geometry import Size
from filmroll.instructions import Instructions
from filmroll.migration.imgproxy.arguments import Gravity
from filmroll.migration.imgproxy.options import Mark, Options
from filmroll.migration.imgproxy.scaling import Scaled, kind_of, position, scaled
from filmroll.migration.plan import Overlay, Plan, unknown_size
from filmroll.migration.refusal import refuse

_DIGITS = 6  # of a part: enough for every pixel of the widest picture


def instructions(options: Options, plan: Plan) -> Instructions | None:
    """Return Filmroll's instructions; None for the original as it is.

    Raises Untranslatable, UnknownSource for a watermark, TooManyPixels.
    """
    if options.raw or _skipped(options, plan):
        return None
    if options.trim is not None:
        threshold, colour = options.trim
        plan.add("trim", threshold=threshold, background=colour)
    _turn(options, plan)
    _crop(options, plan)
    dpr = _resize(options, plan)
    _filter(options, plan)
    _extend(options, plan, dpr)
    if any(options.padding):
        sides = (_pixels(side, dpr, "padding") for side in options.padding)
        plan.add("pad", **dict(zip(("top", "right", "bottom", "left"), sides, strict=True)))
    if options.background is not None:
        plan.put_behind(options.background)
    if options.watermark is not None and options.watermark.opacity:
        _watermark(options, options.watermark, plan, dpr)
    _write(options, plan)
    return plan.instructions()


def _skipped(options: Options, plan: Plan) -> bool:
    if not options.skip_processing:
        return False
    if plan.header is None:
        raise refuse(
            "skip_processing", "it depends on the source's format, which is not known here"
        )
    format_ = plan.header.format
    return format_ in options.skip_processing and options.format in {"", format_}


def _turn(options: Options, plan: Plan) -> None:
    if options.rotate:
        plan.add("rotate", angle=options.rotate)
    for turned, axis in zip(options.flip, "xy", strict=True):
        if turned:
            plan.add("flip", axis=axis)


def _crop(options: Options, plan: Plan) -> None:
    cut = options.crop
    if cut is None or not (cut.width or cut.height):
        return
    gravity = cut.gravity or options.gravity
    lengths = [length for length in (cut.width, cut.height) if length]
    size = plan.size
    if size is None and all(length < 1 for length in lengths) and not gravity.moved:
        keys = {"width": cut.width or None, "height": cut.height or None, "unit": "ratio"}
        plan.add("crop", **keys, **_towards(gravity))
    elif size is None and all(length >= 1 for length in lengths) and not gravity.moved:
        keys = {"width": int(cut.width) or None, "height": int(cut.height) or None}
        plan.add("crop", **keys, **_towards(gravity))
    else:
        size = plan.known_size("crop")
        inner = Size(_length(cut.width, size.width), _length(cut.height, size.height))
        _cut_out(plan, inner, gravity, 1)


def _length(wanted: float, whole: int) -> int:
    if not wanted:
        return whole
    return min(int(wanted) if wanted >= 1 else max(1, round(wanted * whole)), whole)


def _cut_out(plan: Plan, inner: Size, gravity: Gravity, dpr: float) -> None:
    size = plan.known_size("crop")
    if inner == size:
        return
    keys = _towards(gravity)
    if gravity.moved:
        x, y = position(size, inner, gravity, dpr)
        keys = {"x": x, "y": y}
    plan.add("crop", width=inner.width, height=inner.height, **keys)


def _towards(gravity: Gravity) -> dict[str, Any]:
    if gravity.place == "focus":
        return {"focus_x": gravity.x, "focus_y": gravity.y}
    return {"gravity": None if gravity.place == "center" else gravity.place}


def _resize(options: Options, plan: Plan) -> float | None:
    """Scale, and cut to the size; return how many pixels became of one, None if it is unknown."""
    size = plan.size
    made = scaled(options, size) if size else None
    if made and size and made.size == made.final == size:
        return made.dpr
    if _is_simple(options, size, made):
        _resize_simply(options, plan, kind_of(options, size) if size else options.resizing_type)
        if made is None:  # a small picture gets less than the dpr that was asked for
            return options.dpr if options.dpr == 1 or options.enlarge else None
        return made.dpr
    size = plan.known_size("resize")
    made = scaled(options, size)
    if made.size != size:
        keys = {"width": made.size.width, "height": made.size.height, "fit": "fill"}
        plan.add("resize", **keys, enlarge=True)
    _cut_out(plan, made.final, options.gravity, made.dpr)
    return made.dpr


def _is_simple(options: Options, size: Size | None, made: Scaled | None) -> bool:
    """Whether one resize of Filmroll's does the same, as it mostly does."""
    if options.zoom != (1.0, 1.0) or options.min_width or options.min_height:
        return False
    if options.extend is not None and options.dpr < 1:  # it shrinks a small picture even more then
        return False
    if not (options.width or options.height):
        return size is None and options.dpr == 1
    kind = kind_of(options, size) if size else options.resizing_type
    if kind == "auto" or (kind == "force" and not (options.width and options.height)):
        return False
    if not (options.width and options.height) or kind == "fit":
        return True
    if options.gravity.moved:
        return False
    wanted = Size(round(options.width * options.dpr), round(options.height * options.dpr))
    return made is None or made.final == wanted or kind == "fill-down"


def _resize_simply(options: Options, plan: Plan, kind: str) -> None:
    if not (options.width or options.height):
        return
    both = options.width and options.height
    fit = {"fill": "cover", "fill-down": "cover", "force": "fill"}.get(kind) if both else None
    plan.add(
        "resize",
        width=options.width or None,
        height=options.height or None,
        fit=fit,
        enlarge=options.enlarge or None,
        dpr=None if options.dpr == 1 else options.dpr,
        **(_towards(options.gravity) if fit == "cover" else {}),
    )


def _filter(options: Options, plan: Plan) -> None:
    plan.brighten(options.brightness / 255)
    colours = {"contrast": options.contrast, "saturation": options.saturation}
    changed = {key: value for key, value in colours.items() if value != 1}
    if changed:
        plan.add("adjust", **changed)
    if options.blur:
        plan.add("blur", sigma=options.blur)
    if options.sharpen:
        plan.add("sharpen", sigma=options.sharpen)
    if options.pixelate > 1:
        plan.add("pixelate", size=options.pixelate)


def _pixels(length: float, dpr: float | None, option: str) -> int:
    """Return a length in pixels of the picture that is made."""
    if dpr is None:
        raise unknown_size(option)
    return round(length * dpr)


def _extend(options: Options, plan: Plan, dpr: float | None) -> None:
    if options.extend is not None and (options.width or options.height):
        sheet = _sheet(options, plan, dpr)
        plain = options.dpr == 1 and options.width and options.height and options.zoom == (1.0, 1.0)
        keys = {"fit": "pad"} | _towards(options.extend)
        if not (plain and plan.extend_last({"resize"}, **keys)):
            _lay_on(plan, sheet, options.extend)
    if options.extend_ratio is not None and options.width and options.height:
        size, ratio = plan.known_size("extend_aspect_ratio"), options.width / options.height
        sheet = Size(max(size.width, round(size.height * ratio)), size.height)
        if size.width > size.height * ratio:
            sheet = Size(size.width, max(size.height, round(size.width / ratio)))
        _lay_on(plan, sheet, options.extend_ratio)


def _sheet(options: Options, plan: Plan, dpr: float | None) -> Size:
    """Return the size that ``extend`` makes up to; a side that was not asked for stays."""
    width = _pixels(options.width * options.zoom[0], dpr, "extend")
    height = _pixels(options.height * options.zoom[1], dpr, "extend")
    if width and height:
        return Size(width, height)
    size = plan.known_size("extend")
    return Size(width or size.width, height or size.height)


def _lay_on(plan: Plan, sheet: Size, gravity: Gravity) -> None:
    size = plan.size
    if size is not None:
        sheet = Size(max(sheet.width, size.width), max(sheet.height, size.height))
    if sheet != size:
        keys = {"width": sheet.width, "height": sheet.height, "fit": "pad"}
        plan.add("resize", **keys, **_towards(gravity))


def _watermark(options: Options, mark: Mark, plan: Plan, dpr: float | None) -> None:
    keys: dict[str, Any] = {"opacity": mark.opacity}
    if options.watermark_text is not None:  # its shape shows when it is set: the width decides
        keys |= {"text": options.watermark_text, "color": "000000", "size": 16}
        keys |= {"scale": mark.scale or None}
    else:
        overlay = _overlay(options, plan)
        keys |= {"image": overlay.id, "scale": _scale(mark, overlay, plan)}
    place = {"tile": True} if mark.position == "tile" else {"position": mark.position}
    margin = _margin(mark, _offset(mark.x, 0, plan, dpr), _offset(mark.y, 1, plan, dpr))
    keys |= place | {"margin": margin, "rotate": options.watermark_rotate or None}
    plan.add("watermark", **keys)


def _overlay(options: Options, plan: Plan) -> Overlay:
    if options.watermark_url is None:
        why = "which image to lay over, imgproxy has in its settings"
        raise refuse("watermark", why, "FILMROLL_IMGPROXY_WATERMARK, or watermark_url")
    return plan.mark(options.watermark_url)


def _scale(mark: Mark, overlay: Overlay, plan: Plan) -> float | None:
    """Return which part of the picture's width a mark has that fits into a part of both sides."""
    if not mark.scale:
        return None
    size = plan.known_size("watermark")
    if overlay.size is None:
        why = "how wide a scaled mark is depends on its shape, which is not known here"
        raise refuse("watermark", why, "a scale of 0")
    upright = size.height * overlay.size.width / (overlay.size.height * size.width)
    return round(mark.scale * min(1, upright), _DIGITS)


def _offset(wanted: float, axis: int, plan: Plan, dpr: float | None) -> int:
    """Return an offset in pixels; below 1 it is a part of the width, or for axis 1 the height."""
    if abs(wanted) >= 1:
        return _pixels(wanted, dpr, "watermark")
    if not wanted:
        return 0
    size = plan.known_size("watermark")
    return round(wanted * (size.width, size.height)[axis])


def _margin(mark: Mark, x: int, y: int) -> int | None:
    """Return how far a mark is from the edges, or from other tiles; one number for both axes."""
    moved = {"n": (y,), "s": (y,), "e": (x,), "w": (x,)}
    distances = set(moved.get(mark.position, (x, y)))
    beside = {"n": x, "s": x, "e": y, "w": y}.get(mark.position, 0)
    if len(distances) > 1 or beside or min(distances) < 0 or (mark.position == "center" and x):
        why = "a mark is as far from one edge as from the other here, and not moved along it"
        raise refuse("watermark", why, "offsets that come to equal pixels, at a corner")
    # Without any, tiles would keep a distance of their own.
    return distances.pop() or (0 if mark.position == "tile" else None)


def _write(options: Options, plan: Plan) -> None:
    if options.strip_metadata:
        plan.write(metadata="copyright" if options.keep_copyright else "none")
    else:
        plan.write(metadata="all")
    if options.format:
        plan.write(format=options.format)
    if options.max_bytes:
        plan.write(max_bytes=options.max_bytes)
    if options.autoquality:
        plan.write(quality="auto")
        return
    written = options.format or (plan.header.format if plan.header else "")
    if not options.quality and options.format_quality and not written:
        raise refuse("format_quality", "it depends on the source's format, which is not known here")
    if quality := options.quality or options.format_quality.get(written):
        plan.write(quality=quality)
