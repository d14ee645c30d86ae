"""TIFF and BigTIFF: the chain of directories, each with its strips or tiles inside the file."""

from operator import add

from filmroll.errors import CorruptImage, UnsupportedMedia
from filmroll.limits import Limits
from filmroll.model import Header
from filmroll.probe.directory import Directory, directories
from filmroll.probe.exif import orientation_of, turned
from filmroll.probe.source import Source

_SUBFILE, _WIDTH, _HEIGHT = 254, 256, 257
_DATA = ((273, 279), (324, 325))  # where strips or tiles lie, and how many bytes they have
_DNG_VERSION = 50_706
_REDUCED = 1  # bit of _SUBFILE: a preview of something else


def read(source: Source, limits: Limits) -> Header:
    """Read a TIFF; its frames are its pages."""
    header: Header | None = None
    pages = 0
    for directory in directories(source):
        pages += 1
        header = header or _header(directory)
        _check_data(source, directory)
        if pages > limits.max_frames:
            break
    if header is None:
        raise CorruptImage("The TIFF has no directory, so no picture.")
    return limits.admit(
        Header(format="tiff", width=header.width, height=header.height, frames=pages)
    )


def _header(first: Directory) -> Header:
    # Camera makers write their raw files as a TIFF that begins with a small preview.
    if _DNG_VERSION in first or first.number(_SUBFILE, 0) & _REDUCED:
        raise UnsupportedMedia("This looks like a camera's raw file; develop it to JPEG or TIFF.")
    width, height = first.number(_WIDTH, 0), first.number(_HEIGHT, 0)
    if not width or not height:
        raise CorruptImage(f"The TIFF states a size of {width} × {height} pixels.")
    width, height = turned(orientation_of(first), width, height)
    return Header(format="tiff", width=width, height=height)


def _check_data(source: Source, directory: Directory) -> None:
    for offsets, counts in _DATA:
        if offsets in directory:
            starts, sizes = directory.numbers(offsets), directory.numbers(counts)
            # Old writers leave the sizes out; then at least the starts can be checked.
            ends = map(add, starts, sizes) if sizes else starts
            source.hold(max(ends, default=0), 0, "the picture")
            return
    raise CorruptImage("The TIFF has a page without strips or tiles.")
