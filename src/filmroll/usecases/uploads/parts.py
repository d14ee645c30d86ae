"""A part whose bytes have come: kept as an object, then counted by its record."""

from typing import NamedTuple, NoReturn

from filmroll.errors import EmptyBody, NotFound, OffsetMismatch, StorageFull
from filmroll.model import Upload, UploadPart, now, part_key
from filmroll.ports import BlobStore, Catalog
from filmroll.usecases.spool import Body
from filmroll.usecases.uploads.sessions import require_taking


class Listed(NamedTuple):
    """A part as a client lists it."""

    number: int
    etag: str


class Parts:
    """Takes parts, several of one upload at once if need be."""

    def __init__(self, blobs: BlobStore, catalog: Catalog) -> None:
        self._blobs = blobs
        self._catalog = catalog

    async def take(
        self, upload: Upload, number: int, body: Body, offset: int | None = None
    ) -> UploadPart:
        """Keep a part, durable on return; one that was there under its number is replaced.

        Every attempt writes to a place of its own, and the record says which one counts: so two
        at once harm each other as little as one that breaks off. With an ``offset``, in bytes,
        OffsetMismatch is raised if the upload goes on elsewhere. Raises UploadGone or Conflict if
        the upload has ended meanwhile; nothing is kept then.
        """
        if body.bytes == 0:
            raise EmptyBody("A part has one byte at least.")
        part = UploadPart(
            upload=upload.id,
            number=number,
            bytes=body.bytes,
            sha256=body.sha256,
            key=part_key(upload.id, number),
            at=now(),
        )
        await self._blobs.put(part.key, body.body, part.sha256)
        try:
            standing = await self._catalog.put_part(part, offset)
        except StorageFull:  # after any other fault the record may be there
            await self._blobs.delete([part.key])
            raise
        if not standing.taken:
            await self._blobs.delete([part.key])
            _refuse(standing.upload)
        if standing.replaced is not None:
            await self._blobs.delete([standing.replaced.key])
        return part


def _refuse(upload: Upload | None) -> NoReturn:
    """Raise what stood against a part."""
    if upload is None:
        raise NotFound("There is no upload with this id.")
    require_taking(upload)
    raise OffsetMismatch(f"The upload goes on at byte {upload.received}.", offset=upload.received)
