"""Reading ``multipart/form-data`` as it streams: each file goes into a spool of its own."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from filmroll.errors import IncompleteBody, InvalidRequest, MalformedRequest, TooLarge
from filmroll.usecases.spool import Spool, require_digests
from filmroll.web.requests import expected_digests

MAX_FILES = 1_000
_MAX_FIELDS = 1_000
_MAX_FIELD_BYTES = 65_536


@dataclass(slots=True)
class FilePart:
    """One ``file`` of a form."""

    name: str | None
    spool: Spool


@dataclass(slots=True)
class Form:
    """What a form held, in its order."""

    files: list[FilePart] = field(default_factory=list)
    fields: dict[str, list[str]] = field(default_factory=dict)

    def close(self) -> None:
        """Forget all bodies."""
        for part in self.files:
            part.spool.close()


async def read_form(request: Request, make_spool: Callable[[], Spool], limit: int) -> Form:
    """Read a form of at most ``limit`` bytes in all; its spools are sealed.

    Raises MalformedRequest for a broken form, TooLarge over the limits; keeps nothing then.
    """
    reader = _Reader(request, make_spool)
    announced = expected_digests(request.headers)
    digest = hashlib.sha256()
    total = 0
    try:
        async for chunk in request.stream():
            total += len(chunk)
            _require_room(total, limit)
            if announced:
                digest.update(chunk)
            await reader.feed(chunk)
        await reader.end()
        require_digests(digest.digest() if announced else b"", announced)
    except ClientDisconnect:
        reader.form.close()
        raise IncompleteBody("The connection ended before the form did.") from None
    except FormParserError as fault:
        reader.form.close()
        raise MalformedRequest("The form is broken: its boundaries do not fit.") from fault
    except BaseException:
        reader.form.close()
        raise
    return reader.form


def _require_room(total: int, limit: int) -> None:
    if total > limit:
        raise TooLarge(
            f"A form may have at most {limit} bytes in all. Send the files one by one.",
            limit=limit,
        )


class _Reader:
    """Collects what the parser calls back with; spools are written between two chunks."""

    def __init__(self, request: Request, make_spool: Callable[[], Spool]) -> None:
        _, options = parse_options_header(request.headers.get("content-type", ""))
        boundary = options.get(b"boundary")
        if not boundary:
            raise MalformedRequest("multipart/form-data needs a boundary in Content-Type.")
        self.form = Form()
        self._make_spool = make_spool
        self._events: list[tuple[str, bytes]] = []
        self._header = b""
        self._headers: dict[str, str] = {}
        self._field: str | None = None
        self._value = b""
        self._spool: Spool | None = None
        self._ended = False
        self._parser = MultipartParser(boundary, self._callbacks())

    async def feed(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        self._parser.write(chunk)
        events, self._events = self._events, []
        for name, data in events:
            await self._handle(name, data)

    async def end(self) -> None:
        """Check that the form is whole."""
        self._parser.finalize()
        if not self._ended:
            raise MalformedRequest("The form ended before its last boundary.")

    def _callbacks(self) -> Any:
        def noting_data(name: str) -> Callable[[bytes, int, int], None]:
            return lambda data, start, end: self._events.append((name, data[start:end]))

        def noting(name: str) -> Callable[[], None]:
            return lambda: self._events.append((name, b""))

        return {
            "on_part_begin": noting("part_begin"),
            "on_header_field": noting_data("header_field"),
            "on_header_value": noting_data("header_value"),
            "on_header_end": noting("header_end"),
            "on_headers_finished": noting("headers_finished"),
            "on_part_data": noting_data("part_data"),
            "on_part_end": noting("part_end"),
            "on_end": noting("end"),
        }

    async def _handle(self, event: str, data: bytes) -> None:
        match event:
            case "part_begin":
                self._headers, self._header, self._value = {}, b"", b""
                self._field = self._spool = None
            case "header_field":
                self._header += data
            case "header_value":
                self._value += data
            case "header_end":
                self._headers[self._header.decode("latin-1").lower()] = self._value.decode(
                    "utf-8", "replace"
                )
                self._header = self._value = b""
            case "headers_finished":
                self._open_part()
            case "part_data":
                await self._take(data)
            case "part_end":
                await self._close_part()
            case _:
                self._ended = True

    def _open_part(self) -> None:
        disposition = self._headers.get("content-disposition", "")
        _, options = parse_options_header(disposition.encode())
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name == "file":
            if len(self.form.files) >= MAX_FILES:
                raise TooLarge(f"A form may have at most {MAX_FILES} files.", limit=MAX_FILES)
            self._spool = self._make_spool()
            filename = options.get(b"filename", b"").decode("utf-8", "replace")
            self.form.files.append(FilePart(filename or None, self._spool))
        else:
            self._field = name

    async def _take(self, data: bytes) -> None:
        if self._spool is not None:
            await self._spool.write(data)
            return
        self._value += data
        if len(self._value) > _MAX_FIELD_BYTES:
            raise TooLarge(
                f"A field of a form may have at most {_MAX_FIELD_BYTES} bytes; "
                "images go under the name `file`.",
                limit=_MAX_FIELD_BYTES,
                pointer=f"/{(self._field or '')[:40]}",
            )

    async def _close_part(self) -> None:
        if self._spool is not None:
            await self._spool.seal()
            return
        try:
            value = self._value.decode()
        except UnicodeDecodeError:
            raise InvalidRequest("Fields are UTF-8.", pointer=f"/{self._field}") from None
        if sum(map(len, self.form.fields.values())) >= _MAX_FIELDS:
            raise TooLarge(f"A form may have at most {_MAX_FIELDS} fields.", limit=_MAX_FIELDS)
        self.form.fields.setdefault(self._field or "", []).append(value)
