"""Uploads in parts."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Sequence

import apsw

from filmroll.catalog import upload_rules as rules
from filmroll.catalog.sqlite.tables import JOBS, PARTS, UPLOADS, Part
from filmroll.model import Job, Upload, UploadPart
from filmroll.ports import PartStanding
from filmroll.sqlite import rows


class Uploads(Part):
    """The part of the catalog that knows uploads."""

    async def add_upload(self, upload: Upload) -> Upload:
        return await self._db.write(_add, upload)

    async def get_upload(self, upload: str) -> Upload | None:
        return self._db.read(UPLOADS.get, upload)

    async def update_upload(self, upload: Upload, job: Job | None = None) -> bool:
        return await self._db.write(_update, upload, job)

    async def put_part(self, part: UploadPart, offset: int | None = None) -> PartStanding:
        return await self._db.write(_put_part, part, offset)

    async def list_parts(self, upload: str, after: int, limit: int) -> Sequence[UploadPart]:
        which = "WHERE upload = ? AND number > ? ORDER BY number LIMIT ?"
        return self._db.read(PARTS.select, which, upload, after, limit)

    async def due_uploads(self, before: float, limit: int) -> Sequence[Upload]:
        which = "WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
        return self._db.read(UPLOADS.select, which, before, limit)

    async def drop_parts(self, upload: str, through: int) -> None:
        await self._db.write(_drop_parts, upload, through)

    async def forget_uploads(self, uploads: Sequence[Upload]) -> None:
        await self._db.write(_forget, uploads)


def end_upload(connection: apsw.Connection, job: Job) -> None:
    """Let the end of a job be the end of its upload; called in the step that ends the job."""
    upload = rules.after_job(UPLOADS.get(connection, job.id), job)
    if upload is not None:
        UPLOADS.put(connection, upload)


def _add(connection: apsw.Connection, upload: Upload) -> Upload:
    UPLOADS.add(connection, upload)
    stored = UPLOADS.get(connection, upload.id)
    assert stored is not None, "it was just written, or there before"
    return stored


def _update(connection: apsw.Connection, upload: Upload, job: Job | None) -> bool:
    updated = rules.updated(UPLOADS.get(connection, upload.id), upload)
    if updated is None:
        return False
    UPLOADS.put(connection, updated)
    if job is not None:
        JOBS.add(connection, job)
    return True


def _put_part(connection: apsw.Connection, part: UploadPart, offset: int | None) -> PartStanding:
    stored = UPLOADS.get(connection, part.upload)
    replaced = PARTS.get(connection, part.upload, part.number)
    upload = rules.with_part(stored, part, replaced, offset)
    if upload is None:
        return PartStanding(stored, taken=False)
    UPLOADS.put(connection, upload)
    PARTS.put(connection, part)
    return PartStanding(upload, taken=True, replaced=replaced)


def _drop_parts(connection: apsw.Connection, upload: str, through: int) -> None:
    if rules.ended(UPLOADS.get(connection, upload)):
        rows(connection, "DELETE FROM parts WHERE upload = ? AND number <= ?", upload, through)


def _forget(connection: apsw.Connection, uploads: Sequence[Upload]) -> None:
    for upload in uploads:
        if rules.forgotten(UPLOADS.get(connection, upload.id), upload):
            rows(connection, "DELETE FROM uploads WHERE id = ?", upload.id)
