"""A batch: many images under names of the client's, sent in any order, again at will."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from filmroll.client.bodies import Source, content
from filmroll.client.large import Large, is_large, said
from filmroll.client.transport import Body, Transport, annotations, ndjson
from filmroll.client.views import (
    BatchView,
    LineState,
    LineView,
    ManifestLine,
    MemberVerdict,
    Verdict,
)

FINAL = frozenset({"completed", "completed_with_errors", "cancelled", "expired"})
LINES_AT_ONCE = 2_000  # in one request: a broken connection costs no more than that
_POLL_SECONDS = 30
_SHORTEST_POLL = 0.5  # a batch at work changes all the time
_NDJSON = {"Content-Type": "application/x-ndjson"}


class AsyncBatch:
    """A handle on a batch; ``view`` is how it stood when it was last heard of."""

    def __init__(self, transport: Transport, view: BatchView) -> None:
        self._transport = transport
        self._path = f"/v1/batches/{view['id']}"
        self._etag: str | None = None
        self.view = view

    @property
    def id(self) -> str:
        """The batch's id."""
        return self.view["id"]

    async def get(self) -> BatchView:
        """Look at the batch as it stands now."""
        return await self._view("GET")

    async def seal(self, expected_count: int | None = None) -> BatchView:
        """Say that nothing more will come; twice is harmless.

        Raises ApiError (409) if there are not ``expected_count`` lines.
        """
        value = {} if expected_count is None else {"expected_count": expected_count}
        return await self._view("POST", "/seal", value)

    async def retry(self) -> BatchView:
        """Let failed lines go again whose bytes the service has, or fetches itself."""
        return await self._view("POST", "/retry")

    async def cancel(self) -> BatchView:
        """Take nothing more in and begin nothing more; images that are kept stay."""
        return await self._view("DELETE")

    async def wait(self, seconds: float | None = None) -> BatchView:
        """Wait until a sealed batch has come to its end; raise TimeoutError after ``seconds``."""
        until = None if seconds is None else time.monotonic() + seconds
        while self.view["state"] not in FINAL:
            left = _POLL_SECONDS if until is None else until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"batch {self.id} is still {self.view['state']}")
            await self.changed(min(left, _POLL_SECONDS))
        return self.view

    async def changed(self, seconds: float) -> BatchView:
        """Wait for a change, ``seconds`` at most, and return the batch as it is then."""
        began = time.monotonic()
        headers = {"Prefer": f"wait={max(1, round(seconds))}"}
        if self._etag:
            headers["If-None-Match"] = self._etag
        view = await self._view("GET", headers=headers)
        await asyncio.sleep(max(0, began + min(seconds, _SHORTEST_POLL) - time.monotonic()))
        return view

    async def items(self, lines: Iterable[ManifestLine]) -> AsyncGenerator[Verdict, None]:
        """Say what is to come, or is to be fetched; yield a verdict a line, in order.

        Any number of lines; saying them again is harmless, and tells what is still needed.
        """
        rest = iter(lines)
        while some := list(itertools.islice(rest, LINES_AT_ONCE)):
            for verdict in await self.ask(some):
                yield verdict

    async def ask(self, lines: Sequence[ManifestLine]) -> list[Verdict]:
        """Send a few thousand lines at once; return their verdicts, in order."""
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)

        async def once() -> list[Verdict]:
            async with self._transport.stream(
                "POST", f"{self._path}/items", body=body, headers=_NDJSON
            ) as answer:
                verdicts = [verdict async for verdict in ndjson(answer)]
            if len(verdicts) < len(lines) or verdicts[-1]["state"] == "broken":
                raise self._transport.cut_off()
            return verdicts

        return await self._transport.patiently(once)

    async def put(
        self,
        ref: str,
        source: Source | Body,
        *,
        name: str | None = None,
        variants: Sequence[str] = (),
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> LineView:
        """Send the bytes of one item; sending the same again is harmless.

        A large file, named by its path, goes in parts; after a break only what is missing goes.
        Raises ApiError: 409 for other bytes under a ``ref``, 415 or 422 for what is no image.
        """
        if is_large(source):
            wishes = {"batch": self.id, "ref": ref, **said(name, tags, variants, metadata)}
            await Large(self._transport).resume(Path(source), wishes)
            return await self.line(ref)
        body, headers = _body(source)
        return await self._transport.json(  # type: ignore[no-any-return]  # the API's promise
            "PUT",
            self._line(ref),
            body=body,
            params=annotations(name, tags, variants, metadata),
            headers={**headers, "Content-Type": "application/octet-stream"},
        )

    async def line(self, ref: str) -> LineView:
        """Look at one line of the ledger; raises ApiError (404) if there is none."""
        return await self._transport.json("GET", self._line(ref))  # type: ignore[no-any-return]  # as above

    async def archive(self, source: Source | Body) -> AsyncGenerator[MemberVerdict, None]:
        """Send a tar, tar.gz, tar.zst or zip; yield a verdict a member, and at last the sum.

        What was yielded is true even if Unreachable, or a last line ``broken``, follows. Nothing
        is repeated by itself: send the archive again, and only the rest is stored.
        """
        body, headers = _body(source)
        async with self._transport.stream(
            "POST", f"{self._path}/archive", body=body, headers=headers
        ) as answer:
            state = ""
            async for verdict in ndjson(answer):
                state = verdict["state"]
                yield verdict
        if state not in {"end", "broken"}:
            raise self._transport.cut_off()

    async def unpack(self, archive: Path) -> BatchView:
        """Send an archive of any size in parts; return the batch once it has all the members.

        After a break only the missing parts go. Each member has its line in ``results``. Raises
        ApiError (415, 422) for what is no archive, or not a whole one: what could be read is kept.
        """
        wishes = {"purpose": "archive", "batch": self.id, "name": archive.name}
        await Large(self._transport).resume(archive, wishes)
        return await self.get()

    async def results(self, state: LineState | None = None) -> AsyncGenerator[LineView, None]:
        """Yield the lines of the ledger, in order; of one state, or all."""
        async with self._transport.stream(
            "GET", f"{self._path}/results", params=[("state", state)] if state else None
        ) as answer:
            async for line in ndjson(answer):
                yield line

    def _line(self, ref: str) -> str:
        return f"{self._path}/items/{quote(ref, safe='')}"

    async def _view(
        self, method: str, suffix: str = "", value: Any = None, **options: Any
    ) -> BatchView:
        answer = await self._transport.call(method, self._path + suffix, value=value, **options)
        if answer.status_code != httpx.codes.NOT_MODIFIED:
            self.view = answer.json()
            self._etag = answer.headers.get("etag")
        return self.view


def _body(source: Source | Body) -> tuple[Body, dict[str, str]]:
    """Return a body and the header that tells its size, where it is known."""
    if callable(source):
        return source, {}
    body, size = content(source)
    return body, {"Content-Length": str(size)}
