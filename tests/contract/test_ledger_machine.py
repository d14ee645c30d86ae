"""Random histories of two batches, told to every catalog: what holds must hold after every step.

The catalogs must also agree with each other, line by line.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from filmroll.model import (
    BatchState,
    JobKind,
    JobState,
    Line,
    LineState,
    derived_id,
    line_job,
)
from filmroll.ports import Entry
from tests.contract.conftest import CATALOGS
from tests.contract.ledger import (
    again,
    batch,
    declared,
    end_job,
    failed,
    lines_of,
    processing,
    queued,
    refers,
    stored,
    summed,
)

BATCHES = [derived_id("first"), derived_id("second")]
REFS = "abcd"
CONTENTS = "xy"
IMAGES = [derived_id(of, ref, content) for of in BATCHES for ref in REFS for content in CONTENTS]
JOBS = [
    *IMAGES,
    *(line_job(kind, of, ref) for kind in JobKind for of in BATCHES for ref in REFS),
]
ENDS = [JobState.SUCCEEDED, JobState.FAILED, JobState.QUEUED]

batches = st.sampled_from(BATCHES)
refs = st.sampled_from(REFS)
picks = st.integers(0, 12)
kept = st.builds(
    lambda make, ref, content: lambda of: make(of, ref, content=content),
    st.sampled_from([stored, processing]),
    refs,
    st.sampled_from(CONTENTS),
)
bare = st.builds(
    lambda make, ref: lambda of: make(of, ref), st.sampled_from([declared, queued, failed]), refs
)
items = kept | bare


def picked(pick: int, found: Sequence):
    """Return one of what there is."""
    return found[pick % len(found)] if found else None


class Ledgers(RuleBasedStateMachine):
    """Steps that use cases, workers and people take, in whatever order."""

    compared = ("sqlite", "memory")
    request: pytest.FixtureRequest

    @initialize(makers=st.lists(items, min_size=4, max_size=8))
    def begin(self, makers: list) -> None:
        self.clock = 1000.0
        self.loop = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.stack = AsyncExitStack()
        self.catalogs = self.run(self.opened())
        self.seen: dict[str, tuple] = {}
        for of in BATCHES:
            self.offer(of, makers)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.loop.close()
        shutil.rmtree(self.folder)

    def run(self, work):
        return self.loop.run(work)

    async def opened(self) -> list:
        openers = [CATALOGS[name](self.request, self.folder) for name in self.compared]
        catalogs = [await self.stack.enter_async_context(opener) for opener in openers]
        for catalog in catalogs:
            for of in BATCHES:
                await catalog.add_batch(batch(id=of))
        return catalogs

    def everywhere(self, act):
        """Do the same in all catalogs; return what they all answered."""
        self.clock += 100.0  # all leases are over
        answers = [self.run(act(catalog)) for catalog in self.catalogs]
        assert all(answer == answers[0] for answer in answers), answers
        return answers[0]

    @rule(of=batches, makers=st.lists(items, min_size=1, max_size=5))
    def offer(self, of: str, makers: list) -> None:
        entries = [make(of) for make in makers]
        self.everywhere(lambda catalog: _offered(catalog, of, entries))

    @rule(of=batches, ref=refs, pick=picks, more=st.booleans())
    def refer(self, of: str, ref: str, pick: int, *, more: bool) -> None:
        async def act(catalog):
            image = picked(pick, await _images(catalog))
            if image is None:
                return None
            state = LineState.PROCESSING if more else LineState.SUCCEEDED
            return await _offered(catalog, of, [refers(of, ref, image, state)])

        self.everywhere(act)

    @rule(pick=picks, end=st.sampled_from(ENDS))
    def work(self, pick: int, end: JobState) -> None:
        async def act(catalog):
            job = picked(pick, await _open_jobs(catalog))
            return job and await end_job(catalog, job.id, end)

        self.everywhere(act)

    @rule(pick=picks)
    def lose_a_worker(self, pick: int) -> None:
        async def act(catalog):
            job = picked(pick, await _open_jobs(catalog))
            return job and await catalog.claim_job(job.id, self.clock, 10.0)

        self.everywhere(act)

    @rule(pick=picks)
    def cancel_job(self, pick: int) -> None:
        async def act(catalog):
            job = picked(pick, [job for job in await _jobs(catalog) if job])
            return job and (await catalog.cancel_job(job.id, self.clock)).state

        self.everywhere(act)

    @rule(pick=picks)
    def bury(self, pick: int) -> None:
        async def act(catalog):
            image = picked(pick, await _images(catalog))
            return image and await catalog.bury_image(image.id, self.clock)

        self.everywhere(act)

    @rule(of=batches, state=st.sampled_from([BatchState.SEALED] * 4 + [*BatchState][-2:]))
    def close(self, of: str, state: BatchState) -> None:
        async def act(catalog):
            closed = await catalog.close_batch(of, state, self.clock)
            while await catalog.end_waiting(of, self.clock, 2):
                pass
            return closed.state

        self.everywhere(act)

    @rule(of=batches, refs=st.sets(refs))
    def retry(self, of: str, refs: set) -> None:
        async def act(catalog):
            found = await catalog.get_lines(of, sorted(refs))
            entries = [again(one) for one in found.values() if _can_begin(one)]
            return [_still(one) for one in await catalog.retry_lines(of, entries)]

        self.everywhere(act)

    @invariant()
    def what_always_holds(self) -> None:
        for catalog in getattr(self, "catalogs", ()):
            for of in BATCHES:
                self.run(self.check(catalog, of))

    async def check(self, catalog, of: str) -> None:
        found = await catalog.get_batch(of)
        lines = await lines_of(catalog, of)
        assert found.counts == summed(lines)
        assert [one.number for one in lines] == list(range(1, len(lines) + 1))
        assert len({one.ref for one in lines}) == len(lines)
        under_way = [one for one in lines if not one.state.final]
        if found.state is BatchState.SEALED:
            assert under_way, "it should be complete"
            assert not any(one.state is LineState.DECLARED for one in under_way)
        if found.state in {BatchState.COMPLETED, BatchState.COMPLETED_WITH_ERRORS}:
            assert not under_way
            failures = any(one.state is LineState.FAILED for one in lines)
            assert failures == (found.state is BatchState.COMPLETED_WITH_ERRORS)
        assert (found.finished_at is not None) == found.state.final
        for one in under_way:
            assert one.state is LineState.DECLARED or await _is_worked_on(catalog, one), one
        self.check_version(catalog, found, lines)

    def check_version(self, catalog, found, lines: list[Line]) -> None:
        key = f"{id(catalog)} {found.id}"
        content = (replace(found, version=0), lines)
        version, before = self.seen.get(key, (0, None))
        assert found.version > version or content == before
        assert found.version >= version
        self.seen[key] = (found.version, content)

    @invariant()
    def all_catalogs_agree(self) -> None:
        if not hasattr(self, "catalogs"):
            return
        first, *others = [self.run(_told(catalog)) for catalog in self.catalogs]
        assert all(other == first for other in others)


def _can_begin(one: Line) -> bool:
    return one.state is LineState.FAILED and bool(one.image or one.source)


async def _offered(catalog, of: str, entries: list[Entry]) -> list:
    standings = await catalog.put_lines(of, entries)
    return [(one.line and _still(one.line), one.taken) for one in standings]


def _still(one: Line) -> Line:
    """Return a line without its time: some catalogs look at a clock of their own."""
    return replace(one, at=0.0)


async def _is_worked_on(catalog, one: Line) -> bool:
    """Whether a job will end a line: it is not final, and it is this line's."""
    kind = JobKind.FETCH if one.state is LineState.QUEUED else JobKind.VARIANTS
    own = one.image is not None and not one.duplicate
    work = await catalog.get_job(one.image if own else line_job(kind, one.batch, one.ref))
    if work is None or work.state.final or (work.batch, work.ref) != (one.batch, one.ref):
        return False
    kept = await catalog.get_image(work.image)
    return kind is JobKind.FETCH or kept.state != "deleted"


