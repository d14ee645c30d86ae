"""What conditional writes decide about batches and their lines; see ``rules``."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from filmroll.errors import NotReceived
from filmroll.model import (
    Action,
    Batch,
    BatchState,
    Job,
    JobKind,
    JobState,
    Line,
    LineState,
    Problem,
    line_job,
)

AT_WORK = (LineState.PROCESSING, LineState.QUEUED)  # lines that wait for a job


def entered(
    batch: Batch, stored: Line | None, offered: Line, number: int, *, gone: bool
) -> Line | None:
    """Return an offered line as the ledger takes it; None: it stays as it is.

    A new one gets ``number``. What is stored, or has succeeded, is not replaced, unless its image
    is ``gone``; a line that failed, or that is still without its bytes, is. A sealed batch takes
    only the outcome of what it was waiting for.
    """
    if stored is None:
        return replace(offered, number=number) if batch.state is BatchState.OPEN else None
    waits = {LineState.DECLARED, LineState.QUEUED, LineState.FAILED}
    if stored.state not in waits and not (gone and stored.state.final):
        return None
    if stored.state is LineState.QUEUED:
        awaited = offered.state not in {LineState.DECLARED, LineState.QUEUED}
        over = batch.state not in {BatchState.OPEN, BatchState.SEALED}
        # What is deleted is deleted, whatever has become of the batch meanwhile.
        if not awaited or (over and batch.action is not Action.DELETE):
            return None
    elif batch.state is not BatchState.OPEN:
        return None
    again = stored.state.final
    taken = replace(offered, number=stored.number, attempts=stored.attempts + again)
    return None if replace(taken, at=stored.at) == stored else taken


def tallied(batch: Batch, changes: Iterable[tuple[Line | None, Line]], now: float) -> Batch:
    """Return the batch after lines changed: its sums, and whether it is complete."""
    counts = batch.counts
    for before, after in changes:
        counts += after.counts
        if before is not None:
            counts -= before.counts
    return completed(replace(batch, counts=counts, version=batch.version + 1), now)


def completed(batch: Batch, now: float) -> Batch:
    """End a sealed batch all of whose lines are final."""
    if batch.state is not BatchState.SEALED or batch.counts.open:
        return batch
    failed = batch.counts.failed > 0
    state = BatchState.COMPLETED_WITH_ERRORS if failed else BatchState.COMPLETED
    return replace(batch, state=state, finished_at=now)


def closed(stored: Batch, state: BatchState, now: float, expected: int | None = None) -> Batch:
    """Let a batch take no more; the same again if that cannot be (any more)."""
    if stored.state is not BatchState.OPEN and (
        stored.state.final or state is not BatchState.CANCELLED
    ):
        return stored
    if state is BatchState.SEALED and expected not in {None, stored.counts.declared}:
        return stored
    shut = replace(
        stored,
        state=state,
        sealed_at=now if state is BatchState.SEALED else stored.sealed_at,
        finished_at=now if state.final else None,
        version=stored.version + 1,
    )
    return completed(shut, now)


def waiting(batch: Batch) -> Sequence[LineState]:
    """Return the states of lines that nobody will send or fetch any more.

    What a deletion has queued is being deleted: its own job tells of it, even if called off.
    """
    if batch.state is BatchState.OPEN or batch.action is Action.DELETE:
        return ()
    if batch.state in {BatchState.CANCELLED, BatchState.EXPIRED}:
        return (LineState.DECLARED, LineState.QUEUED)
    return (LineState.DECLARED,)


def waited(batch: Batch, line: Line, now: float) -> Line:
    """End a line that waits in vain."""
    if batch.state in {BatchState.CANCELLED, BatchState.EXPIRED}:
        return replace(line, state=LineState.CANCELLED, at=now)
    problem = Problem.of(NotReceived("The batch was sealed before the bytes of this item came."))
    return replace(line, state=LineState.FAILED, problem=problem, at=now)


def awaited_job(line: Line) -> str:
    """Return the id of the job that a line waits for, if it waits for one."""
    if line.state is LineState.QUEUED:
        return line_job(JobKind.FETCH, line.batch, line.ref)
    if line.image is not None and not line.duplicate:
        return line.image
    return line_job(JobKind.VARIANTS, line.batch, line.ref)


def line_after(stored: Line | None, job: Job) -> Line | None:
    """Return what the end of the job that a line waits for makes of it; None: no change.

    An end may come late: when the item was sent anew, and the line waits for another job.
    """
    if stored is None or stored.state not in AT_WORK or not job.state.final:
        return None
    if job.id != awaited_job(stored):
        return None
    ends = {
        JobState.SUCCEEDED: LineState.SUCCEEDED,
        JobState.FAILED: LineState.FAILED,
        JobState.CANCELLED: LineState.CANCELLED,
    }
    return replace(stored, state=ends[job.state], problem=job.problem, at=job.finished_at or 0.0)


def given_up(batch: Batch, job: Job) -> Batch:
    """Return what the end of a batch's own job makes of it: without its work it is cancelled."""
    if batch.state is not BatchState.OPEN or job.state is JobState.SUCCEEDED:
        return batch
    return closed(batch, BatchState.CANCELLED, job.finished_at or 0.0)


def retried(batch: Batch, stored: Line | None, offered: Line) -> Line | None:
    """Begin a failed line anew; None: it did not fail, or nothing is begun in its batch."""
    over = batch.state in {BatchState.CANCELLED, BatchState.EXPIRED}
    if over or stored is None or stored.state is not LineState.FAILED:
        return None
    return replace(offered, number=stored.number, attempts=stored.attempts + 1)


def reopened(batch: Batch) -> Batch:
    """Let a complete batch wait for its lines again."""
    if not batch.state.final:
        return batch
    return replace(batch, state=BatchState.SEALED, finished_at=None, told=False)


def told(stored: Batch | None, batch: Batch) -> Batch | None:
    """Note that the end of a batch is told; None if it is, or if it has ended anew since."""
    if stored is None or stored.told or stored.finished_at != batch.finished_at:
        return None
    return replace(stored, told=True)
