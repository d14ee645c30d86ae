"""EXIF: which way up a picture is, of all that cameras note."""

from io import BytesIO

from filmroll.errors import CorruptImage
from filmroll.probe.directory import Directory, directories
from filmroll.probe.source import Source

_TAG = 274
_UPRIGHT = 1
_ORIENTATIONS = range(1, 9)
_SIDEWAYS = 5  # this orientation and those above swap width and height


def orientation_in(exif: bytes) -> int:
    """Return the orientation that EXIF data state.

    A picture with broken EXIF data is a good picture: it counts as upright.
    """
    try:
        return orientation_of(next(directories(Source(BytesIO(exif), len(exif)))))
    except (CorruptImage, StopIteration):
        return _UPRIGHT


def orientation_of(directory: Directory) -> int:
    """Return the orientation, 1 to 8; 1 if there is none, or none that exists."""
    orientation = directory.number(_TAG, _UPRIGHT)
    return orientation if orientation in _ORIENTATIONS else _UPRIGHT


def turned(orientation: int, width: int, height: int) -> tuple[int, int]:
    """Return width and height as they are once the picture is upright."""
    return (height, width) if orientation >= _SIDEWAYS else (width, height)
