# ruff: noqa: SLF001 - what an adapter asks of its SDK is to be seen from outside
"""Service times of this machine: the engine's own pool, and the adapters against local servers.

The servers stand in for AWS's: how long they take says nothing, so it is not used. What a call
costs the worker's processor, which calls there are, and how large items get, is the same there.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from unittest.mock import patch

from benchmarks.photographs import numbered as with_number
from benchmarks.photographs import photographs, small, with_serial
from deploy.local.aws import MiniStack, SeaweedFS
from deploy.local.cluster import Stores as Servers
from deploy.local.cluster import create_stores
from filmroll.catalog.dynamodb.schema import RECORD
from filmroll.engine.pool import EnginePool
from filmroll.instructions import Instructions, parse
from filmroll.limits import Limits
from filmroll.model import JobKind, Lane, OnDuplicate, new_id
from filmroll.ports import Picture
from filmroll.probe import HeaderProbe
from filmroll.settings import Settings, load
from filmroll.usecases.admission import Admission
from filmroll.usecases.batch.batches import Batches
from filmroll.usecases.batch.ingest import Arrival
from filmroll.usecases.batch.lines import Said
from filmroll.usecases.engines import Engines
from filmroll.usecases.images import Annotations
from filmroll.usecases.liveness import Liveness
from filmroll.usecases.process import Processing
from filmroll.usecases.spool import Held
from filmroll.usecases.upload import Declaration
from filmroll.wiring.base import Base, build_base
from filmroll.wiring.stores import Stores, open_stores

VARIANTS = (
    "resize:width=1280/output:quality=80",
    "resize:width=512/output:quality=80",
    "resize:width=200,height=200/output:format=webp",
)
_PICTURES, _ROUNDS = 24, 5
_JOBS, _ROUND, _AT_ONCE = 160, 32, 8
_GROUP = 64
_MADE = [Picture(data=os.urandom(60_000), format="jpeg", width=1280, height=853, frames=1)] * 3


@dataclass(frozen=True, slots=True)
class EngineTimes:
    """How long one original with three variants takes an engine that has a processor."""

    least: tuple[float, ...]  # s, of each picture, over the rounds
    medians: float  # of all
    original_bytes: int  # mean
    made_bytes: int  # of all three, mean


@dataclass(frozen=True, slots=True)
class Calls:
    """What the stores are asked for one image, as counted, and what that costs the worker."""

    loop: float  # s of a worker's processor, without the engine
    upload: float  # s of an Upload API's, without HTTP
    single: Mapping[str, float]  # calls of each kind, upload and job together
    bulk: Mapping[str, float]
    sizes: Mapping[str, int] = field(default_factory=dict)  # bytes of the item after each step


def engine_times(folder: Path) -> EngineTimes:
    """Send pictures through a pool of one engine, round after round, one at a time."""
    paths = photographs(folder)[:: 210 // _PICTURES][:_PICTURES]
    seconds, made = asyncio.run(_engine_times(paths))
    every = sorted(one for some in seconds for one in some)
    return EngineTimes(
        least=tuple(min(some) for some in seconds),
        medians=every[len(every) // 2],
        original_bytes=sum(path.stat().st_size for path in paths) // len(paths),
        made_bytes=made // len(paths),
    )


async def _engine_times(paths: Sequence[Path]) -> tuple[list[list[float]], int]:
    pool = EnginePool(1)
    await pool.start()
    wanted = [parse(text) for text in VARIANTS]
    seconds: list[list[float]] = [[] for _ in paths]
    made = 0
    for round_ in range(_ROUNDS):
        for path, taken in zip(paths, seconds, strict=True):
            with path.open("rb") as file:
                start = time.perf_counter()
                results = await pool.make(file, wanted, {})
                taken.append(time.perf_counter() - start)
            pictures = [one for one in results if isinstance(one, Picture)]
            assert len(pictures) == len(wanted), results
            made += sum(len(one.data) for one in pictures) if round_ == 0 else 0
    await pool.close()
    return seconds, made


def calls(folder: Path) -> Calls:
    """Have images stored and processed with the real adapters, by single uploads and in bulk."""
    body = with_serial(small(photographs(folder.parent / "photographs")[0], 1400))
    with _servers(folder) as variables, patch.dict(os.environ, variables):
        return asyncio.run(_calls(load(data=folder / "data"), body))


@contextmanager
def _servers(folder: Path) -> Iterator[Mapping[str, str]]:
    servers = Servers(SeaweedFS(folder / "seaweedfs"), MiniStack(folder / "ministack"))
    with servers.seaweedfs, servers.ministack:
        variables = servers.variables("capacity")
        create_stores(variables)
        yield variables


async def _calls(settings: Settings, body: tuple[bytes, int]) -> Calls:
    async with open_stores(settings) as stores:
        base, counted = build_base(settings, stores), _count(stores)
        bodies = [Held(with_number(body, number)) for number in range(_JOBS + _GROUP)]
        sizes: dict[str, int] = {}
        uploads, jobs = [], []
        for first in range(0, _JOBS, _ROUND):  # others may use the processors: the least counts
            taken, images = await _uploaded(base, bodies[first : first + _ROUND])
            uploads.append(taken)
            sizes["stored"] = await _size(stores, images[0])
            jobs.append(await _work(stores, base, Lane.INTERACTIVE, images))
            sizes["ready"] = await _size(stores, images[0])
        single = Counter(counted)
        items = await _batch(stores, base, bodies[_JOBS:])
        await _work(stores, base, Lane.BULK, items)
        await base.outbox.drain()
        bulk = Counter(counted)
        sizes["ready, of a batch"] = await _size(stores, items[0])
    bulk.subtract(single)
    return Calls(
        loop=min(jobs),
        upload=min(uploads),
        single={name: count / _JOBS for name, count in sorted(single.items())},
        bulk={name: count / _GROUP for name, count in sorted(bulk.items()) if count},
        sizes=sizes,
    )


def _count(stores: Stores) -> Counter[str]:
    """Count the calls of two SDK clients from now on."""
    counted: Counter[str] = Counter()

    def note(model: Any, **_: Any) -> None:
        counted[model.name] += 1

    # The ports do not know what their adapters for AWS are made of.
    for client in (stores.catalog._table._client, stores.queue._calls._client):  # type: ignore[attr-defined]
        client.meta.events.register("before-call", note)
    return counted


async def _upload(base: Base, body: Held) -> str:
    wanted = tuple(parse(text) for text in VARIANTS)
    image = await base.uploads.store(body, Declaration(annotations=Annotations(), variants=wanted))
    await base.outbox.send(image.id)
    return image.id


async def _uploaded(base: Base, bodies: Sequence[Held]) -> tuple[float, list[str]]:
    """Upload; return processor time per upload, and the images."""
    start = time.process_time()
    images = [await _upload(base, body) for body in bodies]
    return (time.process_time() - start) / len(bodies), images


async def _batch(stores: Stores, base: Base, bodies: Sequence[Held]) -> list[str]:
    batch = await Batches(stores.catalog, base.outbox).create(
        name=None, variants=VARIANTS, on_duplicate=OnDuplicate.NEW, expected_count=None,
        webhook=None, expires_in=3600,
    )  # fmt: skip
    arrivals = [Arrival(ref=new_id(), body=body, said=Said()) for body in bodies]
    verdicts = await base.ingest.take(batch, arrivals)
    await base.outbox.drain()
    return [verdict.line.image or "" for verdict in verdicts if verdict.line]


async def _work(stores: Stores, base: Base, lane: Lane, images: Sequence[str]) -> float:
    """Do the jobs of images as a worker does; return processor time per job."""
    engine = _Made()
    processing = Processing(
        blobs=stores.blobs,
        catalog=stores.catalog,
        engines=Engines(
            engines=dict.fromkeys(Lane, engine),
            admission=Admission(dict.fromkeys(Lane, _AT_ONCE), 64, 1 << 30, HeaderProbe(Limits())),
            liveness=Liveness(engine),
        ),
        errands=dict[JobKind, Any](),
        announcer=base.announcer,
    )
    left = set(images)

    async def hand() -> None:
        while left:
            for delivery in await stores.queue.receive(lane, 1, 60.0, 0.0):
                await processing.run_job(delivery.job)
                await stores.queue.ack([delivery])
                left.discard(delivery.job)

    start = time.process_time()
    await asyncio.gather(*(hand() for _ in range(_AT_ONCE)))
    return (time.process_time() - start) / len(images)


class _Made:
    """An engine that has made everything already."""

    async def make(
        self, source: BinaryIO, wanted: Sequence[Instructions], overlays: Mapping[str, BinaryIO]
    ) -> Sequence[Picture]:
        del source, overlays
        return _MADE[: len(wanted)]

    async def start(self) -> None:
        """There is nothing to start."""

    async def check(self) -> Mapping[str, str]:
        return {}

    async def close(self) -> None:
        """Nor to end."""


async def _size(stores: Stores, image: str) -> int:
    """Return how large DynamoDB takes an image's item to be."""
    item = await stores.catalog._table.get(image, RECORD)  # type: ignore[attr-defined] # no port has a table
    return sum(len(name.encode()) + _weight(value) for name, value in item.items())


def _weight(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    if kind == "N":
        return len(value.strip("-").replace(".", "")) // 2 + 2
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _weight(one) for name, one in value.items())
    if kind in {"L", "SS"}:
        return 3 + sum(1 + len(str(one)) for one in value)
    return len(value) if kind == "B" else len(str(value).encode())
