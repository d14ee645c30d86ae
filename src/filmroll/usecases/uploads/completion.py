"""The end of an upload: its parts are fixed, and a job makes of them what they were sent for."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from filmroll.errors import (
    Conflict,
    InvalidPart,
    InvalidPartOrder,
    InvalidRequest,
    PartTooSmall,
    SizeMismatch,
)
from filmroll.model import (
    Job,
    JobKind,
    Lane,
    OnDuplicate,
    Purpose,
    Transfer,
    Upload,
    UploadPart,
    UploadState,
    derived_id,
    now,
)
from filmroll.ports import Catalog
from filmroll.usecases.batch.batches import DEFAULT_SECONDS, Batches
from filmroll.usecases.batch.lines import closed_problem, is_open
from filmroll.usecases.outbox import OVERDUE_SECONDS, Outbox
from filmroll.usecases.uploads.direct import Direct
from filmroll.usecases.uploads.parts import Listed
from filmroll.usecases.uploads.reading import parts_of
from filmroll.usecases.uploads.sessions import Sessions
from filmroll.usecases.uploads.sizes import MAX_PARTS, MIN_PART_BYTES, require_size


class Completions:
    """Completes uploads."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        sessions: Sessions,
        direct: Direct,
        batches: Batches,
        outbox: Outbox,
    ) -> None:
        self._catalog = catalog
        self._direct = direct
        self._sessions = sessions
        self._batches = batches
        self._outbox = outbox

    async def complete(
        self, upload_id: str, listed: Sequence[Listed], sha256: str | None
    ) -> Upload:
        """Make a whole of the listed parts; those that are not listed are removed.

        With the same list twice is harmless. Raises InvalidPartOrder, InvalidPart, PartTooSmall,
        what ``fix`` raises, and Conflict if the upload was completed with other parts.
        """
        while True:
            upload = await self._sessions.get(upload_id, Transfer.PARTS)
            if upload.state is not UploadState.OPEN:
                return _completed_before(upload, listed)
            here = [part async for part in parts_of(self._catalog, upload.id, MAX_PARTS)]
            missing = _missing(listed, here)
            if missing and await self._direct.adopt(upload, missing):
                continue
            parts = _chosen(listed, here)
            fixed = await self.fix(upload, parts, sha256 or upload.sha256)
            if fixed is not None:
                return fixed

    async def fix(
        self, upload: Upload, parts: Sequence[UploadPart], sha256: str | None
    ) -> Upload | None:
        """Fix the parts of an open upload; the job that carries its id does the rest.

        None if a part came meanwhile, or somebody else ended it. Raises SizeMismatch or TooLarge
        for the whole, and Conflict if its batch takes nothing any more.
        """
        size = sum(part.bytes for part in parts)
        _require_whole(upload, size, sha256)
        fixed = replace(
            upload,
            state=UploadState.COMPLETING,
            expires_at=None,
            parts=len(parts),
            received=size,
            etag=_etag_of(part.etag for part in parts),
            sha256=sha256,
            batch=await self._batch(upload),
            version=upload.version + 1,
        )
        return fixed if await self._catalog.update_upload(fixed, _job(fixed)) else None

    async def _batch(self, upload: Upload) -> str | None:
        """Return the batch that it goes into; an archive without one gets one of its own."""
        if upload.batch is not None:
            batch = await self._batches.get(upload.batch)
            if not is_open(batch):
                raise closed_problem(batch)
            return batch.id
        if upload.purpose is Purpose.IMAGE:
            return None
        batch = await self._batches.create(
            name=upload.name,
            variants=upload.variants or (),
            on_duplicate=OnDuplicate.NEW,
            expected_count=None,
            webhook=None,
            expires_in=DEFAULT_SECONDS,
            batch_id=own_batch(upload.id),
        )
        return batch.id


def own_batch(upload: str) -> str:
    """Return the id of the batch that is made for an upload."""
    return derived_id("batch", upload)


def _job(upload: Upload) -> Job:
    at = now()
    return Job(
        id=upload.id,
        image="",
        instructions=(),
        created_at=at,
        due_at=at + OVERDUE_SECONDS,
        kind=JobKind.UPLOAD,
        lane=Lane.IO,
        batch=upload.batch,
    )


def _etag_of(etags: Iterable[str]) -> str:
    """Return the ETag of a whole: as S3 has it, a digest of those of its parts, and how many."""
    each = list(etags)
    return f"{hashlib.sha256(''.join(each).encode()).hexdigest()[:32]}-{len(each)}"


def _completed_before(upload: Upload, listed: Sequence[Listed]) -> Upload:
    if upload.etag != _etag_of(one.etag for one in listed):
        raise Conflict("The upload was completed with other parts.", state=upload.state)
    return upload


def _require_whole(upload: Upload, size: int, sha256: str | None) -> None:
    """Raise what stands against the parts as a whole."""
    require_size(upload.purpose, size)
    if upload.bytes not in {None, size}:
        raise SizeMismatch(
            f"The parts have {size} bytes, but {upload.bytes} were announced.",
            expected=upload.bytes,
            actual=size,
        )
    if upload.sha256 not in {None, sha256}:
        raise InvalidRequest("Another sha256 was announced before.", pointer="/sha256")


def _missing(listed: Sequence[Listed], here: Sequence[UploadPart]) -> Sequence[Listed]:
    """Return the listed parts that did not come by this service."""
    known = {(part.number, part.etag) for part in here}
    return [one for one in listed if one not in known]


def _chosen(listed: Sequence[Listed], here: Sequence[UploadPart]) -> Sequence[UploadPart]:
    """Return the listed parts; raise what stands against the list."""
    if not listed or [one.number for one in listed] != list(range(1, len(listed) + 1)):
        raise InvalidPartOrder("List the parts 1, 2, 3 and on, without a gap.", pointer="/parts")
    by_number = {part.number: part for part in here}
    chosen = [_named(one, by_number.get(one.number)) for one in listed]
    for part in chosen[:-1]:
        if part.bytes < MIN_PART_BYTES:
            raise PartTooSmall(
                f"Part {part.number} has {part.bytes} bytes; all but the last have at least "
                f"{MIN_PART_BYTES}.",
                pointer=f"/parts/{part.number - 1}",
                limit=MIN_PART_BYTES,
                actual=part.bytes,
            )
    return chosen


def _named(listed: Listed, part: UploadPart | None) -> UploadPart:
    if part is None or part.etag != listed.etag:
        raise InvalidPart(
            f"Part {listed.number} is not here, or it has another ETag.",
            pointer=f"/parts/{listed.number - 1}",
            expected=listed.etag,
            actual=part.etag if part else None,
        )
    return part
