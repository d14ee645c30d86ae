"""Uploads in parts as a whole: begun, looked at, aborted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from filmroll.errors import Conflict, InvalidRequest, NotFound, UploadGone
from filmroll.model import JobState, Purpose, Transfer, Upload, UploadPart, UploadState, new_id, now
from filmroll.ports import Catalog
from filmroll.usecases.batch.lines import closed_problem, is_open, require_ref
from filmroll.usecases.images import Annotations
from filmroll.usecases.resolve import Resolver
from filmroll.usecases.uploads.sizes import part_bytes_for, require_size

DAY = 86_400
DEFAULT_SECONDS = DAY
LONGEST_SECONDS = 7 * DAY


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """What a client is going to send, and what it is to become."""

    purpose: Purpose = Purpose.IMAGE
    transfer: Transfer = Transfer.PARTS
    bytes: int | None = None
    part_bytes: int | None = None
    sha256: str | None = None  # hex, of the whole
    batch: str | None = None
    ref: str | None = None  # of the item in the batch that it becomes
    variants: Sequence[Any] | None = None  # in either spelling
    annotations: Annotations = field(default_factory=Annotations)
    said: str = ""  # see ``Upload``, here and below
    partial: bool = False
    joins: tuple[str, ...] = ()
    expires_in: int = DEFAULT_SECONDS  # after the last part


class Sessions:
    """The uploads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._resolver = Resolver(catalog)

    async def create(self, intent: Intent, upload_id: str | None = None) -> Upload:
        """Begin an upload; the same one again under an id that was used before.

        Raises what stands against the upload before a byte of it is sent.
        """
        if upload_id is not None and (known := await self._catalog.get_upload(upload_id)):
            return known  # whatever has become of its batch since
        said = intent.annotations.check()
        _require_meaning(intent)
        require_size(intent.purpose, intent.bytes or 0)
        part_bytes = part_bytes_for(intent.bytes, intent.part_bytes)
        await self._require_open(intent.batch)
        at = now()
        upload = Upload(
            id=upload_id or new_id(),
            state=UploadState.OPEN,
            purpose=intent.purpose,
            transfer=intent.transfer,
            created_at=at,
            lifetime=intent.expires_in,
            expires_at=at + intent.expires_in,
            bytes=intent.bytes,
            part_bytes=part_bytes,
            sha256=intent.sha256,
            name=said.name,
            batch=intent.batch,
            ref=intent.ref,
            variants=await self._texts(intent.variants),
            tags=said.tags or (),
            metadata=said.metadata or {},
            said=intent.said,
            partial=intent.partial,
            joins=intent.joins,
        )
        return await self._catalog.add_upload(upload)

    async def get(self, upload: str, transfer: Transfer) -> Upload:
        """Return an upload of one protocol; raise NotFound, or UploadGone if it came to nothing."""
        found = await self._catalog.get_upload(upload)
        if found is None or found.transfer is not transfer:
            raise NotFound("There is no upload with this id.")
        if found.state is UploadState.ABORTED and transfer is Transfer.TUS:
            raise NotFound("The upload was terminated; begin another one.")
        if found.state in {UploadState.ABORTED, UploadState.EXPIRED}:
            raise UploadGone(f"The upload is {found.state}; begin another one.")
        return found

    async def parts(self, upload: str, after: int, limit: int) -> Sequence[UploadPart]:
        """Return parts that are here, in order, from the number ``after`` on."""
        return await self._catalog.list_parts(upload, after, limit)

    async def abort(self, upload: str, transfer: Transfer) -> None:
        """Give an upload up; the sweeper removes its parts. Raise Conflict if it is completed."""
        ended = False
        while not ended:
            found = await self.get(upload, transfer)
            if found.state is UploadState.COMPLETED:
                raise Conflict("The upload is completed; delete what it has become.")
            ended = found.state is UploadState.FAILED or await self._end(found)

    async def _end(self, upload: Upload) -> bool:
        """Abort an upload; False if it has become another meanwhile."""
        if upload.state is UploadState.COMPLETING:
            job = await self._catalog.cancel_job(upload.id, now())
            return job is None or job.state is not JobState.SUCCEEDED
        aborted = replace(upload, state=UploadState.ABORTED, expires_at=now())
        return await self._catalog.update_upload(replace(aborted, version=upload.version + 1))

    async def _require_open(self, batch_id: str | None) -> None:
        if batch_id is None:
            return
        batch = await self._catalog.get_batch(batch_id)
        if batch is None:
            raise InvalidRequest("There is no batch with this id.", pointer="/batch")
        if not is_open(batch):
            raise closed_problem(batch)

    async def _texts(self, variants: Sequence[Any] | None) -> tuple[str, ...] | None:
        if variants is None:
            return None
        return tuple(one.canonical() for one in await self._resolver.resolve_all(variants))


def require_taking(upload: Upload) -> None:
    """Raise UploadGone or Conflict unless an upload takes parts."""
    if upload.state in {UploadState.ABORTED, UploadState.EXPIRED}:
        raise UploadGone(f"The upload is {upload.state}; begin another one.")
    if upload.state is not UploadState.OPEN:
        raise Conflict(f"The upload is {upload.state}; it takes no more.", state=upload.state)


def _require_meaning(intent: Intent) -> None:
    """Raise InvalidRequest for what does not go together."""
    if intent.purpose is Purpose.IMAGE:
        if (intent.batch is None) != (intent.ref is None):
            raise InvalidRequest("An item has both a batch and a ref.", pointer="/ref")
        if intent.ref is not None:
            require_ref(intent.ref)
        return
    said = intent.annotations
    variants = intent.variants if intent.batch is not None else None
    unfit: Mapping[str, Any] = {
        "ref": intent.ref,
        "tags": said.tags,
        "metadata": said.metadata,
        "variants": variants,
    }
    for name, value in unfit.items():
        if value:
            raise InvalidRequest(
                "The images of an archive have their own, or those of the batch.",
                pointer=f"/{name}",
            )
