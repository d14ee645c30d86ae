"""imgproxy's processing options: what each says. What is said last holds, whatever the order."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from filmroll.migration.imgproxy.arguments import Arguments, Gravity
from filmroll.migration.refusal import refuse

Presets = Mapping[str, tuple[str, ...]]  # options by the name of the preset

_MOST = 10**6  # px; Filmroll's own limits are told of when the plan is made
_FORMATS = {"jpg": "jpeg", "best": "auto"} | {
    name: name for name in ("jpeg", "png", "webp", "avif", "gif", "tiff")
}


@dataclass(frozen=True, slots=True)
class Cut:
    """The crop before the resize: a length below 1 is a part, 0 all of it."""

    width: float
    height: float
    gravity: Gravity | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A watermark's looks."""

    opacity: float
    position: str  # a point of the compass, or "tile"
    x: float
    y: float
    scale: float


@dataclass(kw_only=True, slots=True)
class Options:
    """What was said in a URL; names as imgproxy has them."""

    resizing_type: str = "fit"
    width: int = 0
    height: int = 0
    min_width: int = 0
    min_height: int = 0
    zoom: tuple[float, float] = (1, 1)
    dpr: float = 1
    enlarge: bool = False
    extend: Gravity | None = None
    extend_ratio: Gravity | None = None
    gravity: Gravity = field(default_factory=Gravity)
    crop: Cut | None = None
    trim: tuple[float, str | None] | None = None  # threshold, colour
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, right, bottom, left
    rotate: int = 0
    flip: tuple[bool, bool] = (False, False)
    background: str | None = None
    brightness: float = 0
    contrast: float = 1
    saturation: float = 1
    blur: float = 0
    sharpen: float = 0
    pixelate: int = 0
    watermark: Mark | None = None
    watermark_url: str | None = None
    watermark_text: str | None = None
    watermark_rotate: float = 0
    strip_metadata: bool = True
    keep_copyright: bool = True
    quality: int = 0
    autoquality: bool = False
    format_quality: dict[str, int] = field(default_factory=dict)
    max_bytes: int = 0
    format: str = ""
    skip_processing: tuple[str, ...] = ()
    raw: bool = False
    expires: int | None = None
    filename: str = ""
    return_attachment: bool = False
    by_settings: bool = False  # whether a setting had a say in this


def read(texts: Iterable[str], presets: Presets) -> Options:
    """Return what options say; a preset ``default`` is there before them."""
    options = Options()
    if "default" in presets:
        _use(options, "default", presets, ())
    for text in texts:
        _apply(options, text, presets, ())
    return options


def _apply(options: Options, text: str, presets: Presets, used: tuple[str, ...]) -> None:
    name, *values = text.split(":")
    arguments = Arguments(tuple(map(unquote, values)), text)
    if name in {"preset", "pr"}:
        for preset in arguments.values:
            _use(options, preset, presets, used)
    elif name in _OPTIONS:
        _OPTIONS[name](options, arguments)
    elif name in _WITHOUT:
        raise refuse(text, "this option has no counterpart here", _WITHOUT[name])
    else:
        raise refuse(text, "there is no such option")


def _use(options: Options, name: str, presets: Presets, used: tuple[str, ...]) -> None:
    if name not in presets:
        raise refuse(f"preset:{name}", "it is not among FILMROLL_IMGPROXY_PRESETS")
    options.by_settings = True
    if name not in used:
        for text in presets[name]:
            _apply(options, text, presets, (*used, name))


def _resize(options: Options, said: Arguments) -> None:
    if said.given(0):
        _resizing_type(options, said)
    _size(options, said.rest(1))


def _size(options: Options, said: Arguments) -> None:
    if said.given(0):
        options.width = said.whole(0, 0, _MOST)
    if said.given(1):
        options.height = said.whole(1, 0, _MOST)
    if said.given(2):
        options.enlarge = said.flag(2)
    if said.given(3):
        _extend(options, said.rest(3))


def _resizing_type(options: Options, said: Arguments) -> None:
    kinds = ("fit", "fill", "fill-down", "force", "auto")
    if said.word(0) not in kinds:
        raise refuse(said.text, f"the resizing type is one of {', '.join(kinds)}")
    options.resizing_type = said.word(0)


def _zoom(options: Options, said: Arguments) -> None:
    across = said.number(0, 0.001, 1000)
    options.zoom = across, said.number(1, 0.001, 1000) if said.given(1) else across


def _extend(options: Options, said: Arguments) -> None:
    options.extend = _extended(said)


def _extend_ratio(options: Options, said: Arguments) -> None:
    options.extend_ratio = _extended(said)


