"""Blobs in a bucket of S3, or of a store that speaks like it.

An object of up to 16 MiB is one request; a larger one goes in parts, and is seen once all are
there. S3 answers when the bytes are durable, and verifies a checksum of each request on arrival.
"""

# ruff: noqa: D102 - ports.BlobStore says what each method promises

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from filmroll import durable
from filmroll.aws import client, permit
from filmroll.blobs.checks import check_digest, check_key, check_prefix, round_trip
from filmroll.blobs.order import Order
from filmroll.blobs.s3_direct import S3Direct
from filmroll.errors import FilmrollError, StorageFull, StoreUnavailable
from filmroll.place import Place
from filmroll.ports import Blob, BlobInfo

if TYPE_CHECKING:  # they exist for type checkers only
    from obstore import GetResult
    from obstore.store import ClientConfig, RetryConfig, S3Config

_SMALL = 1 << 20  # bytes; more than that is hashed and written in a thread
_SMALL_AT_ONCE = 32
_LARGE_AT_ONCE = 8  # each holds up to six parts in memory
_LARGE_PATIENCE = 600.0  # s: one of them may take as long
_ONE_REQUEST = 16 << 20  # bytes; more than that goes in parts
_PART = 8 << 20
_PARTS_AT_ONCE = 4
_CHUNK = 4 << 20  # of a download
_DOWNLOADS = 3  # attempts at one that breaks off; each resumes a few times by itself
_PAGE = 1000  # S3 lists no more at once

_CONNECT = timedelta(seconds=2)
_SILENCE = timedelta(seconds=30)  # in which a request must have been sent, or a byte have come
_LONGEST = timedelta(minutes=10)  # of one request
_RETRIES = 6
_RETRYING = timedelta(seconds=15)

_NO_BUCKET = "<Code>NoSuchBucket</Code>"
_FULL = ("507 Insufficient Storage", "<Code>QuotaExceeded</Code>")

Taken = TypeVar("Taken")


class _BrokenOff(Exception):
    """An object did not come to its end."""


@asynccontextmanager
async def open_s3(place: Place, folder: Path) -> AsyncIterator["S3Blobs"]:
    """Open the bucket that ``place`` names; objects that are opened lie in ``folder`` meanwhile."""
    with durable.translated():
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with client(place) as direct:
        blobs = S3Blobs(place, folder, direct)
        try:
            yield blobs
        finally:
            await blobs.close()


