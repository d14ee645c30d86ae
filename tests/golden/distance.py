"""How far apart two pictures are to the eye."""

import pyvips


def distance(one: pyvips.Image, other: pyvips.Image) -> float:
    """Return the worst CIEDE2000 difference over patches of about 4 × 4 pixels.

    Patches, so that a change at one place is not averaged away, nor grain taken for one: below 1
    nobody sees a difference, from 3 on everybody does. Transparent parts count as a grey board.
    """
    assert (one.width, one.height) == (other.width, other.height)
    difference = _lab(one).dE00(_lab(other))
    worst: float = difference.max()
    return worst


def _lab(image: pyvips.Image) -> pyvips.Image:
    if image.hasalpha():
        image = image.flatten(background=[128, 128, 128])
    return image.gaussblur(2, precision="float").colourspace("lab")
