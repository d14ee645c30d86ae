"""``GET|HEAD /i/batches/{id}.zip`` and ``.tar``: a whole batch, written while it is sent."""

import re
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, closing
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Self, cast
from urllib.parse import unquote_to_bytes

import structlog
from starlette.requests import Request
from starlette.types import Send

from filmroll.archives.writers import File, TarWriter, Writer, ZipWriter
from filmroll.errors import FilmrollError, Forbidden, MethodNotAllowed, NotFound
from filmroll.instructions import Instructions, presets_alone
from filmroll.model import Batch, now
from filmroll.usecases.batch.export import Exported, Omitted
from filmroll.usecases.batch.naming import FAILURES
from filmroll.web.access import Gate
from filmroll.web.incoming import Incoming
from filmroll.web.problems import problem_body
from filmroll.web.representation import COMMON_WHOLE, Headers, attachment, chunks
from filmroll.web.requests import one, query
from filmroll.web.services import Services
from filmroll.web.streams import deliver, ndjson

EXPORTS = "/i/batches/"
_PATH = re.compile(EXPORTS.encode() + rb"([0-9a-z]{26})\.(zip|tar)")
_FIELDS = ("variant", "exp", "kid", "sig")
_WRITERS: Mapping[str, Callable[[], Writer]] = {"zip": ZipWriter, "tar": TarWriter}
_CONTENT_TYPES: Mapping[str, bytes] = {"zip": b"application/zip", "tar": b"application/x-tar"}
_METHODS = "GET, HEAD"
_LONGEST_NAME = 150  # characters
_CHUNK_BYTES = 256 << 10
_CHUNK_SECONDS = 1.0  # that bytes are held back, where items come slowly
_IN_MEMORY_BYTES = 1 << 20

log = structlog.get_logger()


class ExportRoute:
    """Hands out batches. Once bytes flow there is one way to say no: to break the connection."""

    def __init__(self, services: Services, gate: Gate) -> None:
        self._batches = services.batches
        self._downloads = services.downloads
        self._export = services.export
        self._presets_only = services.settings.presets_only
        self._spool_folder = services.spool_folder
        self._gate = gate

    async def __call__(self, request: Request, incoming: Incoming, send: Send) -> None:
        """Answer one request."""
        if request.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed("Archives are read with GET or HEAD.", allow=_METHODS)
        match = _PATH.fullmatch(request.scope["raw_path"])
        if match is None:
            raise NotFound("Here are batches: /i/batches/<id>.zip or .tar.")
        batch_id, kind = match[1].decode(), match[2].decode()
        text = one(query(request, _FIELDS), "variant")
        if self._presets_only and text is not None and not presets_alone(text):
            raise Forbidden("This service delivers presets only.")
        await self._gate.require_delivery(request, _signed_part(request), preset=False)
        batch = await self._batches.get(batch_id)
        instructions = None if text is None else await self._downloads.instructions(text)
        start = {"type": "http.response.start", "status": 200, "headers": _headers(batch, kind)}
        if request.method == "HEAD":
            await send(start)
            await send({"type": "http.response.body"})
            return
        parts = self._parts(batch, instructions, _WRITERS[kind]())
        try:
            await deliver(start, _joined(parts), incoming, send)
        except FilmrollError:
            log.exception("export broken off", batch=batch.id)
            raise

    async def _parts(
        self, batch: Batch, instructions: Instructions | None, writer: Writer
    ) -> AsyncGenerator[bytes]:
        """Yield the archive."""
        with _Failures(self._spool_folder) as failures:
            async with aclosing(self._export.items(batch, instructions)) as items:
                async for item in items:
                    if isinstance(item, Omitted):
                        failures.add(item)
                        continue
                    with closing(item):
                        async for part in _entry(writer, item):
                            yield part
            if failures:
                async for part in _entry(writer, failures.exported()):
                    yield part
        yield writer.end()


class _Failures:
    """The last file of an archive from which items are missing: a line for each of them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lines = SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115 -- closed by ``__exit__``
        self._crc = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()

    def __bool__(self) -> bool:
        return self._lines.tell() > 0

    def add(self, item: Omitted) -> None:
        """Note what is missing, and why."""
        problem = problem_body(item.problem)
        line = ndjson([{"ref": item.ref, "image": item.image, "problem": problem}])
        self._lines.write(line)
        self._crc = zlib.crc32(line, self._crc)

    def exported(self) -> Exported:
        """Return the file."""
        size = self._lines.tell()
        file = File(name=FAILURES, bytes=size, crc=self._crc, modified_at=now())
        return Exported(file, cast("BinaryIO", self._lines))


async def _entry(writer: Writer, item: Exported) -> AsyncIterator[bytes]:
    yield writer.before(item.file)
    if isinstance(item.body, bytes):
        yield item.body
    else:
        async for chunk in chunks(item.body, 0, item.file.bytes):
            yield chunk
    yield writer.after(item.file)


async def _joined(parts: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Join what is small: a turn through the server costs more than a small picture."""
    held: list[bytes] = []
    size, since = 0, time.monotonic()
    async with aclosing(parts):
        async for part in parts:
            held.append(part)
            size += len(part)
            if size >= _CHUNK_BYTES or time.monotonic() - since > _CHUNK_SECONDS:
                yield b"".join(held)
                held.clear()
                size, since = 0, time.monotonic()
    yield b"".join(held)


def _signed_part(request: Request) -> bytes:
    """Return what a signature is over: the path, and the variant as the URL spells it."""
    path: bytes = request.scope["raw_path"]
    fields: list[bytes] = request.scope["query_string"].split(b"&")
    variant = [field for field in fields if unquote_to_bytes(field.split(b"=")[0]) == b"variant"]
    return b"?".join((path, *variant))


def _headers(batch: Batch, kind: str) -> Headers:
    name = f"{(batch.name or batch.id)[:_LONGEST_NAME]}.{kind}"
    return [
        *COMMON_WHOLE,
        (b"cache-control", b"private, no-store"),
        (b"content-type", _CONTENT_TYPES[kind]),
        attachment(name, f"{batch.id}.{kind}"),
    ]
