"""Uploads in parts, in memory."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Sequence

from filmroll.catalog import upload_rules as rules
from filmroll.catalog.memory.batches import Batches
from filmroll.model import Job, Upload, UploadPart
from filmroll.ports import PartStanding


class Uploads(Batches):
    """The part of the catalog that knows uploads."""

    def __init__(self) -> None:
        super().__init__()
        self._uploads: dict[str, Upload] = {}
        self._parts: dict[tuple[str, int], UploadPart] = {}

    async def add_upload(self, upload: Upload) -> Upload:
        return self._uploads.setdefault(upload.id, upload)

    async def get_upload(self, upload: str) -> Upload | None:
        return self._uploads.get(upload)

    async def update_upload(self, upload: Upload, job: Job | None = None) -> bool:
        updated = rules.updated(self._uploads.get(upload.id), upload)
        if updated is None:
            return False
        self._uploads[upload.id] = updated
        if job is not None:
            self._jobs.setdefault(job.id, job)
        return True

    async def put_part(self, part: UploadPart, offset: int | None = None) -> PartStanding:
        stored = self._uploads.get(part.upload)
        replaced = self._parts.get((part.upload, part.number))
        upload = rules.with_part(stored, part, replaced, offset)
        if upload is None:
            return PartStanding(stored, taken=False)
        self._uploads[upload.id] = upload
        self._parts[part.upload, part.number] = part
        return PartStanding(upload, taken=True, replaced=replaced)

    async def list_parts(self, upload: str, after: int, limit: int) -> Sequence[UploadPart]:
        found = [
            part
            for (owner, number), part in self._parts.items()
            if owner == upload and number > after
        ]
        return sorted(found, key=lambda part: part.number)[:limit]

    async def due_uploads(self, before: float, limit: int) -> Sequence[Upload]:
        due = [
            (upload.expires_at, upload.id)
            for upload in self._uploads.values()
            if upload.expires_at is not None and upload.expires_at <= before
        ]
        return [self._uploads[upload] for _, upload in sorted(due)[:limit]]

    async def drop_parts(self, upload: str, through: int) -> None:
        if rules.ended(self._uploads.get(upload)):
            numbers = [number for owner, number in self._parts if owner == upload]
            for number in numbers:
                if number <= through:
                    del self._parts[upload, number]

    async def forget_uploads(self, uploads: Sequence[Upload]) -> None:
        for upload in uploads:
            if rules.forgotten(self._uploads.get(upload.id), upload):
                del self._uploads[upload.id]

    def _end_upload(self, job: Job) -> None:
        """Let the end of a job be the end of its upload."""
        upload = rules.after_job(self._uploads.get(job.id), job)
        if upload is not None:
            self._uploads[upload.id] = upload
