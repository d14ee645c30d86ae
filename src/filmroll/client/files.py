"""What is to be pushed: the files of folders, each under the name that the service gets for it."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from filmroll.client.views import ManifestLine

_SIDECAR = ".json"
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst")  # by their names


class File(NamedTuple):
    """A file, its size in bytes, and what is said about it beside its bytes."""

    ref: str
    path: str
    size: int
    said: Mapping[str, Any] | None = None  # members of its manifest line, such as ``tags``
    sha256: str | None = None  # hex, once it has been read


class Archive(NamedTuple):
    """A file whose members are the items, and its size in bytes; ``ref`` only names it."""

    ref: str
    path: str
    size: int


class Link(NamedTuple):
    """A manifest line whose bytes the service fetches itself."""

    line: ManifestLine

    @property
    def ref(self) -> str:
        """The line's name."""
        return self.line["ref"]


class Fault(NamedTuple):
    """Something that cannot be sent, and why."""

    ref: str
    path: str
    detail: str


Item = File | Archive | Link | Fault


def walk(folder: str, prefix: str = "") -> Iterator[File | Fault]:
    """Yield the regular files below a folder, sorted; ``ref`` is ``prefix`` and the path within.

    Dot files and symbolic links to folders are left out. ``key.json`` beside ``key.jpg`` is no
    item of its own: it says what belongs to the picture.
    """
    try:
        with os.scandir(folder) as listing:
            shown = [entry for entry in listing if not entry.name.startswith(".")]
    except OSError as fault:
        yield Fault(prefix, folder, fault.strerror or str(fault))
        return
    shown.sort(key=attrgetter("name"))
    sidecars = _sidecars([entry.name for entry in shown])
    for entry in shown:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(entry.path, f"{prefix}{entry.name}/")
        elif entry.name not in sidecars.values() and entry.is_file():
            sidecar = sidecars.get(_stem(entry.name))
            yield file_item(prefix + entry.name, entry, sidecar and f"{folder}/{sidecar}")


def file_item(ref: str, entry: Path | os.DirEntry[str], sidecar: str | None = None) -> File | Fault:
    """Return a file as an item, with what its sidecar says."""
    path = os.fspath(entry)
    try:
        said = _said(sidecar) if sidecar else None
        return File(writable(ref), path, entry.stat().st_size, said)
    except OSError as fault:
        return Fault(ref, path, fault.strerror or str(fault))
    except ValueError as fault:
        return Fault(ref, path, str(fault))


def is_archive(path: Path) -> bool:
    """Whether a file that was named itself is to be unpacked."""
    return path.name.lower().endswith(_ARCHIVES)


def archive_item(ref: str, path: Path) -> Archive | Fault:
    """Return a file whose members are the items."""
    item = file_item(ref, path)
    return item if isinstance(item, Fault) else Archive(item.ref, item.path, item.size)


def writable(ref: str) -> str:
    """Return the name; raise ValueError if it is none in UTF-8, as file systems allow."""
    if not ref.isascii():
        try:
            ref.encode()
        except UnicodeEncodeError:
            raise ValueError("the name is not UTF-8: rename the file") from None
    return ref


def label(item: Item, tags: Sequence[str]) -> Item:
    """Return the item with more tags."""
    if not tags or isinstance(item, Fault):
        return item
    if isinstance(item, Archive):
        detail = "an archive takes no tags: they belong to its images, in key.json beside key.jpg"
        return Fault(item.ref, item.path, detail)
    if isinstance(item, Link):
        return Link({**item.line, "tags": [*tags, *item.line.get("tags", ())]})
    said = item.said or {}
    return item._replace(said={**said, "tags": [*tags, *said.get("tags", ())]})


def _sidecars(names: Sequence[str]) -> dict[str, str]:
    """Return the sidecars among the names of a folder, by what they have in common with a file."""
    found = {name[: -len(_SIDECAR)]: name for name in names if name.endswith(_SIDECAR)}
    if not found:
        return found
    stems = {_stem(name) for name in names if not name.endswith(_SIDECAR)}
    return {stem: name for stem, name in found.items() if stem in stems}


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _said(sidecar: str) -> dict[str, Any]:
    try:
        value = json.loads(Path(sidecar).read_bytes())
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"{sidecar} beside it is not a JSON object")
    return value