def _extended(said: Arguments) -> Gravity | None:
    if not said.flag(0):
        return None
    gravity = said.rest(1).gravity() if said.given(1) else Gravity()
    if gravity.moved or gravity.place in {"smart", "face"}:
        raise refuse(said.text, "a picture lies at an edge, a corner or in the middle of its sheet")
    return gravity


def _crop(options: Options, said: Arguments) -> None:
    height = said.number(1, 0, _MOST) if said.given(1) else 0
    gravity = said.rest(2).gravity() if said.given(2) else None
    options.crop = Cut(said.number(0, 0, _MOST), height, gravity)


def _trim(options: Options, said: Arguments) -> None:
    if said.flag(2) or said.flag(3):
        raise refuse(said.text, "opposite sides are trimmed each for itself here", "trim alone")
    colour = said.hex(1) if said.given(1) else None
    options.trim = (said.number(0, 0, 255), colour) if said.given(0) else None


def _padding(options: Options, said: Arguments) -> None:
    top = said.whole(0, 0, _MOST) if said.given(0) else 0
    right = said.whole(1, 0, _MOST) if said.given(1) else top
    bottom = said.whole(2, 0, _MOST) if said.given(2) else top
    left = said.whole(3, 0, _MOST) if said.given(3) else right
    options.padding = top, right, bottom, left


def _rotate(options: Options, said: Arguments) -> None:
    options.rotate = said.whole(0, -3600, 3600) % 360
    if options.rotate % 90:
        raise refuse(said.text, "the angle is a multiple of 90")


def _flip(options: Options, said: Arguments) -> None:
    options.flip = said.flag(0), said.flag(1)


def _background(options: Options, said: Arguments) -> None:
    if not said.given(0):
        options.background = None
    elif said.given(2):
        red, green, blue = (said.whole(at, 0, 255) for at in range(3))
        options.background = f"{red:02x}{green:02x}{blue:02x}"
    else:
        options.background = said.hex(0)


def _adjust(options: Options, said: Arguments) -> None:
    for at, change in enumerate((_brightness, _contrast, _saturation)):
        if said.given(at):
            change(options, said.rest(at))


def _brightness(options: Options, said: Arguments) -> None:
    options.brightness = said.number(0, -255, 255)


def _contrast(options: Options, said: Arguments) -> None:
    options.contrast = said.number(0, 0, 1000)


def _saturation(options: Options, said: Arguments) -> None:
    options.saturation = said.number(0, 0, 1000)


def _watermark(options: Options, said: Arguments) -> None:
    position = "center"
    if said.given(1):  # rows and columns, or a chessboard: here every second row is shifted
        position = "tile" if said.word(1) in {"re", "ch"} else said.compass(1)
    x, y = (said.number(at, -_MOST, _MOST) if said.given(at) else 0 for at in (2, 3))
    scale = said.number(4, 0, 1) if said.given(4) else 0
    options.watermark = Mark(said.number(0, 0, 1), position, x, y, scale)


def _quality(options: Options, said: Arguments) -> None:
    options.quality = said.whole(0, 0, 100)


def _autoquality(options: Options, said: Arguments) -> None:
    """Take ``method:target:…``; how good is good enough, Filmroll knows itself."""
    method = said.word(0) or "dssim"
    if method not in {"none", "size", "dssim", "ml"}:
        raise refuse(said.text, f"there is no method {method[:20]!r}", "dssim")
    options.autoquality = method in {"dssim", "ml"}
    if method == "size":
        options.max_bytes = said.whole(1, 1, 10**9)


def _format_quality(options: Options, said: Arguments) -> None:
    for at in range(0, len(said.values), 2):
        options.format_quality[_known_format(said, at)] = said.whole(at + 1, 1, 100)


def _format(options: Options, said: Arguments) -> None:
    options.format = _known_format(said, 0)


def _skip_processing(options: Options, said: Arguments) -> None:
    options.skip_processing = tuple(map(_format_name, said.values))


def _known_format(said: Arguments, at: int) -> str:
    name = said.word(at)
    if name not in _FORMATS:
        raise refuse(said.text, f"{name[:20]!r} is not written here", ", ".join(_FORMATS))
    return _FORMATS[name]


def _format_name(word: str) -> str:
    return _FORMATS.get(word, word)


def _expires(options: Options, said: Arguments) -> None:
    options.expires = said.whole(0, 0, 10**12) or None


def _filename(options: Options, said: Arguments) -> None:
    options.filename = said.decoded(0) if said.flag(1) else said.word(0)


def _watermark_url(options: Options, said: Arguments) -> None:
    options.watermark_url = said.decoded(0) or None


