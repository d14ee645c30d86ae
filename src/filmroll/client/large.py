"""Large files: in parts, several at once, each again as often as it takes.

Nothing is kept on this side. What is resumed is begun under a key that follows from the bytes and
what is wished of them; the same again finds the upload that is there, and its parts.
"""

import asyncio
import base64
import hashlib
import itertools
import json
import os
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self, TypeGuard, TypeVar

from filmroll.client.bodies import READ_BYTES, read_range
from filmroll.client.errors import ApiError
from filmroll.client.transport import Transport
from filmroll.client.views import UploadView

PART_BYTES = 16 << 20  # what a broken line costs, at most
LARGE_BYTES = 2 * PART_BYTES
PARTS_AT_ONCE = 4
_MOST_PARTS = 10_000
_PAGE = 1_000
_KEPT_SECONDS = 7 * 86_400  # after the last part; the service allows no more
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds between two looks
_CONFLICT = 409
_GONE = frozenset({404, 410})
_ENDED = frozenset({"completed", "failed"})
_T = TypeVar("_T")


class _Piece(NamedTuple):
    """A part of a file: its number, and where it lies."""

    number: int
    start: int
    size: int


class _Source(NamedTuple):
    """An open file, and what tells one state of it from another."""

    file: BinaryIO
    size: int
    modified_ns: int

    @classmethod
    def of(cls, file: BinaryIO) -> Self:
        """Look at a file as it stands now."""
        found = os.fstat(file.fileno())
        return cls(file, found.st_size, found.st_mtime_ns)

    def cut(self, wishes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is wished, with the sizes of the file and of its parts; raise OSError."""
        if not self.size:
            raise OSError("the file is empty")
        part_bytes = max(PART_BYTES, -(-self.size // _MOST_PARTS))
        return {**wishes, "bytes": self.size, "part_bytes": part_bytes}


class Large:
    """Sends large files to one service; all of them share the places for parts."""

    def __init__(self, transport: Transport, at_once: int = PARTS_AT_ONCE) -> None:
        self._transport = transport
        self._places = asyncio.Semaphore(at_once)

    async def send(
        self,
        path: Path,
        wishes: Mapping[str, Any],
        key: str,
        count: Callable[[int], None] = lambda _: None,
    ) -> UploadView:
        """Send what an upload lacks, complete it, and return it once it has become something.

        ``wishes`` are members of ``POST /v1/uploads``. The same ``key`` goes on with the same
        upload, unless that came to nothing. ``count`` is told of bytes as they go out, of the
        negative when they have to go again. Raises ApiError for what stands against the upload,
        be it found at its end, and OSError, also if the file changes meanwhile.
        """
        with path.open("rb") as file:
            source = _Source.of(file)
            return await self._bring(source, source.cut(wishes), key, count)

    async def resume(
        self,
        path: Path,
        wishes: Mapping[str, Any],
        count: Callable[[int], None] = lambda _: None,
        *,
        sha256: str | None = None,
    ) -> UploadView:
        """Send as ``send`` does, under a key that follows from the bytes and the wishes.

        Whoever knows the bytes' ``sha256`` (hex) saves reading them once more.
        """
        with path.open("rb") as file:
            source = _Source.of(file)
            intent = source.cut({**wishes, "expires_in": _KEPT_SECONDS})
            sha256 = sha256 or await _sha256(source)
            if wishes.get("purpose") != "archive":  # to verify a whole one, it would be read twice
                intent["sha256"] = sha256
            text = json.dumps([intent, sha256], sort_keys=True)
            key = hashlib.sha256(text.encode()).hexdigest()
            return await self._bring(source, intent, key, count)

    async def _bring(
        self, source: _Source, intent: Mapping[str, Any], key: str, count: Callable[[int], None]
    ) -> UploadView:
        begun = await self._begin(intent, key)
        if begun["state"] == "open":
            try:
                await self._complete(begun, source, count)
            except ApiError as fault:  # somebody else, who sends the same, may have completed it
                if fault.status != _CONFLICT or (await self._look(begun["id"]))["state"] == "open":
                    raise
        return await self._outcome(begun)

    async def _begin(self, intent: Mapping[str, Any], key: str) -> UploadView:
        """Return the upload of a key as it stands: the newest that has not come to nothing."""
        for attempt in itertools.count():
            headers = {"Idempotency-Key": f"{key}-{attempt}"}
            begun = await self._transport.json("POST", "/v1/uploads", value=intent, headers=headers)
            try:
                found = await self._look(begun["id"])
            except ApiError as fault:
                if fault.status not in _GONE:
                    raise
            else:
                if found["state"] != "failed" and not await self._is_deleted(found["image"]):
                    return found
        raise AssertionError("counting has no end")

    async def _is_deleted(self, image: str | None) -> bool:
        """Whether what an upload has become is there no more."""
        if image is None:
            return False
        try:
            await self._transport.call("GET", f"/v1/images/{image}")
        except ApiError as fault:
            if fault.status not in _GONE:
                raise
            return True
        return False

    async def _complete(
        self, upload: UploadView, source: _Source, count: Callable[[int], None]
    ) -> None:
        """Send the missing parts; one of a file that changes meanwhile is given up for good."""
        pieces = list(_pieces(source.size, upload["part_bytes"]))
        etags = await self._here(upload["id"])
        count(sum(piece.size for piece in pieces if piece.number in etags))
        missing = [piece for piece in pieces if piece.number not in etags]
        sent = await _together(self._send(upload, source.file, piece, count) for piece in missing)
        etags |= dict(sent)
        if _Source.of(source.file) != source:
            await self._transport.call("DELETE", f"/v1/uploads/{upload['id']}")
            raise OSError("the file was changed while it was sent")
        parts = [{"n": number, "etag": etags[number]} for number in sorted(etags)]
        await self._transport.call(
            "POST",
            f"/v1/uploads/{upload['id']}/complete",
            value={"parts": parts},
            headers={"Prefer": "respond-async"},
        )

    async def _here(self, upload: str) -> dict[int, str]:
        """Return the ETags of the parts that the service has."""
        etags: dict[int, str] = {}
        cursor: str | None = ""
        while cursor is not None:
            page = await self._look(upload, cursor)
            etags |= {part["n"]: part["etag"] for part in page["items"]}
            cursor = page["next_cursor"]
        return etags

    async def _send(
        self, upload: UploadView, file: BinaryIO, piece: _Piece, count: Callable[[int], None]
    ) -> tuple[int, str]:
        """Send a part; return its number and its ETag."""
        async with self._places:
            digest = await asyncio.to_thread(_digest, file, piece)
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Length": str(piece.size),
                "Content-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
            }
            body = _Body(file, piece, count)
            path = f"/v1/uploads/{upload['id']}/parts/{piece.number}"
            answer = await self._transport.call("PUT", path, body=body, headers=headers)
            return piece.number, answer.headers["etag"].strip('"')

    async def _outcome(self, upload: UploadView) -> UploadView:
        """Wait until a completed upload has become something; raise ApiError if it cannot."""
        pause = _FIRST_PAUSE
        while (found := await self._look(upload["id"]))["state"] not in _ENDED:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if found["problem"] is not None:
            raise ApiError.of(found["problem"])
        return found

    async def _look(self, upload: str, cursor: str = "") -> UploadView:
        params = [("limit", _PAGE), *([("cursor", cursor)] if cursor else [])]
        return await self._transport.json("GET", f"/v1/uploads/{upload}", params=params)  # type: ignore[no-any-return]  # the API's promise


class _Body:
    """A part as the body of a request; begun anew at each attempt."""

    def __init__(self, file: BinaryIO, piece: _Piece, count: Callable[[int], None]) -> None:
        self._file = file
        self._piece = piece
        self._count = count
        self._counted = 0

    async def __call__(self) -> AsyncIterator[bytes]:
        self._count(-self._counted)
        self._counted = 0
        async for chunk in read_range(self._file, self._piece.start, self._piece.size):
            self._counted += len(chunk)
            self._count(len(chunk))
            yield chunk


def is_large(source: object) -> TypeGuard[str | Path]:
    """Whether something to be sent is a file that had better go in parts."""
    return isinstance(source, str | Path) and Path(source).stat().st_size > LARGE_BYTES


def said(
    name: str | None,
    tags: Sequence[str],
    variants: Sequence[str],
    metadata: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what is said of an image beside its bytes, as an upload in parts carries it."""
    wishes = {
        "name": name,
        "tags": list(tags) or None,
        "variants": list(variants) or None,
        "metadata": metadata,
    }
    return {key: value for key, value in wishes.items() if value is not None}


async def _sha256(source: _Source) -> str:
    """Return the digest (hex) of a file, read piece by piece: whoever gives up need not wait."""
    digest = hashlib.sha256()
    for piece in _pieces(source.size, PART_BYTES):
        await asyncio.to_thread(_feed, digest, source.file, piece)
    return digest.hexdigest()


def _pieces(whole: int, size: int) -> Iterator[_Piece]:
    for number, start in enumerate(range(0, whole, size), 1):
        yield _Piece(number, start, min(size, whole - start))


def _digest(file: BinaryIO, piece: _Piece) -> bytes:
    digest = hashlib.sha256()
    _feed(digest, file, piece)
    return digest.digest()


def _feed(digest: "hashlib._Hash", file: BinaryIO, piece: _Piece) -> None:
    end = piece.start + piece.size
    for start in range(piece.start, end, READ_BYTES):
        digest.update(os.pread(file.fileno(), min(READ_BYTES, end - start), start))


async def _together(works: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Do all at once; if one fails, raise that and leave none of the others behind."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
