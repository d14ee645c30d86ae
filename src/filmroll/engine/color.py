"""Colour: everything becomes 8-bit sRGB on the way in; backgrounds are laid behind alpha."""

from collections.abc import Callable

import pyvips

from filmroll.geometry import Size

_PROFILE = "icc-profile-data"
_RGB, _RGBA = 3, 4  # bands
_OPAQUE = 255


def to_srgb(image: pyvips.Image) -> pyvips.Image:
    """Return the picture as 8-bit sRGB, with alpha if it has some, and without a profile.

    An embedded profile is followed; without one CMYK is taken for coated paper, and the rest
    for what its header says. What has no profile afterwards is sRGB to every viewer.
    """
    if _profiled(image):
        image = _through_profile(image)
    if image.interpretation != "srgb" or image.format != "uchar":
        image = image.colourspace("srgb").cast("uchar")
    if image.bands > _RGBA:
        image = image.extract_band(0, n=_RGBA)
    if image.get_typeof(_PROFILE):
        image = image.copy()
        image.remove(_PROFILE)
    return image


def rgba(color: str) -> list[int]:
    """Return red, green, blue and alpha (0 to 255) of rrggbb or rrggbbaa."""
    return list(bytes.fromhex(color.ljust(len("rrggbbaa"), "f")))


def premultiplied(color: str) -> list[float]:
    """Return red, green and blue, each times alpha, and alpha (0 to 255)."""
    *rgb, alpha = rgba(color)
    return [*(part * alpha / 255 for part in rgb), alpha]


def transparent(image: pyvips.Image) -> bool:
    """Whether anything shines through; many a picture has alpha and is opaque all over."""
    return bool(image.hasalpha() and image[image.bands - 1].min() < _OPAQUE)


def without_idle_alpha(image: pyvips.Image) -> pyvips.Image:
    """Return the picture, which is in memory, without an alpha band that hides nothing.

    Most animations have one, and every step would take twice as long for it.
    """
    if not image.hasalpha() or transparent(image):
        return image
    return image.extract_band(0, n=image.bands - 1).copy_memory()


def with_alpha(image: pyvips.Image) -> pyvips.Image:
    """Return the picture with an alpha band, opaque if it had none."""
    return image if image.hasalpha() else image.addalpha()


def lay_on(image: pyvips.Image, color: str | None) -> pyvips.Image:
    """Return the picture with a colour behind what is transparent; None leaves it so."""
    if color is None or not image.hasalpha():
        return image
    *rgb, alpha = rgba(color)
    if alpha == 0:
        return image
    if alpha == _OPAQUE:
        return image.flatten(background=rgb)
    return sheet(image.width, image.height, color).composite2(image, "over").cast("uchar")


def on_sheet(image: pyvips.Image, x: int, y: int, size: Size, color: str | None) -> pyvips.Image:
    """Return the picture at x, y of a larger sheet of a colour; None makes it transparent."""
    background = rgba(color or "00000000")
    opaque = background[3] == _OPAQUE and not image.hasalpha()
    image = image if opaque else with_alpha(image)
    return image.embed(
        x,
        y,
        size.width,
        size.height,
        extend="background",
        background=background[: image.bands],
    )


def on_visible(image: pyvips.Image, step: Callable[[pyvips.Image], pyvips.Image]) -> pyvips.Image:
    """Return the picture after a step that mixes pixels: transparent ones lend no colour."""
    if not image.hasalpha():
        return step(image)
    mixed = step(image.premultiply()).unpremultiply()
    return mixed.rint().cast("uchar").copy(interpretation="srgb")


def sheet(width: int, height: int, color: str) -> pyvips.Image:
    """Return a picture of one colour, with alpha."""
    dot = pyvips.Image.black(1, 1, bands=_RGBA) + rgba(color)
    return dot.cast("uchar").embed(0, 0, width, height, extend="copy").copy(interpretation="srgb")


def _profiled(image: pyvips.Image) -> bool:
    if image.interpretation == "cmyk":
        return True
    return bool(image.get_typeof(_PROFILE)) and not _is_srgb(image.get(_PROFILE))


def _is_srgb(profile: bytes) -> bool:
    """Whether it is the usual sRGB profile, by the maker and the model in its header."""
    return bytes(profile[48:56]) == b"IEC sRGB"


def _through_profile(image: pyvips.Image) -> pyvips.Image:
    fallback = "cmyk" if image.interpretation == "cmyk" else "srgb"
    try:
        return image.icc_transform(
            "srgb",
            embedded=True,
            input_profile=fallback,
            intent="relative",
            black_point_compensation=True,
        )
    except pyvips.Error:
        return image  # a profile for another kind of picture says nothing about this one
