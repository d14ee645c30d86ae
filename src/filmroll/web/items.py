"""The items of a batch: their manifest, one by one, and whole archives of them."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope as AsgiScope
from starlette.types import Send

from filmroll.errors import (
    FilmrollError,
    InvalidRequest,
    MethodNotAllowed,
    TooLarge,
    UnsupportedMedia,
)
from filmroll.model import Batch, Scope, timestamp
from filmroll.usecases.batch.ingest import Arrival
from filmroll.usecases.batch.lines import Said, Verdict, Word, require_ref
from filmroll.usecases.batch.manifest import Item
from filmroll.usecases.batch.texts import read_item, ref_of
from filmroll.web.access import Gate
from filmroll.web.fields import require_id
from filmroll.web.incoming import Incoming
from filmroll.web.problems import problem_body
from filmroll.web.requests import (
    announced_bytes,
    body_of,
    expected_digests,
    metadata_field,
    one,
    query,
    spelling,
    spool_body,
)
from filmroll.web.services import Services
from filmroll.web.streams import NDJSON, Answers, decoded, gathered, lines_of
from filmroll.web.views import json_response, line_view

LONGEST_LINE_BYTES = 64 << 10
_MANIFEST_GROUP = 500
_SMALL_BYTES = 1 << 20
_PATH = re.compile(r"/v1/batches/([^/]*)/(items|archive)(?:/([^/]*))?")
_FIELDS = ("name", "tag", "variant", "metadata")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: the feed of a batch, or with a ``ref`` one item."""

    batch: str
    feed: str  # items, archive
    ref: str | None  # percent-encoded

    @classmethod
    def of(cls, scope: AsgiScope) -> "Target | None":
        """Return the target of a request that is for this route."""
        if scope["method"] not in {"POST", "PUT"}:
            return None
        match = _PATH.fullmatch(scope["raw_path"].decode("ascii", "replace"))
        return cls(*match.groups()) if match else None

    @property
    def route(self) -> str:
        """The name under which requests are counted."""
        return f"/v1/batches/{{batch}}/{self.feed}{'/{ref}' if self.ref else ''}"

    def require_method(self, method: str) -> None:
        """Raise MethodNotAllowed for a method that another target takes."""
        wanted = "POST" if self.ref is None else "PUT"
        if method != wanted or (self.ref is not None and self.feed != "items"):
            allowed = "POST" if self.ref is None else "GET, PUT"
            raise MethodNotAllowed(f"Use one of {allowed}.", allow=allowed)


