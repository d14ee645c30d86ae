"""Pictures out of an original: opened, made, kept; each once however many ask for it."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import BinaryIO, NamedTuple

from filmroll.errors import (
    REFUSALS,
    Deleted,
    EngineCrashed,
    InternalError,
    ProcessingLimit,
    UnknownWatermark,
)
from filmroll.instructions import Instructions
from filmroll.model import (
    ImageState,
    Lane,
    Problem,
    Variant,
    VariantState,
    now,
    original_key,
    variant_key,
)
from filmroll.ports import BlobStore, Catalog, Fresh, Picture
from filmroll.stopwatch import Stopwatch
from filmroll.usecases.engines import Engines
from filmroll.usecases.hot import LARGEST_BYTES
from filmroll.usecases.images import raise_missing

# Faults that may be the engine's, or the hour's: another attempt may do better.
_PASSING = (EngineCrashed, ProcessingLimit, InternalError)
_PASSING_CODES = frozenset(fault.code for fault in _PASSING)

_WATERMARK_GONE = Problem.of(
    UnknownWatermark("The image that serves as watermark does not exist, or was deleted.")
)

_HASHED_AT_ONCE = 1 << 20  # bytes; more would be felt by others on the event loop

Made = Mapping[str, Fresh]  # by recipe


def passing(problem: Problem | None) -> bool:
    """Whether another attempt may not have this problem."""
    return problem is not None and problem.code in _PASSING_CODES


class _Flight(NamedTuple):
    """Variants being made now; ``recorded``: the task writes their records, too."""

    task: asyncio.Task[Made]
    recorded: bool


class Renderer:
    """Makes variants and keeps them. Only the engine's own work takes an engine's place."""

    def __init__(self, *, blobs: BlobStore, catalog: Catalog, engines: Engines) -> None:
        self._blobs = blobs
        self._catalog = catalog
        self._engines = engines
        self._flying: dict[tuple[str, str], _Flight] = {}

    def under_way(self, image: str, recipe: str) -> bool:
        """Whether this variant is being made right now."""
        return (image, recipe) in self._flying

    async def make(
        self, image: str, wanted: Sequence[Instructions], lane: Lane, *, record: bool
    ) -> Made:
        """Make variants, each once however many ask for it at the same time.

        Their bytes are kept; their records too if ``record`` says so, but for passing problems,
        else the caller writes them. Work goes on when the caller leaves: others may wait for it.
        """
        keys = {(image, one.recipe()): one for one in wanted}
        mine = [one for key, one in keys.items() if key not in self._flying]
        if mine:
            task = asyncio.create_task(self._render(image, mine, lane, record=record))
            for one in mine:
                key = (image, one.recipe())
                self._flying[key] = _Flight(task, record)
                task.add_done_callback(partial(self._landed, key))
        made: dict[str, Fresh] = {}
        for flight in {self._flying[key] for key in keys}:
            arrived = await asyncio.shield(flight.task)
            if record and not flight.recorded:  # a job's, which may come to write them or not
                asked = [arrived[recipe].variant for _, recipe in keys if recipe in arrived]
                await self._record(image, asked)
            made |= arrived
        return {recipe: made[recipe] for _, recipe in keys}

    async def discard_if_deleted(self, image: str, variants: Sequence[Variant]) -> None:
        """Remove bytes that were written too late for the deletion of their image to find them."""
        found = await self._catalog.get_image(image)
        if found is None or found.state is ImageState.DELETED:
            await self._blobs.delete([variant_key(image, one.recipe) for one in variants])

    def _landed(self, key: tuple[str, str], _: "asyncio.Task[Made]") -> None:
        self._flying.pop(key, None)

    async def _render(
        self, image: str, wanted: Sequence[Instructions], lane: Lane, *, record: bool
    ) -> Made:
        watch = Stopwatch()
        try:
            results = await self._results(image, wanted, lane, watch)
        except _PASSING:
            raise
        except REFUSALS as fault:
            results = dict.fromkeys(wanted, Problem.of(fault))
        kept = (self._keep(image, one, results[one]) for one in wanted)
        variants = await asyncio.gather(*kept)
        if record:
            await self._record(image, variants)
        watch.lap("store")
        spent = _spent(watch.laps, results.values())
        return {variant.recipe: Fresh(variant=variant, spent=spent) for variant in variants}

    async def _record(self, image: str, variants: Sequence[Variant]) -> None:
        lasting = [variant for variant in variants if not passing(variant.problem)]
        if not await self._catalog.put_variants(image, lasting):
            await self._blobs.delete([variant_key(image, each.recipe) for each in variants])
            raise Deleted("This image was deleted while its variant was made.")

    async def _results(
        self, image: str, wanted: Sequence[Instructions], lane: Lane, watch: Stopwatch
    ) -> dict[Instructions, Picture | Problem]:
        async with AsyncExitStack() as files:
            source = await self._blobs.open(original_key(image))
            if source is None:
                await raise_missing(self._catalog, image)
            files.enter_context(source)
            marks = dict.fromkeys(mark for one in wanted for mark in one.watermarks)
            overlays: dict[str, BinaryIO | None] = {}
            for mark in marks:
                overlays[mark] = overlay = await self._open_watermark(mark)
                if overlay is not None:
                    files.enter_context(overlay)
            possible = [one for one in wanted if all(overlays[mark] for mark in one.watermarks)]
            there = {mark: overlay for mark, overlay in overlays.items() if overlay is not None}
            made: Mapping[Instructions, Picture | Problem] = {}
            watch.lap("fetch")
            if possible:
                made = await self._engines.make(lane, source, possible, there)
                watch.lap("engine")
        results: dict[Instructions, Picture | Problem] = dict.fromkeys(wanted, _WATERMARK_GONE)
        results |= made
        return results

    async def _open_watermark(self, mark: str) -> BinaryIO | None:
        record = await self._catalog.get_image(mark)
        if record is None or record.state is ImageState.DELETED:
            return None
        return await self._blobs.open(original_key(mark))

    async def _keep(
        self, image: str, instructions: Instructions, result: Picture | Problem
    ) -> Variant:
        """Write the bytes of a result to its key and return the record."""
        variant = Variant(
            image=image,
            recipe=instructions.recipe(),
            instructions=instructions.canonical(),
            state=VariantState.FAILED,
            created_at=now(),
        )
        if isinstance(result, Problem):
            return replace(variant, problem=result)
        sha256 = await _sha256(result.data)
        key = variant_key(image, variant.recipe)
        # Readers hold small ones against their digest, large ones only against their size.
        lasting = len(result.data) > LARGEST_BYTES
        await self._blobs.put(key, result.data, sha256, lasting=lasting)
        return replace(
            variant,
            state=VariantState.READY,
            format=result.format,
            width=result.width,
            height=result.height,
            frames=result.frames,
            bytes=len(result.data),
            sha256=sha256,
        )


def _spent(laps: Mapping[str, float], results: Iterable[Picture | Problem]) -> Mapping[str, float]:
    """Return the seconds of each step; what the engine itself did not need was waiting for it."""
    inside = next((one.spent for one in results if isinstance(one, Picture)), {})
    waited = max(0.0, laps.get("engine", 0.0) - sum(inside.values()))
    return {
        "queue": waited,
        "fetch": laps.get("fetch", 0.0),
        **inside,
        "store": laps.get("store", 0.0),
    }


async def _sha256(data: bytes) -> str:
    if len(data) <= _HASHED_AT_ONCE:
        return hashlib.sha256(data).hexdigest()
    return await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