def _watermark_text(options: Options, said: Arguments) -> None:
    text = said.decoded(0)
    if "<" in text:
        raise refuse(said.text, "markup within the text is not read here", "plain text")
    options.watermark_text = text or None


def _whole(name: str, high: int = _MOST) -> "_Setter":
    return lambda options, said: setattr(options, name, said.whole(0, 0, high))


def _number(name: str, low: float, high: float) -> "_Setter":
    return lambda options, said: setattr(options, name, said.number(0, low, high))


def _flag(name: str) -> "_Setter":
    return lambda options, said: setattr(options, name, said.flag(0))


def _only(value: bool, why: str) -> "_Setter":  # noqa: FBT001 -- the one value that is taken
    """Return what takes an option that says what is the rule here anyway."""

    def check(_: Options, said: Arguments) -> None:
        if said.flag(0) is not value:
            raise refuse(said.text, why)

    return check


def _nothing(_: Options, __: Arguments) -> None:
    """Take an option that is about nothing but other servers' caches."""


def _gravity(options: Options, said: Arguments) -> None:
    options.gravity = said.gravity()


_Setter = Callable[[Options, Arguments], None]
_NAMES: Mapping[str, _Setter] = {
    "resize rs": _resize,
    "size s": _size,
    "resizing_type rt": _resizing_type,
    "width w": _whole("width"),
    "height h": _whole("height"),
    "min-width mw": _whole("min_width"),
    "min-height mh": _whole("min_height"),
    "zoom z": _zoom,
    "dpr": _number("dpr", 0.1, 8),
    "enlarge el": _flag("enlarge"),
    "extend ex": _extend,
    "extend_aspect_ratio extend_ar exar": _extend_ratio,
    "gravity g": _gravity,
    "crop c": _crop,
    "trim t": _trim,
    "padding pd": _padding,
    "auto_rotate ar": _only(value=True, why="pictures are always upright here"),
    "rotate rot": _rotate,
    "flip fl": _flip,
    "background bg": _background,
    "adjust a": _adjust,
    "brightness br": _brightness,
    "contrast co": _contrast,
    "saturation sa": _saturation,
    "blur bl": _number("blur", 0, 1000),
    "sharpen sh": _number("sharpen", 0, 1000),
    "pixelate pix": _whole("pixelate"),
    "watermark wm": _watermark,
    "watermark_url wmu": _watermark_url,
    "watermark_text wmt": _watermark_text,
    "watermark_rotate wm_rot wmr": _number("watermark_rotate", -360, 360),
    "strip_metadata sm": _flag("strip_metadata"),
    "keep_copyright kcr": _flag("keep_copyright"),
    "strip_color_profile scp": _only(value=True, why="pictures are always written in sRGB here"),
    "enforce_thumbnail eth": _only(value=False, why="thumbnails within a file are not used here"),
    "quality q": _quality,
    "autoquality aq": _autoquality,
    "format_quality fq": _format_quality,
    "max_bytes mb": _whole("max_bytes", 10**9),
    "format f ext": _format,
    "skip_processing skp": _skip_processing,
    "raw": _flag("raw"),
    "cachebuster cb": _nothing,
    "expires exp": _expires,
    "filename fn": _filename,
    "return_attachment att": _flag("return_attachment"),
}
_OPTIONS = {name: setter for names, setter in _NAMES.items() for name in names.split()}

_LIMITS = "the limits of the service's own settings"
_WITHOUT_NAMES = {
    "resizing_algorithm ra": "Lanczos, which is used anyway",
    "objects_position obj_pos op": "gravity:sm or gravity:fp",
    "crop_aspect_ratio crop_ar car": "crop, or resize:fill",
    "background_alpha bga": "background with eight digits",
    "monochrome mc duotone dt colorize col gradient gr": "",
    "unsharp_masking ush": "sharpen",
    "blur_detections bd draw_detections dd": "",
    "watermark_size wms": "the scale of watermark",
    "watermark_shadow wmsh": "",
    "style st": "",
    "dpi": "",
    "jpeg_options jpgo png_options pngo webp_options webpo avif_options avifo": "quality",
    "page pg pages pgs disable_animation da": "format:jpg, which takes the first frame",
    "video_thumbnail_second vts video_thumbnail_keyframes vtk": "",
    "video_thumbnail_tile vtt video_thumbnail_animation vta": "",
    "fallback_image_url fiu": "",
    "hashsum hs": "the ETag, which is the original's digest",
    "max_src_resolution msr max_src_file_size msfs max_animation_frames maf": _LIMITS,
    "max_animation_frame_resolution mafr max_result_dimension mrd": _LIMITS,
}
_WITHOUT = {name: instead for names, instead in _WITHOUT_NAMES.items() for name in names.split()}
