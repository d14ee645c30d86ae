"""Pictures into files: none appears under its name before it is whole."""

import itertools
import mimetypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filmroll.client.transport import Transport

_LONGEST_STEM = 120


def delivery_path(url: str, image: str, instructions: str | None) -> str:
    """Return the path of a picture; ``image`` is an id, or an address below ``url``.

    Raises ValueError for an address of another service.
    """
    if "://" not in image:
        path = f"/i/{image}"
    elif image.startswith(f"{url}/"):
        path = image.removeprefix(url)
    else:
        raise ValueError(f"{image} is not an address of {url}")
    # A signature is good for one path: it goes where another is asked for.
    return f"{path.partition('?')[0]}/{instructions}" if instructions else path


async def download(transport: Transport, path: str, to: Path) -> Path:
    """Write a picture to a file, or to a new one in a folder; return which."""
    async with transport.stream("GET", path, follow=True) as answer:
        kind = answer.headers.get("content-type", "")
        target = _target(to, path, kind)
        with _whole(target) as file:
            async for chunk in answer.aiter_bytes():
                file.write(chunk)
    return target


def _target(to: Path, path: str, kind: str) -> Path:
    return _free_name(to, path, kind) if to.is_dir() else to


def _free_name(folder: Path, path: str, kind: str) -> Path:
    """Return a name in a folder that says which picture it is, and that nobody has."""
    image, _, instructions = path.partition("?")[0].rpartition("/i/")[2].partition("/")
    stem = "-".join([image, *re.findall(r"[A-Za-z0-9.]+", instructions)])[:_LONGEST_STEM]
    suffix = mimetypes.guess_extension(kind.partition(";")[0]) or ""
    names = itertools.chain([stem], (f"{stem} ({number})" for number in itertools.count(2)))
    targets = (folder / (name + suffix) for name in names)
    return next(target for target in targets if not target.exists())


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