async def _told(catalog) -> list:
    """Return what a catalog says of everything, without times and versions."""
    found = [await catalog.get_batch(of) for of in BATCHES]
    return [
        [(one.state, one.counts, one.sealed_at) for one in found],
        [_still(one) for of in BATCHES for one in await lines_of(catalog, of)],
        [await catalog.get_image(image) for image in IMAGES],
        [(one.state, one.attempts) if one else None for one in await _jobs(catalog)],
    ]


async def _jobs(catalog) -> list:
    return [await catalog.get_job(work) for work in JOBS]


async def _open_jobs(catalog) -> list:
    return [work for work in await _jobs(catalog) if work and not work.state.final]


async def _images(catalog) -> list:
    return [found for found in [await catalog.get_image(image) for image in IMAGES] if found]


class DistributedLedgers(Ledgers):
    """The same, less often: each step takes a hundred requests."""

    compared = ("dynamodb", "memory")


@pytest.fixture(autouse=True, scope="module")
def _servers(request):
    Ledgers.request = request


COMMON = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
TestLedgers = Ledgers.TestCase
TestLedgers.settings = settings(COMMON, max_examples=25, stateful_step_count=30)
TestDistributedLedgers = DistributedLedgers.TestCase
TestDistributedLedgers.settings = settings(COMMON, max_examples=4, stateful_step_count=20)