class S3Blobs(S3Direct):
    """Objects of a bucket under a common prefix. Several processes may share it.

    Writes on one key happen in the order of the calls, as far as they come from this process.
    """

    def __init__(self, place: Place, folder: Path, direct: Any) -> None:
        """``direct`` signs what clients send by themselves."""
        super().__init__(direct, place)
        self._store = _store(place)
        self._folder = folder
        self._order = Order()
        self._small = asyncio.Semaphore(_SMALL_AT_ONCE)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def put(
        self,
        key: str,
        body: bytes | Path,
        sha256: str,
        *,
        lasting: bool = True,  # noqa: ARG002 - S3 answers when it is durable, in any case
    ) -> None:
        work = partial(self._put, check_key(key), body, sha256)
        await self._order.write([key], work)

    async def put_all(self, blobs: Sequence[Blob]) -> None:
        outcomes = await asyncio.gather(
            *(self.put(blob.key, blob.body, blob.sha256) for blob in blobs),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def read(self, key: str) -> bytes | None:
        return await self._fetch(check_key(key), _in_memory)

    async def open(self, key: str) -> BinaryIO | None:
        return await self._fetch(check_key(key), self._in_file)

    async def delete(self, keys: Sequence[str], *, older_than: float | None = None) -> None:
        named = tuple(dict.fromkeys(check_key(key) for key in keys))
        if named:
            await self._order.write(named, partial(self._delete, named, older_than))

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        # The library's prefixes end where a folder does, ours anywhere.
        folder = check_prefix(prefix).rpartition("/")[0]
        with _translated():
            async for page in obstore.list(self._store, folder or None, chunk_size=_PAGE):
                for found in page:
                    if found["path"].startswith(prefix):
                        yield BlobInfo(
                            key=found["path"],
                            bytes=found["size"],
                            modified_at=found["last_modified"].timestamp(),
                        )

    async def check(self) -> None:
        await round_trip(self, "bucket")

    async def close(self) -> None:
        await self._order.close()

    async def _put(self, key: str, body: bytes | Path, sha256: str) -> None:
        try:
            size = await _examine(body, sha256)
            async with self._permit(size):
                with _translated():
                    await obstore.put_async(
                        self._store,
                        key,
                        body,
                        use_multipart=size > _ONE_REQUEST,
                        chunk_size=_PART,
                        max_concurrency=_PARTS_AT_ONCE,
                    )
        finally:
            if isinstance(body, Path):
                await asyncio.to_thread(body.unlink, missing_ok=True)

    def _permit(self, size: int) -> AbstractAsyncContextManager[None]:
        if size <= _SMALL:
            return permit(self._small)
        return permit(self._large, _LARGE_PATIENCE)

    async def _delete(self, keys: Sequence[str], older_than: float | None) -> None:
        if older_than is not None:
            ages = await asyncio.gather(*(self._modified_at(key) for key in keys))
            keys = [key for key, at in zip(keys, ages, strict=True) if at and at < older_than]
        if keys:
            with _translated():
                await obstore.delete_async(self._store, keys)

    async def _modified_at(self, key: str) -> float | None:
        with _translated():
            try:
                found = await obstore.head_async(self._store, key)
            except FileNotFoundError:
                return None
        return found["last_modified"].timestamp()

    async def _fetch(
        self, key: str, take: Callable[["GetResult"], Awaitable[Taken]]
    ) -> Taken | None:
        """Take an object that comes to its end, or None; again if it breaks off on the way."""
        fault: Exception | None = None
        for _ in range(_DOWNLOADS):
            found = await self._get(key)
            if found is None:
                return None
            try:
                return await take(found)
            except (BaseError, FileNotFoundError, _BrokenOff) as exc:
                fault = exc
        raise StoreUnavailable("The blob store breaks off its answers.") from fault

    async def _get(self, key: str) -> "GetResult | None":
        with _translated():
            try:
                return await obstore.get_async(self._store, key)
            except FileNotFoundError as exc:
                if _NO_BUCKET in str(exc):
                    raise
                return None

    async def _in_file(self, found: "GetResult") -> BinaryIO:
        """Return a file without a name that holds an object: a crash leaves nothing of it."""
        with durable.translated():
            file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - the caller closes it
        try:
            size = 0
            async for chunk in found.stream(_CHUNK):
                size += len(chunk)
                await _append(file, chunk)
            _require(found, size)
            with durable.translated():
                file.seek(0)
        except BaseException:
            file.close()
            raise
        return file


def _store(place: Place) -> S3Store:
    # A certificate for *.s3.amazonaws.com does not hold for a bucket with a dot in its name.
    hosted = place.endpoint is None and "." not in place.name
    config: S3Config = {"checksum_algorithm": "SHA256", "virtual_hosted_style_request": hosted}
    if place.region is not None:
        config["region"] = place.region
    if place.endpoint is not None:
        config["endpoint"] = place.endpoint
    options: ClientConfig = {
        "allow_http": place.endpoint is not None and place.endpoint.startswith("http:"),
        "connect_timeout": _CONNECT,
        "read_timeout": _SILENCE,
        "timeout": _LONGEST,
    }
    retries: RetryConfig = {
        "max_retries": _RETRIES,
        "retry_timeout": _RETRYING,
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=2),
            "base": 3,
        },
    }
    return S3Store(
        place.name,
        prefix=place.path or None,
        config=config,
        client_options=options,
        retry_config=retries,
    )


async def _examine(body: bytes | Path, sha256: str) -> int:
    """Return the size of a body; raise DigestMismatch for bytes with another digest."""
    if isinstance(body, Path):
        with durable.translated():
            return (await asyncio.to_thread(body.stat)).st_size
    if len(body) > _SMALL:
        await asyncio.to_thread(check_digest, body, sha256)
    else:
        check_digest(body, sha256)
    return len(body)


async def _in_memory(found: "GetResult") -> bytes:
    body = bytes(await found.bytes_async())
    _require(found, len(body))
    return body


async def _append(file: BinaryIO, chunk: bytes) -> None:
    with durable.translated():
        if len(chunk) > _SMALL:
            await asyncio.to_thread(file.write, chunk)
        else:
            file.write(chunk)


def _require(found: "GetResult", size: int) -> None:
    if size != found.meta["size"]:
        raise _BrokenOff(f"{size} bytes came of {found.meta['size']}")


@contextmanager
def _translated() -> Iterator[None]:
    """Turn every error of the library into StoreUnavailable or StorageFull."""
    try:
        yield
    except (BaseError, OSError) as exc:  # FileNotFoundError says that there is no such bucket
        raise _refusal(exc) from exc


def _refusal(error: Exception) -> FilmrollError:
    told = str(error)
    if any(sign in told for sign in _FULL):
        return StorageFull("There is no room left in the blob store. This was not kept.")
    return StoreUnavailable("The blob store cannot be reached. Nothing was kept.")
