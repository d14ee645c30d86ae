"""Bringing items into one batch: asking what is missing, sending it, and never twice."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TypeVar

from filmroll.client.batches import AsyncBatch
from filmroll.client.errors import ApiError, ClientError
from filmroll.client.files import Archive, Fault, File, Link
from filmroll.client.flight import Flight, Reading
from filmroll.client.large import LARGE_BYTES, Large
from filmroll.client.parcels import SMALL_BYTES
from filmroll.client.tally import Tally
from filmroll.client.tar import pack, read
from filmroll.client.transport import Transport
from filmroll.client.views import ManifestLine, MemberVerdict, Problem, Verdict

_CONFLICT, _UNAVAILABLE = 409, 503
_OF_THE_ITEM = frozenset({400, 409, 413, 415, 422})  # refusals that say nothing of the next one
_T = TypeVar("_T")


class Missing(Exception):
    """A batch that takes nothing more lacks something."""


class Courier:
    """Brings files to one batch and keeps the tally; many tasks may share it."""

    def __init__(
        self,
        transport: Transport,
        batch: AsyncBatch,
        large: Large,
        tally: Tally,
        threads: Executor,
    ) -> None:
        self._transport = transport
        self._batch = batch
        self._large = large
        self._tally = tally
        self._threads = threads
        self._open = batch.view["state"] == "open"

    async def ask(self, items: Sequence[File | Link], arrived: str = "have") -> list[File]:
        """Return the files whose bytes the batch needs; raise Missing if it takes none.

        ``arrived`` is how to count what it has.
        """
        described, faults = await self._in_thread(lambda: _describe(items))
        for fault in faults:
            self._tally.fault(fault)
        verdicts = await self._batch.ask([line for _, line in described]) if described else ()
        needed = []
        for (item, line), verdict in zip(described, verdicts, strict=True):
            state = verdict["state"]
            if state in {"have", "queued"}:
                self._tally.settle(item, arrived if state == "have" else state)
            elif not self._open and _is_closed(verdict):
                raise Missing
            elif state == "need" and isinstance(item, File):
                needed.append(item._replace(sha256=line["sha256"]))
            else:
                self._tally.fail(item, verdict.get("problem", {}))
        return needed

    async def send_shard(self, files: Sequence[File]) -> None:
        """Send small files as one tar; after a break only those that did not arrive, again."""
        pending = {file.ref: file for file in files}
        patience = self._transport.patience()
        while pending:
            before = len(pending)
            try:
                await self._stream(pending)
            except ClientError as fault:
                if len(pending) < before:
                    patience.renew()
                await patience.pause(fault)
                needed = await self.ask(list(pending.values()), arrived="stored")
                pending = {file.ref: file for file in needed}

    async def send_alone(self, item: File | Archive) -> None:
        """Send one file of any size, or an archive of any number of them."""
        flight = Flight(self._tally)
        try:
            if isinstance(item, Archive):
                await self._unpack(item, flight)
            elif item.size > LARGE_BYTES:
                await self._send_parts(item, flight)
            else:
                await self._put(item, flight)
        except OSError as fault:
            self._tally.fault(_fault(item, fault))
        except ApiError as refusal:
            if refusal.status == _CONFLICT and not self._open:
                raise Missing from refusal
            if refusal.status not in _OF_THE_ITEM or not await self._is_open():
                raise
            self._tally.fail(item, refusal.problem)
        finally:
            flight.land()

    async def _put(self, file: File, flight: Flight) -> None:
        reading = Reading(Path(file.path), flight)
        line = await self._batch.put(file.ref, reading)
        self._settle(file, "stored", line.get("sha256"), reading.sha256)

    async def _send_parts(self, file: File, flight: Flight) -> None:
        wishes = {"batch": self._batch.id, "ref": file.ref}
        await self._large.resume(Path(file.path), wishes, flight.add, sha256=file.sha256)
        self._tally.settle(file, "stored")

    async def _unpack(self, archive: Archive, flight: Flight) -> None:
        """Send an archive; each of its members has a line of its own in the ledger."""
        wishes = {"purpose": "archive", "batch": self._batch.id, "name": archive.ref}
        await self._large.resume(Path(archive.path), wishes, flight.add)
        self._tally.settle(archive, "stored" if flight.bytes else "have")
        self._tally.unpacked += 1

    async def _stream(self, pending: dict[str, File]) -> None:
        """Send a tar of what is pending, and take out of it what is settled."""
        hashes: dict[str, str] = {}
        faults: dict[str, OSError] = {}
        flying = Flight(self._tally)
        files = list(pending.values())

        async def body() -> AsyncIterator[bytes]:
            chunks = pack(files, hashes, faults)
            while chunk := await self._in_thread(lambda: next(chunks, b"")):
                flying.add(len(chunk))
                yield chunk

        broken: MemberVerdict | None = None
        busy: MemberVerdict | None = None
        try:
            async for verdict in self._batch.archive(body):
                broken = verdict if verdict["state"] == "broken" else None
                if _is_busy(verdict):  # not the item's fault: it stays pending
                    busy = verdict
                    continue
                # What the service leaves out of an archive goes alone.
                if verdict["ref"] in pending and verdict["state"] != "skipped":
                    file = pending.pop(verdict["ref"])
                    self._judge(file, verdict, hashes[file.ref])
        finally:
            flying.land()
        if passing := broken or busy:
            raise self._transport.cut_off(passing.get("problem", {}).get("detail"))
        for ref, fault in faults.items():
            self._tally.fault(_fault(pending.pop(ref), fault))
        for ref, file in list(pending.items()):
            await self.send_alone(file)
            del pending[ref]

    def _judge(self, file: File, verdict: MemberVerdict, sha256: str) -> None:
        if verdict["state"] == "rejected":
            self._tally.fail(file, verdict.get("problem", {}))
        else:
            self._settle(file, verdict["state"], verdict.get("sha256"), sha256)

    def _settle(self, file: File, state: str, theirs: str | None, ours: str) -> None:
        if theirs in {None, ours}:
            self._tally.settle(file, state)
        else:
            self._tally.fail(file, _altered(ours, theirs))

    async def _is_open(self) -> bool:
        return (await self._batch.get())["state"] == "open"

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _is_closed(verdict: Verdict) -> bool:
    """Whether a batch has no place for an item, rather than that something is wrong with it."""
    return verdict.get("problem", {}).get("code") == "conflict" or verdict["state"] == "need"


def _is_busy(verdict: MemberVerdict) -> bool:
    """Whether an item was refused because the service could not keep it just then."""
    return verdict.get("problem", {}).get("status") == _UNAVAILABLE


def _describe(
    items: Sequence[File | Link],
) -> tuple[list[tuple[File | Link, ManifestLine]], list[Fault]]:
    """Return items with their manifest lines; reads every file."""
    described: list[tuple[File | Link, ManifestLine]] = []
    faults = []
    for item in items:
        if isinstance(item, Link):
            described.append((item, item.line))
            continue
        try:
            sha256 = _sha256(item)
        except OSError as fault:
            faults.append(_fault(item, fault))
        else:
            line = {**(item.said or {}), "ref": item.ref, "sha256": sha256, "bytes": item.size}
            described.append((item, line))  # type: ignore[arg-type]  # the service judges what is said
    return described, faults


def _sha256(file: File) -> str:
    if file.size <= SMALL_BYTES:
        return hashlib.sha256(read(file)).hexdigest()
    with Path(file.path).open("rb") as body:
        return hashlib.file_digest(body, "sha256").hexdigest()


def _fault(file: File | Archive, fault: OSError) -> Fault:
    return Fault(file.ref, file.path, fault.strerror or str(fault))


def _altered(ours: str, theirs: str | None) -> Problem:
    return {
        "title": "Altered on the way",
        "code": "digest-mismatch",
        "detail": "The service has other bytes than the file. Send it again.",
        "expected": ours,
        "actual": theirs,
    }