class ItemsRoute:
    """Takes items in; their bodies and answers stream."""

    def __init__(self, services: Services, gate: Gate) -> None:
        self._services = services
        self._batches = services.batches
        self._gate = gate

    async def __call__(
        self, target: Target, request: Request, incoming: Incoming, send: Send
    ) -> None:
        """Answer the request."""
        await self._gate.require(request, Scope.UPLOAD)
        require_id(target.batch)
        target.require_method(request.method)
        if target.ref is not None:
            response = await self._put(request, target.batch, _decoded(target.ref))
            await response(request.scope, incoming, send)
            return
        query(request, ())
        batch = await self._batches.get(target.batch)
        answers = Answers(send, self._services.spool_folder)
        incoming.answered_early = True
        try:
            if target.feed == "items":
                await self._manifest(request, incoming, batch, answers)
            else:
                await self._archive(request, batch, answers)
        except BaseException:
            incoming.answered_early = answers.begun
            answers.discard()
            raise
        await answers.finish()

    async def _put(self, request: Request, batch: str, ref: str) -> Response:
        require_ref(ref)
        if announced_bytes(request, self._services.settings.max_upload_bytes) > _SMALL_BYTES:
            await self._batches.get(batch)  # of a small one the group finds out
        said = await self._said(request)
        digests = expected_digests(request.headers)
        spool = self._services.spool()
        try:
            await spool_body(request, spool)
            spool.expect(digests)
            arrival = Arrival(ref=ref, body=spool, said=said)
            verdict = await self._services.gathering.take(batch, arrival)
        finally:
            spool.close()
        if verdict.problem is not None:
            raise verdict.problem
        self._count([verdict])
        assert verdict.line is not None, "what is kept has a line"
        view = line_view(verdict.line, await self._gate.links(request))
        return json_response(view, 201 if verdict.word is Word.STORED else 200)

    async def _said(self, request: Request) -> Said:
        """Read what the query says of the item; raise whatever is wrong with it."""
        fields = query(request, _FIELDS)
        variants = [spelling(text) for text in fields.get("variant", ())]
        metadata = metadata_field(one(fields, "metadata"))
        return await self._services.manifest.said(
            one(fields, "name"), fields.get("tag"), metadata, variants or None
        )

    async def _manifest(
        self, request: Request, incoming: Incoming, batch: Batch, answers: Answers
    ) -> None:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in {NDJSON, "application/jsonl", "application/json-lines"}:
            raise UnsupportedMedia(f"Send lines of JSON, with Content-Type: {NDJSON}.")
        try:
            async with aclosing(gathered(body_of(request), incoming)) as body:
                plain = decoded(body, request.headers.get("content-encoding"))
                await self._declare(request, batch, plain, answers)
        except FilmrollError as fault:
            if not answers.begun:
                raise
            answers.add([{"ref": None, "state": "broken", "problem": problem_body(fault)}])

    async def _declare(
        self, request: Request, batch: Batch, manifest: AsyncIterator[bytes], answers: Answers
    ) -> None:
        async for lines in lines_of(manifest, LONGEST_LINE_BYTES):
            for start in range(0, len(lines), _MANIFEST_GROUP):
                group = lines[start : start + _MANIFEST_GROUP]
                batch = await self._batches.get(batch.id)  # or it is closed meanwhile
                answers.add(await self._verdicts(request, batch, group))
                await asyncio.sleep(0)  # others' turn: to read the ledger waits for nothing

    async def _verdicts(
        self, request: Request, batch: Batch, lines: Sequence[tuple[int, bytes]]
    ) -> Iterable[dict[str, Any]]:
        """Declare a group of lines; return what is answered to each, in order."""
        read = [_read(line, number) for number, line in lines]
        items = [item for item in read if isinstance(item, Item)]
        verdicts = iter(await self._services.manifest.declare(batch, items))
        base = (await self._gate.links(request)).base
        return [
            _answer(next(verdicts), batch, base) if isinstance(item, Item) else item
            for item in read
        ]

    async def _archive(self, request: Request, batch: Batch, answers: Answers) -> None:
        words = (Word.STORED, Word.HAVE, Word.REJECTED, Word.SKIPPED)
        totals: dict[str, int] = dict.fromkeys(words, 0)
        end: dict[str, Any] = {"ref": None, "state": "end"}
        groups = self._services.archives.take(batch.id, body_of(request))
        try:
            async for verdicts in groups:
                self._count(verdicts)
                for verdict in verdicts:
                    totals[verdict.word] += 1
                answers.add(_member(verdict) for verdict in verdicts)
        except FilmrollError as fault:
            if not answers.begun:
                raise
            end |= {"state": "broken", "problem": problem_body(fault)}
        finally:
            with suppress(RuntimeError):
                await groups.aclose()
        answers.add([{**end, "members": sum(totals.values()), **totals}])

    def _count(self, verdicts: Iterable[Verdict]) -> None:
        stored = (one.line for one in verdicts if one.word is Word.STORED)
        self._services.metrics.uploaded_bytes.inc(sum(line.bytes or 0 for line in stored if line))


def _decoded(ref: str) -> str:
    try:
        return unquote(ref, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequest("A ref is percent-encoded UTF-8.", pointer="/ref") from None


def _read(line: bytes, number: int) -> Item | dict[str, Any]:
    """Return the item of a line, or what is answered to a line that is none."""
    try:
        if len(line) > LONGEST_LINE_BYTES:
            limit = LONGEST_LINE_BYTES
            raise TooLarge(f"A line may have at most {limit} bytes.", limit=limit)
        return read_item(line)
    except FilmrollError as fault:
        problem = problem_body(fault)
        return {"ref": ref_of(line), "line": number, "state": Word.REJECTED, "problem": problem}


def _answer(verdict: Verdict, batch: Batch, base: str) -> dict[str, Any]:
    """Return a verdict on a line of a manifest."""
    answer: dict[str, Any] = {"ref": verdict.ref, "state": verdict.word}
    image = verdict.line.image if verdict.line else None
    if image is not None:
        answer["image"] = image
    if verdict.problem is not None:
        answer["problem"] = problem_body(verdict.problem)
    if verdict.word is Word.NEED:
        answer["upload"] = {
            "method": "PUT",
            "url": f"{base}/v1/batches/{batch.id}/items/{quote(verdict.ref, safe='')}",
            "headers": {},
            "expires_at": timestamp(batch.expires_at),
        }
    return answer


def _member(verdict: Verdict) -> dict[str, Any]:
    """Return the answer to a member of an archive."""
    answer: dict[str, Any] = {"ref": verdict.ref, "state": verdict.word}
    line = verdict.line
    if line is not None:
        answer |= {"image": line.image, "sha256": line.sha256, "bytes": line.bytes}
    if verdict.problem is not None:
        answer["problem"] = problem_body(verdict.problem)
    if verdict.reason is not None:
        answer["reason"] = verdict.reason
    return answer
