"""What makes every broken-off step harmless: the sweeper."""

from contextlib import suppress
from pathlib import Path

from filmroll.model import (
    BLOB_ROOTS,
    direct_key,
    is_id,
    now,
    original_key,
    variant_prefix,
)
from filmroll.ports import CHECKS, BlobStore, Catalog, Epochs, JobQueue
from filmroll.usecases.batch.batches import Batches
from filmroll.usecases.outbox import Outbox, send_all
from filmroll.usecases.spool import files_in
from filmroll.usecases.uploads.sweeping import Sweeping

# A variant that was being written while its image was buried may leave its bytes behind for as
# long as an attempt can take; then a purge looks once more.
PURGE_AGAIN_SECONDS = 900.0
# A blob without a record may belong to an upload that is just being stored.
ORPHAN_SECONDS = 86_400.0
# How long one can see how a job ended.
JOB_SECONDS = 7 * 86_400.0
# How long one can see what became of a webhook, and send it again.
DELIVERY_SECONDS = 30 * 86_400.0
_BATCH = 500


class Housekeeping:
    """Ends what a crash, a lost message or a race left half done. All of it may run anywhere."""

    def __init__(
        self, *, blobs: BlobStore, catalog: Catalog, queue: JobQueue, epochs: Epochs, spool: Path
    ) -> None:
        """``spool`` is where bodies lie while they stream in."""
        self._blobs = blobs
        self._catalog = catalog
        self._queue = queue
        self._epochs = epochs
        self._spool = spool
        self._uploads = Sweeping(blobs, catalog)
        self._batches = Batches(catalog, Outbox(catalog, queue))

    async def resend_overdue(self) -> int:
        """Send jobs to the queue that nobody has started in time; return how many."""
        jobs = await self._catalog.due_jobs(now(), _BATCH)
        if jobs:
            await send_all(self._queue, self._catalog, jobs)
        return len(jobs)

    async def purge_deleted(self) -> int:
        """End deletions: caches, records, bytes; return how many were looked at."""
        before = now()
        due = await self._catalog.due_purges(before, _BATCH)
        for image in due:
            self._epochs.bump(image)
            await self._catalog.drop_variants(image)
            left = [blob.key async for blob in self._blobs.list(variant_prefix(image))]
            await self._blobs.delete([*left, original_key(image)])
            await self._catalog.purged(image, before, now() + PURGE_AGAIN_SECONDS)
        return len(due)

    async def expire_batches(self) -> int:
        """Close batches that were never sealed in time, end what sealed ones wait for in vain."""
        due = await self._catalog.due_batches(now(), _BATCH)
        for batch in due:
            await self._batches.expire(batch.id)
        return len(due) + await self._batches.end_waiting()

    async def sweep_uploads(self) -> int:
        """Expire uploads in parts, and remove what is left of those that ended; return how many."""
        return await self._uploads.sweep()

    async def settle_catalog(self) -> int:
        """End what a crash left half done within the catalog; return how much."""
        return await self._catalog.settle()

    async def forget_answers(self) -> None:
        """Drop answers under Idempotency-Keys that are a day old."""
        await self._catalog.expire_requests(now())

    async def forget_jobs(self) -> None:
        """Drop jobs, and dead letters, that ended a week ago."""
        await self._catalog.expire_jobs(now() - JOB_SECONDS)
        await self._queue.expire_dead(now() - JOB_SECONDS)

    async def forget_deliveries(self) -> None:
        """Drop deliveries of webhooks that ended a month ago."""
        await self._catalog.expire_deliveries(now() - DELIVERY_SECONDS)

    async def collect_orphans(self) -> int:
        """Remove blobs, and bodies in the spool, that belong to no record; return how many."""
        collected = self._clear_spool()
        old = now() - ORPHAN_SECONDS
        for root in (*BLOB_ROOTS, CHECKS):
            async for blob in self._blobs.list(root):
                if blob.modified_at < old and await self._orphan(blob.key):
                    # A fresh original may have taken its place since it was listed.
                    await self._blobs.delete([blob.key], older_than=old)
                    collected += 1
        return collected

    async def _orphan(self, key: str) -> bool:
        if key.startswith(CHECKS):
            return True
        root, _, owner, *name = key.split("/")
        if not is_id(owner):
            return False
        if not name:
            return await self._catalog.get_image(owner) is None
        if root == "p":
            return await self._stray(owner, name[0], key)
        return await self._catalog.get_variant(owner, name[0]) is None

    async def _stray(self, upload: str, name: str, key: str) -> bool:
        """Whether no record of a part says that it lies here, nor will."""
        number, _, nonce = name.partition("-")
        if not number.isdecimal() or not is_id(nonce):
            return False
        if key == direct_key(upload, int(number)):
            found = await self._catalog.get_upload(upload)
            if found is not None and not found.state.final:
                return False  # a client has sent it to the store, and is still to complete it
        parts = await self._catalog.list_parts(upload, int(number) - 1, 1)
        return all(part.key != key for part in parts)

    def _clear_spool(self) -> int:
        old = now() - ORPHAN_SECONDS
        cleared = 0
        for file in files_in(self._spool):
            with suppress(FileNotFoundError):  # whoever it belonged to has removed it
                if file.stat().st_mtime < old:
                    file.unlink()
                    cleared += 1
        return cleared
