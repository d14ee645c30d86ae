"""Photographs of real cameras, from Debian's mate-backgrounds, at the sizes that are measured."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyvips

from benchmarks.missing import Missing

_SOURCE = Path("/usr/share/backgrounds/mate/nature")
# Those large enough that nothing has to be enlarged.
_NAMES = ("Garden", "LadyBird", "TwoWings", "Wood", "YellowFlower")
WIDTH, HEIGHT = 2040, 1360
_COLUMNS, _ROWS = 7, 3
_TO_TWELVE = (12e6 / (4 * WIDTH * HEIGHT)) ** 0.5
_START = b"\xff\xd8"
SERIAL_DIGITS = 16


def photographs(folder: Path) -> list[Path]:
    """Return 210 different photographs of 2,040 × 1,360 px, quality 90; made only once.

    Each is another window, mirrored or not, of one of five photographs of 2,560 px. Every tenth
    in a row shows the same scene.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, window in enumerate(_windows()):
        path = folder / f"{number:03}.jpg"
        if not path.exists():
            draft = path.with_suffix(".new")
            # Subsampled as cameras do: at this quality libvips would not, left to itself.
            draft.write_bytes(window.jpegsave_buffer(Q=90, keep="none", subsample_mode="on"))
            draft.rename(path)
        paths.append(path)
    return paths


def rewritten(files: Sequence[Path], folder: Path, kind: str) -> list[Path]:
    """Return the photographs in another format, of good quality; made only once."""
    if kind == "jpeg":
        folder.mkdir(exist_ok=True)
        for file in files:
            (folder / file.name).unlink(missing_ok=True)
            (folder / file.name).hardlink_to(file)
        return [folder / file.name for file in files]
    folder.mkdir(exist_ok=True)
    options = {} if kind == "png" else {"Q": 90}
    paths = [folder / f"{file.stem}.{kind}" for file in files]
    for file, path in zip(files, paths, strict=True):
        if not path.exists():
            draft = folder / f"new.{kind}"
            pyvips.Image.new_from_file(str(file)).write_to_file(str(draft), keep="none", **options)
            draft.rename(path)
    return paths


def large(files: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """Return ``count`` photographs of 12 megapixels, each of four others side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        four = [
            pyvips.Image.new_from_file(str(file)) for file in files[4 * number : 4 * number + 4]
        ]
        whole = pyvips.Image.arrayjoin(four, across=2).resize(_TO_TWELVE)
        whole.jpegsave(str(path), Q=90, keep="none", subsample_mode="on")
    return paths


def small(photograph: Path, width: int) -> bytes:
    """Return the photograph at another width as a JPEG of quality 85."""
    image = pyvips.Image.thumbnail(str(photograph), width)
    return bytes(image.jpegsave_buffer(Q=85, keep="none"))


def with_serial(jpeg: bytes, total: int = 0) -> tuple[bytes, int]:
    """Put a comment of digits into a JPEG that makes it ``total`` bytes long, if it is shorter.

    Returns it with the offset of the digits: whoever overwrites them makes another file of it.
    """
    padding = max(0, total - len(jpeg) - 4 - SERIAL_DIGITS)
    comment = b"0" * (SERIAL_DIGITS + padding)
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment
    return _START + segment + jpeg.removeprefix(_START), len(_START) + 4


def numbered(template: tuple[bytes, int], number: int) -> bytes:
    """Return the file with its digits set to ``number``."""
    body, offset = template
    return body[:offset] + b"%0*d" % (SERIAL_DIGITS, number) + body[offset + SERIAL_DIGITS :]


def _windows() -> Iterator[pyvips.Image]:
    for column in range(_COLUMNS):
        for row in range(_ROWS):
            for name in _NAMES:
                image = _opened(name)
                x = (image.width - WIDTH) * column // (_COLUMNS - 1)
                y = (image.height - HEIGHT) * row // (_ROWS - 1)
                window = image.crop(x, y, WIDTH, HEIGHT)
                yield window
                yield window.fliphor()


def _opened(name: str) -> pyvips.Image:
    path = _SOURCE / f"{name}.jpg"
    if not path.exists():
        raise Missing(f"{path} is missing: apt-get install mate-backgrounds")
    return pyvips.Image.new_from_file(str(path))
