"""What lies in the folders of a disk store."""

import os
from collections.abc import Sequence
from contextlib import suppress

from filmroll.durable import translated
from filmroll.ports import BlobInfo


def scan(root: str, folder: str, prefix: str) -> tuple[Sequence[BlobInfo], Sequence[str]]:
    """Return the objects of one folder, and its folders, that lie under the prefix.

    Hidden names are the store's own. A folder that is not there is empty.
    """
    objects: list[BlobInfo] = []
    folders: list[str] = []
    absent = suppress(FileNotFoundError, NotADirectoryError)
    with translated(), absent, os.scandir(f"{root}/{folder}") as entries:
        for entry in entries:
            key = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith("."):
                continue
            if not entry.is_dir():
                objects += _objects(entry, key, prefix)
            elif f"{key}/".startswith(prefix) or prefix.startswith(f"{key}/"):
                folders.append(key)
    return objects, folders


def _objects(entry: "os.DirEntry[str]", key: str, prefix: str) -> Sequence[BlobInfo]:
    if not key.startswith(prefix):
        return ()
    try:
        stat = entry.stat()
    except FileNotFoundError:  # deleted meanwhile
        return ()
    return (BlobInfo(key=key, bytes=stat.st_size, modified_at=stat.st_mtime),)
