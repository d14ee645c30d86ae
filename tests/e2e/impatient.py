"""Filmroll with less patience, so that tests need not wait a minute for what a dead process held.

Leases, overdue jobs and stalled bodies last seconds; refused jobs, and webhooks that failed, rest
for less; all else is as ever.
"""

from filmroll import worker
from filmroll.cli import main
from filmroll.usecases import by_url, jobs, outbox, process
from filmroll.usecases.batch import batches, entries, manifest
from filmroll.usecases.uploads import completion
from filmroll.usecases.webhooks import events, sending
from filmroll.web import incoming, streams

process.LEASE_SECONDS = worker.LEASE_SECONDS = sending.LEASE_SECONDS = 4.0
sending.RETRY_SECONDS = (0.1, 0.2, 0.3)
sending.DRAIN_SECONDS = 1.0
events.PURGE_DELAY_SECONDS = 6.0
for module in (batches, by_url, completion, entries, jobs, manifest, outbox, process):
    module.OVERDUE_SECONDS = 4.0
incoming.STALL_SECONDS = streams.PATIENCE_SECONDS = 2.0
worker._RELEASE_SECONDS = 0.2

if __name__ == "__main__":
    main()
