"""Making variants: for a job from the queue, or for someone who waits."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from filmroll.errors import (
    Deleted,
    EngineCrashed,
    InternalError,
    InvalidRequest,
    NotFound,
    TooLarge,
    UnknownWatermark,
    UnsupportedMedia,
)
from filmroll.instructions import Instructions, parse
from filmroll.model import (
    Image,
    ImageState,
    Job,
    JobState,
    Lane,
    Problem,
    Variant,
    VariantState,
    now,
    original_key,
    variant_key,
)
from filmroll.ports import BlobStore, Catalog, Engine, Picture
from filmroll.usecases.admission import Admission

LEASE_SECONDS = 60.0
MAX_CRASHES = 3  # attempts after which an image that kills its decoder is given up
MAX_ATTEMPTS = 20  # attempts after which a job is given up whatever the reason
LONGEST_DELAY_SECONDS = 300.0

# Faults of the image or of its instructions: trying again would change nothing.
_PERMANENT = (InvalidRequest, UnsupportedMedia, TooLarge)

_WATERMARK_GONE = Problem.of(
    UnknownWatermark("The image that serves as watermark does not exist, or was deleted.")
)

_Made = Mapping[str, Variant]  # by recipe


class Processing:
    """The processing role: implements ``ports.Processor`` on an engine of this process."""

    def __init__(
        self, blobs: BlobStore, catalog: Catalog, engine: Engine, admission: Admission
    ) -> None:
        self._blobs = blobs
        self._catalog = catalog
        self._engine = engine
        self._admission = admission
        self._flying: dict[tuple[str, str], asyncio.Task[_Made]] = {}

    async def run_job(self, job: str) -> Job | None:
        """Run a job until it is final, given back, or another worker holds it."""
        known = await self._catalog.get_job(job)
        if known is None or known.state.final:
            return known
        async with self._admission.slot(known.lane):
            while claimed := await self._catalog.claim_job(job, now(), LEASE_SECONDS):
                if not await self._attempt(claimed):
                    break
        return await self._catalog.get_job(job)

    async def make_variant(self, image: str, instructions: Instructions) -> Variant:
        """Return the kept variant, or make and keep it; raise what stands against it."""
        recipe = instructions.recipe()
        variant = await self._catalog.get_variant(image, recipe)
        if variant is None:
            original = await self._living(image)
            try:
                made = await self._make(original, [instructions], slot=Lane.INTERACTIVE)
            except EngineCrashed:  # perhaps not by this image: look once more before blaming it
                made = await self._make(original, [instructions], slot=Lane.INTERACTIVE)
            variant = made[recipe]
        if variant.problem is not None:
            raise variant.problem.error()
        return variant

    async def _attempt(self, job: Job) -> bool:
        """Make one attempt at a claimed job, write down how it ended; True: try again at once."""
        async with self._kept_alive(job):
            try:
                image = await self._living(job.image)
                wanted = [parse(text) for text in job.instructions]
                made = await self._make(image, wanted, slot=None)
            except EngineCrashed as fault:
                if job.attempts < MAX_CRASHES:
                    return await self._give_back(job, delay=0.0)
                await self._end(job, Problem.of(fault))
            except (*_PERMANENT, NotFound, Deleted) as fault:
                await self._end(job, Problem.of(fault))
            except Exception:
                await self._after_trouble(job)
                raise
            else:
                problems = [variant.problem for variant in made.values() if variant.problem]
                await self._end(job, problems[0] if problems else None)
        return False

    async def _give_back(self, job: Job, delay: float) -> bool:
        again = replace(job, state=JobState.QUEUED, lease_until=0.0, due_at=now() + delay)
        return await self._catalog.finish_job(again, None, ())

    async def _after_trouble(self, job: Job) -> None:
        """Try again later, for long: a store is away, or it is a defect, not the image's fault."""
        if job.attempts < MAX_ATTEMPTS:
            delay = min(2.0**job.attempts, LONGEST_DELAY_SECONDS)
            await self._give_back(job, delay)
        else:
            fault = InternalError(f"The job failed {job.attempts} times; the log says why.")
            await self._end(job, Problem.of(fault))

    async def _end(self, job: Job, problem: Problem | None) -> None:
        state = JobState.FAILED if problem else JobState.SUCCEEDED
        image = await self._catalog.get_image(job.image)
        if image is not None:
            image = _after_job(image, job, problem)
        ended = replace(job, state=state, problem=problem, finished_at=now())
        await self._catalog.finish_job(ended, image, ())

    @asynccontextmanager
    async def _kept_alive(self, job: Job) -> AsyncIterator[None]:
        """Extend the job's lease for as long as the attempt lasts."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(LEASE_SECONDS / 3)
                await self._catalog.extend_job(job, now() + LEASE_SECONDS)

        heart = asyncio.create_task(beat())
        try:
            yield
        finally:
            heart.cancel()
            with suppress(asyncio.CancelledError):
                await heart

    async def _living(self, image: str) -> Image:
        found = await self._catalog.get_image(image)
        if found is None:
            raise NotFound("There is no image with this id.")
        if found.state is ImageState.DELETED:
            raise Deleted("This image was deleted, and its variants with it.")
        return found

    async def _make(self, image: Image, wanted: Sequence[Instructions], slot: Lane | None) -> _Made:
        """Make variants, each once however many ask for it at the same time.

        Work goes on when the caller leaves: others may wait for it, and it is kept anyway.
        """
        keys = {(image.id, one.recipe()): one for one in wanted}
        mine = [one for key, one in keys.items() if key not in self._flying]
        if mine:
            task = asyncio.create_task(self._render(image, mine, slot))
            for one in mine:
                key = (image.id, one.recipe())
                self._flying[key] = task
                task.add_done_callback(partial(self._landed, key))
        made: dict[str, Variant] = {}
        for task in {self._flying[key] for key in keys}:
            made |= await asyncio.shield(task)
        return {recipe: made[recipe] for _, recipe in keys}

    def _landed(self, key: tuple[str, str], _: "asyncio.Task[_Made]") -> None:
        self._flying.pop(key, None)

    async def _render(
        self, image: Image, wanted: Sequence[Instructions], slot: Lane | None
    ) -> _Made:
        if slot is None:
            return await self._render_now(image, wanted)
        async with self._admission.slot(slot):
            return await self._render_now(image, wanted)

    async def _render_now(self, image: Image, wanted: Sequence[Instructions]) -> _Made:
        try:
            results = await self._results(image, wanted)
        except EngineCrashed:
            raise  # the next attempt may do better: nothing is kept
        except _PERMANENT as fault:
            results = dict.fromkeys(wanted, Problem.of(fault))
        variants = [await self._keep(image, one, results[one]) for one in wanted]
        if not await self._catalog.put_variants(image.id, variants):
            await self._blobs.delete([variant_key(image.id, one.recipe()) for one in wanted])
            raise Deleted("This image was deleted while its variant was made.")
        return {variant.recipe: variant for variant in variants}

    async def _results(
        self, image: Image, wanted: Sequence[Instructions]
    ) -> dict[Instructions, Picture | Problem]:
        async with AsyncExitStack() as files:
            source = await self._blobs.open(original_key(image.id))
            if source is None:
                raise Deleted("This image was deleted, and its variants with it.")
            files.enter_context(source)
            marks = dict.fromkeys(mark for one in wanted for mark in one.watermarks)
            overlays = {mark: await self._open_watermark(mark) for mark in marks}
            for overlay in overlays.values():
                if overlay is not None:
                    files.enter_context(overlay)
            possible = [one for one in wanted if all(overlays[mark] for mark in one.watermarks)]
            there = {mark: overlay for mark, overlay in overlays.items() if overlay is not None}
            made = await self._engine.make(source, possible, there) if possible else ()
        results: dict[Instructions, Picture | Problem] = dict.fromkeys(wanted, _WATERMARK_GONE)
        results |= dict(zip(possible, made, strict=True))
        return results

    async def _open_watermark(self, mark: str) -> BinaryIO | None:
        record = await self._catalog.get_image(mark)
        if record is None or record.state is ImageState.DELETED:
            return None
        return await self._blobs.open(original_key(mark))

    async def _keep(
        self, image: Image, instructions: Instructions, result: Picture | Problem
    ) -> Variant:
        """Write the bytes of a result to its key and return the record."""
        variant = Variant(
            image=image.id,
            recipe=instructions.recipe(),
            instructions=instructions.canonical(),
            state=VariantState.FAILED,
            created_at=now(),
        )
        if isinstance(result, Problem):
            return replace(variant, problem=result)
        sha256 = hashlib.sha256(result.data).hexdigest()
        await self._blobs.put(variant_key(image.id, variant.recipe), result.data, sha256)
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


def _after_job(image: Image, job: Job, problem: Problem | None) -> Image:
    """Return what a job's end makes of its image.

    Only the job of the upload itself decides whether the image is ready: later variants that
    fail say so themselves.
    """
    if job.id != image.id:
        return image
    state = ImageState.FAILED if problem else ImageState.READY
    return replace(image, state=state, problem=problem, version=image.version + 1)
