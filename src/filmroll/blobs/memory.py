"""Blobs in memory: for tests, and for trying Filmroll without leaving a trace."""

# ruff: noqa: D102 - ports.BlobStore says what each method promises

import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import BinaryIO

from filmroll.blobs.checks import check_digest, check_key, check_prefix
from filmroll.model import now
from filmroll.ports import Blob, BlobInfo


class MemoryBlobs:
    """A dictionary of objects that ends with the process."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, float]] = {}

    async def put(
        self,
        key: str,
        body: bytes | Path,
        sha256: str,
        *,
        lasting: bool = True,  # noqa: ARG002 -- nothing here outlasts the process
    ) -> None:
        check_key(key)
        if isinstance(body, Path):
            body = _take_over(body)
        else:
            check_digest(body, sha256)
        self._objects[key] = body, now()

    async def put_all(self, blobs: Sequence[Blob]) -> None:
        for blob in blobs:
            await self.put(blob.key, blob.body, blob.sha256)

    async def read(self, key: str) -> bytes | None:
        found = self._objects.get(check_key(key))
        return None if found is None else found[0]

    async def open(self, key: str) -> BinaryIO | None:
        body = await self.read(key)
        if body is None:
            return None
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        file.write(body)
        file.seek(0)
        return file

    async def delete(self, keys: Sequence[str], *, older_than: float | None = None) -> None:
        for key in keys:
            _, modified_at = self._objects.get(check_key(key), (b"", 0.0))
            if older_than is None or modified_at < older_than:
                self._objects.pop(key, None)

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        check_prefix(prefix)
        for key, (body, modified_at) in tuple(self._objects.items()):
            if key.startswith(prefix):
                yield BlobInfo(key=key, bytes=len(body), modified_at=modified_at)

    async def check(self) -> None:
        pass

    async def close(self) -> None:
        self._objects.clear()


def _take_over(path: Path) -> bytes:
    body = path.read_bytes()
    path.unlink()
    return body
