"""What a push begins with: folders, files and manifests, under one set of names."""

import hashlib
import os
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from filmroll.client.files import Item, archive_item, file_item, is_archive, label, walk
from filmroll.client.manifest import SUFFIXES, read_manifest


class Sources:
    """Folders, files, archives, manifests; with several, each folder's name begins its refs."""

    def __init__(self, paths: Sequence[Path], tags: Sequence[str] = ()) -> None:
        """Raise ValueError if one does not exist, or two would get the same names."""
        self._paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 -- keeps links
        self._tags = tags
        if not paths:
            raise ValueError("there is nothing to push")
        for path in self._paths:
            if not path.exists():
                raise ValueError(f"{path} does not exist")
        name, count = Counter(path.name for path in self._paths).most_common(1)[0]
        if count > 1:
            raise ValueError(f"{count} arguments are named {name}: push the folder above them")

    def name(self, *asked: str) -> str:
        """Return the name of the batch: the same for the same sources and wishes on this host."""
        parts = [socket.gethostname(), *map(str, self._paths), "", *asked]
        digest = hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()
        stem = self._paths[0].stem if is_manifest(self._paths[0]) else self._paths[0].name
        return f"{stem.encode(errors='replace').decode()}-{digest[:8]}"

    def items(self) -> Iterator[Item]:
        """Yield everything there is to push, in the same order every time."""
        for path in self._paths:
            for item in self._of(path):
                yield label(item, self._tags)

    def path_of(self, ref: str) -> str | None:
        """Return where the file of a ref lies, if it is one of a folder's."""
        for path in self._paths:
            alone = len(self._paths) == 1 and path.is_dir()
            found = (path if alone else path.parent) / ref
            if found.is_file():
                return str(found)
        return None

    def _of(self, path: Path) -> Iterator[Item]:
        if path.is_dir():
            prefix = f"{path.name}/" if len(self._paths) > 1 else ""
            return walk(str(path), prefix)
        if is_manifest(path):
            return read_manifest(path)
        item = archive_item if is_archive(path) else file_item
        return iter([item(path.name, path)])


def is_manifest(path: Path) -> bool:
    """Whether a file is a list of what to push, by its name."""
    return path.suffix in SUFFIXES and path.is_file()
