"""The use cases of batches on stores in memory, which can be told to fail at a certain call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filmroll.archives import ArchiveLimits
from filmroll.blobs.memory import MemoryBlobs
from filmroll.catalog.memory import MemoryCatalog
from filmroll.errors import StoreUnavailable
from filmroll.limits import Limits
from filmroll.migration import Sources
from filmroll.model import Action, Batch, BatchState, Line, OnDuplicate, new_id, now
from filmroll.ports import Fetched, Sink
from filmroll.probe import HeaderProbe
from filmroll.queues.memory import MemoryQueue
from filmroll.usecases.batch.acting import Acting
from filmroll.usecases.batch.archive import Archives
from filmroll.usecases.batch.batches import Batches
from filmroll.usecases.batch.fetching import Fetching
from filmroll.usecases.batch.ingest import Arrival, Ingest
from filmroll.usecases.batch.lines import Said, Verdict
from filmroll.usecases.batch.manifest import Manifest
from filmroll.usecases.batch.turns import Turns
from filmroll.usecases.images import Images
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.spool import Held, Spools
from filmroll.usecases.upload import Uploads
from filmroll.usecases.webhooks.announcing import Announcer
from tests.contract.ledger import lines_of, summed

MIB = 1 << 20
SMALL = "resize:width=20"


class Epochs:
    """Knows nothing: there are no caches here."""

    def stamp(self, image: str) -> int:  # noqa: ARG002 -- the port's form
        return 0

    def bump(self, image: str) -> None:
        pass


class Origin:
    """Gives what lies under a URL, or raises it."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []

    async def fetch(
        self,
        url: str,
        sink: Sink,
        limit: int | None = None,  # noqa: ARG002 -- the port's form
        allowed: Callable[[str], bool] | None = None,  # noqa: ARG002 -- as above
    ) -> Fetched:
        self.asked.append(url)
        page = self.pages[url]
        if isinstance(page, Exception):
            raise page
        await sink.write(page)
        return Fetched(url=url, content_type=None, name=None)


class Broken:
    """A store on whose method the n-th call fails: before it is done, or with its answer lost."""

    def __init__(self, store: Any, method: str, number: int, *, done: bool) -> None:
        self.calls = 0
        call: Callable[..., Awaitable[Any]] = getattr(store, method)

        async def broken(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == number and not done:
                raise StoreUnavailable("away")
            answer = await call(*args, **kwargs)
            if self.calls == number:
                raise StoreUnavailable("its answer was lost")
            return answer

        setattr(store, method, broken)


@dataclass
class Yard:
    """Everything that batches need, in this process."""

    folder: Path
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        probe, announcer = HeaderProbe(Limits()), Announcer(self.catalog)
        self.spools = Spools(self.folder / "spool", 8 * MIB)
        self.outbox = Outbox(self.catalog, self.queue)
        self.images = Images(self.blobs, self.catalog, Epochs(), announcer)
        self.batches = Batches(self.catalog, self.outbox)
        self.manifest = Manifest(self.catalog, self.outbox, 8 * MIB)
        kept = {"blobs": self.blobs, "catalog": self.catalog, "probe": probe}
        self.ingest = Ingest(**kept, outbox=self.outbox, announcer=announcer)
        self.archives = Archives(
            catalog=self.catalog,
            ingest=self.ingest,
            manifest=self.manifest,
            spool=self.spools.new,
            limits=ArchiveLimits(member_bytes=8 * MIB),
        )
        self.acting = Acting(self.catalog, self.images, self.outbox)
        self.fetching = Fetching(
            fetcher=self.origin,
            blobs=self.blobs,
            catalog=self.catalog,
            ingest=self.ingest,
            uploads=Uploads(**kept, announcer=announcer),
            outbox=self.outbox,
            turns=Turns(self.catalog, self.outbox),
            spool=self.spools.new,
            max_bytes=8 * MIB,
            sources=Sources([]),
        )

    async def open(
        self, *variants: str, on_duplicate: OnDuplicate = OnDuplicate.NEW, **fields: Any
    ) -> Batch:
        whole = {"id": new_id(), "state": BatchState.OPEN, "created_at": now()}
        batch = Batch(
            **whole | {"expires_at": now() + 999, "on_duplicate": on_duplicate} | fields,
            variants=variants,
        )
        return await self.catalog.add_batch(batch)

    async def act(self, action: Action, where: dict[str, Any], *variants: str) -> Batch:
        return await self.batches.act(
            action, name=None, where=where, variants=variants, webhook=None
        )

    async def take(self, batch: Batch, *items: tuple[str, bytes]) -> list[Verdict]:
        arrivals = [Arrival(ref=ref, body=Held(body), said=Said()) for ref, body in items]
        return list(await self.ingest.take(batch, arrivals))

    async def ledger(self, batch: Batch) -> dict[str, Line]:
        """Return the lines, once the sums of the batch agree with them."""
        lines = await lines_of(self.catalog, batch.id)
        found = await self.catalog.get_batch(batch.id)
        assert found is not None
        assert found.counts == summed(lines)
        return {line.ref: line for line in lines}

    async def stored(self) -> set[str]:
        """Return the ids of the images whose bytes are in the store."""
        return {blob.key.rpartition("/")[2] async for blob in self.blobs.list("o/")}

    async def jobs_sent(self) -> int:
        """Return how many messages wait in the queue, of all lanes."""
        await self.outbox.drain()
        return len(self.queue._messages)

    def spooled(self) -> list[Path]:
        folder = self.folder / "spool"
        return list(folder.iterdir()) if folder.is_dir() else []


async def chunks(body: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]
        await asyncio.sleep(0)
