"""Blobs on the local disk: one file per object, durable in groups.

An object is written under ``.incoming``, made durable, renamed to its place, and the place is made
durable: after a power cut the key holds all of the object or none of it. A lone object costs an
fsync of the file and one of its folder; objects that arrive together share two ``syncfs``.
"""

# ruff: noqa: D102 - ports.BlobStore and ports.LocalFiles say what each method promises

import asyncio
import errno
import itertools
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filmroll.blobs.changes import Change, Delete, Put
from filmroll.blobs.checks import check_digest, check_key, check_prefix, round_trip
from filmroll.blobs.listing import scan
from filmroll.durable import (
    SyncError,
    make_folders,
    refusal,
    sync_filesystem,
    sync_path,
    translated,
    write_file,
)
from filmroll.errors import FilmrollError, StoreUnavailable
from filmroll.groups import Committer
from filmroll.model import new_id
from filmroll.ports import Blob, BlobInfo

_INCOMING = ".incoming"  # no key begins with a dot
_STALE = 3600.0  # s; no write takes that long, so its process is dead
_SMALL = 1 << 20  # bytes; more than that is hashed and written beside the group, not in it
_REMEMBERED = 10_000  # folders known to be durable
_STAYING = 2  # levels of folders that stay when they are empty: there are few of them
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class DiskBlobs:
    """Objects as files below ``root``. Several processes may share the folder.

    After a failed sync nobody knows what is on the disk: from then on every write raises
    StoreUnavailable, while reads go on.
    """

    def __init__(self, root: Path) -> None:
        """Create the folder if need be; StoreUnavailable if it cannot be used."""
        self._root = str(root.absolute())
        self._incoming = f"{self._root}/{_INCOMING}"
        prefix = f"{self._incoming}/{new_id()}"  # no other process has it
        self._names = (f"{prefix}-{number}" for number in itertools.count())
        self._durable: set[str] = set()
        self._broken = False
        with translated():
            make_folders(Path(self._incoming))
            _remove_stale(Path(self._incoming))
            self._descriptor = os.open(self._root, os.O_RDONLY)
        self._changes: Committer[Sequence[Change], None] = Committer("filmroll-blobs", self._commit)

    async def put(self, key: str, body: bytes | Path, sha256: str, *, lasting: bool = True) -> None:
        change = Put(next(self._names), self._path(key), None, lasting=lasting)
        if isinstance(body, bytes) and len(body) <= _SMALL:
            check_digest(body, sha256)
            change.body = body
            await self._changes.commit([change], len(body))
        else:
            # Goes on if the caller is cancelled, so that nothing is left behind.
            await asyncio.shield(self._put_large(change, body, sha256))

    async def put_all(self, blobs: Sequence[Blob]) -> None:
        changes = []
        for blob in blobs:
            check_digest(blob.body, blob.sha256)
            changes.append(Put(next(self._names), self._path(blob.key), blob.body))
        if changes:
            await self._changes.commit(changes, sum(len(blob.body) for blob in blobs))

    async def read(self, key: str) -> bytes | None:
        file = _open(self._path(key))
        if file is None:
            return None
        with file, translated():
            return file.read()

    async def open(self, key: str) -> BinaryIO | None:
        return _open(self._path(key))

    async def delete(self, keys: Sequence[str], *, older_than: float | None = None) -> None:
        if keys:
            targets = [Path(self._path(key)) for key in keys]
            passing = {
                target.parent
                for target, key in zip(targets, keys, strict=True)
                if key.count("/") > _STAYING
            }
            await self._changes.commit([Delete(targets, passing, older_than)])

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        folders = [check_prefix(prefix).rpartition("/")[0]]
        while folders:
            found, deeper = await asyncio.to_thread(scan, self._root, folders.pop(), prefix)
            folders += deeper
            for info in found:
                yield info

    def file_below_root(self, key: str) -> str:
        return check_key(key)

    async def check(self) -> None:
        await round_trip(self, "data folder")

    async def close(self) -> None:
        await self._changes.close()
        os.close(self._descriptor)

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    async def _put_large(self, change: Put, body: bytes | Path, sha256: str) -> None:
        await asyncio.to_thread(self._stage, change, body, sha256)
        await self._changes.commit([change])

    def _stage(self, change: Put, body: bytes | Path, sha256: str) -> None:
        """Bring a large body to its temporary file, durable."""
        try:
            self._refuse_if_broken()
            with translated():
                if isinstance(body, bytes):
                    check_digest(body, sha256)
                    write_file(change.temporary, body)
                else:
                    _take_over(body, change.temporary)
            if change.lasting:
                with self._barrier():
                    sync_path(change.temporary)
        except FilmrollError:
            change.discard()
            raise
        finally:
            if isinstance(body, Path):
                body.unlink(missing_ok=True)

    def _commit(self, calls: Sequence[Sequence[Change]]) -> Sequence[FilmrollError | None]:
        """Carry out a group of calls; return for each what kept a change of it from happening."""
        changes = [change for call in calls for change in call]
        try:
            self._refuse_if_broken()
            for change in changes:
                change.attempt(change.write)
            with self._barrier():
                self._sync_files(changes)
            for change in changes:
                change.attempt(change.publish)
                self._durable.difference_update(change.made)
            with self._barrier():
                lasting = [change for change in changes if change.lasting]
                self._sync_folders({folder for change in lasting for folder in change.folders})
        finally:
            for change in changes:
                change.discard()
        return [next((one.error for one in call if one.error), None) for call in calls]

    def _refuse_if_broken(self) -> None:
        if self._broken:
            raise StoreUnavailable(
                "A write could not be made durable before. This process takes no more of them "
                "until it is started anew; look at the disk first."
            )

    @contextmanager
    def _barrier(self) -> Iterator[None]:
        """Translate errors; remember a failed sync for good."""
        try:
            yield
        except OSError as exc:
            self._broken = self._broken or isinstance(exc, SyncError)
            raise refusal(exc) from exc

    def _sync_files(self, changes: Sequence[Change]) -> None:
        written = [
            change.temporary
            for change in changes
            if isinstance(change, Put)
            and change.body is not None
            and change.lasting
            and change.error is None
        ]
        if len(written) == 1:
            sync_path(written[0])
        elif written:
            sync_filesystem(self._descriptor)

    def _sync_folders(self, folders: set[str]) -> None:
        if len(self._durable) > _REMEMBERED:
            self._durable.clear()
        if len(folders) == 1:
            self._sync_folder(*folders)
        elif folders:
            sync_filesystem(self._descriptor)
        for folder in folders:
            self._durable.update(self._maybe_new(folder))

    def _sync_folder(self, folder: str) -> None:
        """Make a folder's entries durable, and those of the folders that hold it if it is new."""
        with suppress(FileNotFoundError):  # emptied meanwhile, and gone with what was put there
            sync_path(folder)
        for new in self._maybe_new(folder):
            sync_path(str(Path(new).parent))

    def _maybe_new(self, folder: str) -> Sequence[str]:
        """Return those of a folder and the ones above it that are not known to be durable."""
        new = []
        while folder != self._root and folder not in self._durable:
            new.append(folder)
            folder = str(Path(folder).parent)
        return new


def _open(path: str) -> BinaryIO | None:
    # In the event loop's thread: a hop to another one costs more than a page-cache read.
    with translated():
        try:
            return Path(path).open("rb")
        except _ABSENT:
            return None


def _take_over(path: Path, temporary: str) -> None:
    """Move a file to where it becomes an object; copy it if it lies on another file system."""
    try:
        path.rename(temporary)
        os.utime(temporary)  # it is fresh, however long its bytes took to arrive
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        shutil.copyfile(path, temporary)
        path.unlink()


def _remove_stale(incoming: Path) -> None:
    """Remove what dead processes left behind; a living one may be at work in the same folder."""
    for path in incoming.iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _STALE:
                path.unlink()
