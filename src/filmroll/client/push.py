"""Pushing: walk, hash, ask, pack and send, each at its own pace, in flat memory.

Nothing of a push is kept on this side: the batch's ledger knows what has arrived, and the same
push again finds the batch by its name.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NoReturn, Protocol, TypedDict, TypeGuard

from filmroll.client.batches import FINAL, AsyncBatch
from filmroll.client.courier import Courier, Missing
from filmroll.client.files import Archive, Fault, File, Item
from filmroll.client.large import Large
from filmroll.client.parcels import Packing, Parcel, portions
from filmroll.client.sources import Sources
from filmroll.client.tally import Tally
from filmroll.client.transport import Transport
from filmroll.client.views import ImageView, OnDuplicate

_CHUNK = 2_000  # items
_CHUNKS_AHEAD = 64  # the walk runs ahead, so that soon all is counted
_ASKERS = 2  # while the service thinks about one chunk the next is hashed
_THREADS = 2
_POLL_SECONDS = 2
_GONE = frozenset({"cancelled", "expired"})


class PushSummary(TypedDict):
    """What came of a push; ``bytes`` are those of the files sent now."""

    batch: str
    name: str | None
    state: str
    found: int
    sent: int
    had: int  # were there before
    queued: int  # for the service to fetch
    failed: int
    bytes: int
    seconds: float  # until all of it had arrived
    waited: float  # seconds after that, for the service to make variants and to fetch


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How to push. Without ``name`` the batch gets that of its sources, wishes and host."""

    name: str | None = None
    variants: Sequence[str] = ()
    tags: Sequence[str] = ()
    on_duplicate: OnDuplicate = "reuse"
    streams: int = 4
    seal: bool = True
    wait: bool = True


class Service(Protocol):
    """What a push needs of a client."""

    def images(self, *, limit: int) -> AsyncIterator[ImageView]:
        """Yield images."""

    async def find_batch(self, name: str) -> AsyncBatch | None:
        """Return the newest batch of a name."""

    async def create_batch(
        self, *, name: str | None, variants: Sequence[str], on_duplicate: OnDuplicate
    ) -> AsyncBatch:
        """Begin a batch."""


class Push:
    """One push, from the first look at the service to the end of its batch."""

    def __init__(
        self, client: Service, transport: Transport, sources: Sources, wishes: Wishes, tally: Tally
    ) -> None:
        self._client = client
        self._transport = transport
        self._sources = sources
        self._wishes = wishes
        self._tally = tally

    async def run(self) -> PushSummary:
        """Push, seal, wait."""
        with ThreadPoolExecutor(_THREADS, "push") as threads:
            batch = await self._bring_all(threads)
        seconds = self._tally.arrived()
        if batch.view["state"] not in FINAL:
            await self._finish(batch)
        elif self._tally.unpacked:  # the rest was asked for, one by one
            await self._note_failures(batch)
        return self._summary(batch, seconds)

    async def _finish(self, batch: AsyncBatch) -> None:
        """Seal a batch, wait for it, and note what has failed in it."""
        if self._wishes.seal and batch.view["state"] == "open":
            self._tally.batch = await batch.seal()
        if self._wishes.wait:
            await self._watch(batch)
        await self._note_failures(batch)

    async def _note_failures(self, batch: AsyncBatch) -> None:
        """Tell of lines that failed after all had arrived; of an archive's, nobody else does."""
        if self._tally.unpacked:
            self._tally.batch = await batch.get()
        elif batch.view["state"] == "open":
            return
        if batch.view["counts"]["failed"]:
            async for line in batch.results("failed"):
                self._tally.failed_later(line, self._sources.path_of(line["ref"]))

    async def _bring_all(self, threads: Executor) -> AsyncBatch:
        """Return the batch in which everything is, or has failed."""
        name = self._wishes.name or self._sources.name(*self._wishes.variants, *self._wishes.tags)
        batch = await self._client.find_batch(name)
        if batch and batch.view["state"] not in _GONE and await self._bring(batch, threads):
            return batch
        # All of it goes to the new one, not only what the old one lacks: so the newest batch
        # always answers for the whole, and what is kept already costs no bytes.
        on_duplicate = "reuse" if batch else self._wishes.on_duplicate
        batch = await self._client.create_batch(
            name=name, variants=self._wishes.variants, on_duplicate=on_duplicate
        )
        self._tally.restart()
        # An empty service has nothing. Of another it costs little to ask, less than most links do.
        asking = on_duplicate != "new" and not await self._is_empty()
        await self._bring(batch, threads, asking=asking)
        return batch

    async def _is_empty(self) -> bool:
        return await anext(self._client.images(limit=1), None) is None

    async def _bring(self, batch: AsyncBatch, threads: Executor, *, asking: bool = True) -> bool:
        """Bring everything into a batch; False if it takes no more but something is missing."""
        self._tally.batch = batch.view
        large = Large(self._transport, self._wishes.streams)
        courier = Courier(self._transport, batch, large, self._tally, threads)
        line = _Line(courier, self._tally, self._wishes.streams, asking=asking)
        try:
            await line.run(self._sources.items(), threads)
        except BaseExceptionGroup as group:
            if isinstance(_first(group), Missing):
                return False
            _raise(_first(group))
        return True

    async def _watch(self, batch: AsyncBatch) -> None:
        """Wait for what the service still has to do."""
        while batch.view["state"] == "sealed":
            self._tally.batch = await batch.changed(_POLL_SECONDS)

    def _summary(self, batch: AsyncBatch, seconds: float) -> PushSummary:
        tally = self._tally
        return {
            "batch": batch.id,
            "name": batch.view["name"],
            "state": batch.view["state"],
            "found": tally.found,
            "sent": tally.sent,
            "had": tally.had,
            "queued": tally.queued,
            "failed": tally.failed,
            "bytes": tally.sent_bytes,
            "seconds": round(seconds, 3),
            "waited": round(tally.seconds - seconds, 3),
        }


