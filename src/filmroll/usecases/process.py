"""Doing the work: for a job from the queue, or for someone who waits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from typing import TypeVar

from filmroll.errors import (
    REFUSALS,
    Conflict,
    Deleted,
    DigestMismatch,
    EngineCrashed,
    FetchUnavailable,
    InternalError,
    NotFound,
    Overloaded,
)
from filmroll.instructions import Instructions, parse_canonical
from filmroll.model import (
    ImageState,
    Info,
    Job,
    JobKind,
    JobState,
    Lane,
    Outcome,
    Problem,
    Variant,
    VariantState,
    now,
)
from filmroll.ports import BlobStore, Catalog, Fresh
from filmroll.usecases.avif import is_avif_job
from filmroll.usecases.describe import Describer
from filmroll.usecases.engines import Engines
from filmroll.usecases.errands import Errand, NotNow, called_off
from filmroll.usecases.formats import set_apart
from filmroll.usecases.images import living
from filmroll.usecases.outbox import OVERDUE_SECONDS
from filmroll.usecases.render import Made, Renderer, passing
from filmroll.usecases.webhooks.announcing import Announcer

T = TypeVar("T")

LEASE_SECONDS = 60.0
MAX_CRASHES = 3  # attempts after which an image that is too much for the engine is given up
MAX_ATTEMPTS = 20  # attempts after which a job is given up whatever the reason
LONGEST_DELAY_SECONDS = 300.0
MAX_FETCHES = 6  # attempts after which another server is given up


class Processing:
    """The processing role: implements ``ports.Processor`` on an engine of this process."""

    def __init__(
        self,
        *,
        blobs: BlobStore,
        catalog: Catalog,
        engines: Engines,
        errands: Mapping[JobKind, Errand],
        announcer: Announcer,
    ) -> None:
        self._catalog = catalog
        self._announcer = announcer
        self._errands = errands
        self._admission = engines.admission
        self._renderer = Renderer(blobs=blobs, catalog=catalog, engines=engines)
        self._describer = Describer(blobs=blobs, catalog=catalog, engines=engines)

    async def run_job(self, job: str) -> Job | None:
        """Run a job until it is final, given back, or another worker holds it."""
        while claimed := await self._catalog.claim_job(job, now(), LEASE_SECONDS):
            if await called_off(self._catalog, claimed):
                return await self._catalog.cancel_job(job, now())
            with await self._place(claimed):
                if claimed.attempts > MAX_ATTEMPTS:  # nobody lived to tell why the others failed
                    fault = EngineCrashed(f"Work on it ended without a word {MAX_ATTEMPTS} times.")
                    return await self._end(claimed, Problem.of(fault))
                if after := await self._attempt(claimed):
                    return after
        known = await self._catalog.get_job(job)
        if known is None or known.state.final or not await called_off(self._catalog, known):
            return known
        return await self._catalog.cancel_job(job, now())

    async def make_variant(
        self, image: str, instructions: Instructions, *, again: bool = False
    ) -> Fresh:
        """Return the kept variant, or make and keep it; raise what stands against it."""
        recipe = instructions.recipe()
        kept = None if again else await self._catalog.get_variant(image, recipe)
        if kept is not None and not passing(kept.problem):
            fresh = Fresh(variant=kept)
        else:
            await living(self._catalog, image)
            with self._place_unless(self._renderer.under_way(image, recipe)):
                fresh = await _twice(lambda: self._make_now(image, instructions))
        if fresh.variant.problem is not None:
            raise fresh.variant.problem.error()
        return fresh

    async def make_info(self, image: str) -> Info:
        """Return the kept information, or look at the picture and keep what it shows."""
        info = await self._catalog.get_info(image)
        if info is not None and info.current:
            return info
        await living(self._catalog, image)
        with self._place_unless(self._describer.under_way(image)):
            return await _twice(lambda: self._describer.describe(image, Lane.INTERACTIVE))

    def _place_unless(self, under_way: bool) -> AbstractContextManager[object]:  # noqa: FBT001 -- the question of its name
        """Return a place for somebody who waits; who waits for what others do needs none."""
        return nullcontext() if under_way else self._admission.place(Lane.INTERACTIVE)

    async def _place(self, claimed: Job) -> AbstractContextManager[object]:
        """Return a place for a job that needs an engine.

        Raises Overloaded where there is none; that is no attempt.
        """
        if claimed.kind is not JobKind.VARIANTS:
            return nullcontext()
        try:
            return self._admission.place(claimed.lane)
        except Overloaded:
            await self._catalog.release_job(claimed, now() + OVERDUE_SECONDS)
            raise

    async def _make_now(self, image: str, instructions: Instructions) -> Fresh:
        made = await self._renderer.make(image, [instructions], Lane.INTERACTIVE, record=True)
        return made[instructions.recipe()]

    async def _attempt(self, job: Job) -> Job | None:
        """Make one attempt at a claimed job, write down how it ended, and return that.

        None if there is to be another attempt, or somebody else has made one meanwhile.
        """
        async with self._kept_alive(job):
            made: Made = {}
            try:
                if job.kind is JobKind.VARIANTS:
                    made = await self._variants(job)
                elif job.kind is JobKind.INFO:
                    await self._look(job)
                else:
                    job = await self._errands[job.kind](job)
                problem = _worst(made)
            except NotNow as fault:
                await self._catalog.release_job(job, now() + fault.seconds)
                if fault.given_back:
                    fault.given_back()
                return await self._catalog.get_job(job.id)
            except FetchUnavailable as fault:
                if job.attempts < MAX_FETCHES and not job.kept_source:
                    await self._give_back(job, _pause(job, fault))
                    return await self._catalog.get_job(job.id)
                problem = Problem.of(fault)
            except (*REFUSALS, NotFound, Deleted, Conflict, DigestMismatch) as fault:
                problem = Problem.of(fault)
            except Exception:
                await self._after_trouble(job)
                raise
            if passing(problem) and job.attempts < MAX_CRASHES:
                await self._give_back(job, delay=0.0)
                return None
            return await self._end(job, problem, [one.variant for one in made.values()])

    async def _variants(self, job: Job) -> Made:
        wanted = [parse_canonical(text) for text in job.instructions]
        apart = await set_apart(self._catalog, job.image, wanted)
        at_once = [one for one in wanted if one not in apart]
        return await self._renderer.make(job.image, at_once, job.lane, record=False)

    async def _look(self, job: Job) -> None:
        """Describe the image of a job, unless that has been done."""
        info = await self._catalog.get_info(job.image)
        if info is None or not info.current:
            await self._describer.describe(job.image, job.lane)

    async def _give_back(self, job: Job, delay: float) -> None:
        rested = now() + delay
        again = replace(job, state=JobState.QUEUED, lease_until=rested, due_at=rested)
        await self._catalog.finish_job(again, None, ())

    async def _after_trouble(self, job: Job) -> None:
        """Try again later, for long: a store is away, or it is a defect, not the image's fault."""
        if job.attempts < MAX_ATTEMPTS:
            delay = min(2.0**job.attempts, LONGEST_DELAY_SECONDS)
            await self._give_back(job, delay)
        else:
            fault = InternalError(f"The job failed {job.attempts} times; the log says why.")
            await self._end(job, Problem.of(fault))

    async def _end(
        self, job: Job, problem: Problem | None, variants: Sequence[Variant] = ()
    ) -> Job | None:
        state = JobState.FAILED if problem else JobState.SUCCEEDED
        if problem and not variants and is_avif_job(job):
            variants = [_failed(job, problem)]  # who looks at the image has no job to look at
        outcome = _outcome(job, problem)
        ended = replace(job, state=state, problem=problem, finished_at=now())
        told = await self._announcer.job(ended, outcome)
        if await self._catalog.finish_job(ended, outcome, variants, told):
            return ended
        await self._renderer.discard_if_deleted(job.image, variants)
        return await self._catalog.get_job(job.id)

    @asynccontextmanager
    async def _kept_alive(self, job: Job) -> AsyncIterator[None]:
        """Extend the job's lease for as long as the attempt lasts."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(LEASE_SECONDS / 3)
                with suppress(Exception):  # the next beat may get through
                    await self._catalog.extend_job(job, now() + LEASE_SECONDS)

        heart = asyncio.create_task(beat())
        try:
            yield
        finally:
            heart.cancel()
            with suppress(asyncio.CancelledError):
                await heart


async def _twice(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try once more after a crash: perhaps it was not by this image, which is not blamed yet."""
    try:
        return await attempt()
    except EngineCrashed:
        return await attempt()


def _worst(made: Made) -> Problem | None:
    """Return a problem that another attempt may not have, else the first there is."""
    problems = [one.variant.problem for one in made.values() if one.variant.problem]
    return max(problems, key=passing, default=None)


def _failed(job: Job, problem: Problem) -> Variant:
    """Return the record of the one variant that a job did not come to make."""
    instructions = parse_canonical(*job.instructions)
    return Variant(
        image=job.image,
        recipe=instructions.recipe(),
        instructions=instructions.canonical(),
        state=VariantState.FAILED,
        created_at=now(),
        problem=problem,
    )


def _pause(job: Job, fault: FetchUnavailable) -> float:
    """Return how long to leave another server alone, in seconds."""
    asked = float(fault.figures.get("retry_after") or 0)
    return min(max(2.0**job.attempts, asked), LONGEST_DELAY_SECONDS)


def _outcome(job: Job, problem: Problem | None) -> Outcome | None:
    """Return what a job's end makes of its image; None: nothing.

    Only the job of the upload itself decides whether the image is ready: later variants that
    fail say so themselves.
    """
    if job.id != job.image:
        return None
    return Outcome(state=ImageState.FAILED if problem else ImageState.READY, problem=problem)
