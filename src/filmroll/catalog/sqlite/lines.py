"""What the end of a job means for the batch, or for the line of one, that waits for it."""

import apsw

from filmroll.catalog import batch_rules
from filmroll.catalog.sqlite.tables import BATCHES, LINES
from filmroll.model import Job, JobKind, now


def end_line(connection: apsw.Connection, job: Job) -> None:
    """Let the end of a job be the end of its line; called in the step that ends the job."""
    if job.kind is JobKind.BATCH and job.state.final:
        _end_batch(connection, job)
    if job.batch is None or job.ref is None:
        return
    stored = LINES.get(connection, job.batch, job.ref)
    line = batch_rules.line_after(stored, job)
    if line is None:
        return
    LINES.put(connection, line)
    batch = BATCHES.get(connection, job.batch)
    if batch is not None:
        BATCHES.put(connection, batch_rules.tallied(batch, [(stored, line)], now()))


def _end_batch(connection: apsw.Connection, job: Job) -> None:
    batch = BATCHES.get(connection, job.batch or "")
    if batch is not None:
        BATCHES.put(connection, batch_rules.given_up(batch, job))