class _Line:
    """The assembly line: walk → ask → pack → send, with short queues between."""

    def __init__(self, courier: Courier, tally: Tally, streams: int, *, asking: bool) -> None:
        self._courier = courier
        self._tally = tally
        self._streams = streams
        self._asking = asking
        self._packing = Packing()
        self._chunks: asyncio.Queue[list[Item]] = asyncio.Queue(_CHUNKS_AHEAD)
        self._parcels: asyncio.Queue[Parcel] = asyncio.Queue(streams)

    async def run(self, items: Iterator[Item], threads: Executor) -> None:
        """Raise what goes wrong, in an ExceptionGroup."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._walk(items, threads))
            tasks.create_task(self._plan())
            for _ in range(self._streams):
                tasks.create_task(self._send())

    async def _walk(self, items: Iterator[Item], threads: Executor) -> None:
        loop = asyncio.get_running_loop()
        while chunk := await loop.run_in_executor(threads, _take, items):
            for item in chunk:
                self._tally.add(item)
            await self._chunks.put(chunk)
        self._tally.walked = True
        for _ in range(_ASKERS):
            await self._chunks.put([])  # nothing follows

    async def _plan(self) -> None:
        async with asyncio.TaskGroup() as askers:
            for _ in range(_ASKERS):
                askers.create_task(self._ask())
        for parcel in (*self._packing.rest(), *([[]] * self._streams)):
            await self._parcels.put(parcel)

    async def _ask(self) -> None:
        while chunk := await self._chunks.get():
            for portion in portions(chunk):
                for parcel in self._packing.add(await self._needed(portion)):
                    await self._parcels.put(parcel)

    async def _needed(self, chunk: Sequence[Item]) -> list[File | Archive]:
        """Return the files of a chunk that are to be sent."""
        plain: list[File | Archive] = []
        asked = []
        for item in chunk:
            if isinstance(item, Fault):
                self._tally.fault(item)
            elif isinstance(item, Archive) or self._goes_unasked(item):
                plain.append(item)
            else:  # what is said of an image goes with its line; its bytes go their own way
                asked.append(item)
        return [*plain, *await self._courier.ask(asked)]

    def _goes_unasked(self, item: Item) -> TypeGuard[File]:
        return isinstance(item, File) and not item.said and not self._asking

    async def _send(self) -> None:
        while parcel := await self._parcels.get():
            if isinstance(parcel, Archive):
                await self._courier.send_alone(parcel)
            elif len(parcel) == 1:
                await self._courier.send_alone(parcel[0])
            else:
                await self._courier.send_shard(parcel)


def _take(items: Iterator[Item]) -> list[Item]:
    return list(itertools.islice(items, _CHUNK))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _raise(error: BaseException) -> NoReturn:
    raise error
