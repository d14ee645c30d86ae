"""What becomes of uploads in time: open ones expire, parts of ended ones go, then the record."""

import asyncio
from dataclasses import replace

from filmroll.model import Upload, UploadState, now
from filmroll.ports import BlobStore, Catalog

KEPT_SECONDS = 7 * 86_400.0  # how long one can see how an upload ended
_CLEARING_SECONDS = 300.0  # after which another sweeper goes on with what one has left undone
_PAGE = 500  # uploads: what is done to them at once shares the barriers on the disk
_PARTS = 1000
_PAGES = 10  # in one sweep, so that other duties come between


class Sweeping:
    """Goes on with uploads whose time has come. All of it may run anywhere, and break off."""

    def __init__(self, blobs: BlobStore, catalog: Catalog) -> None:
        self._blobs = blobs
        self._catalog = catalog

    async def sweep(self) -> int:
        """Go on with what is due; return how many uploads that were."""
        done = 0
        for _ in range(_PAGES):
            due = await self._catalog.due_uploads(now(), _PAGE)
            over = await asyncio.gather(*(self._advance(upload) for upload in due))
            await self._catalog.forget_uploads([upload for upload in over if upload])
            done += len(due)
            if len(due) < _PAGE:
                break
        return done

    async def _advance(self, upload: Upload) -> Upload | None:
        """Expire an open upload, clear an ended one; return one to be forgotten.

        It is taken first, so that another sweeper leaves it alone meanwhile; and goes on later, if
        this one does not come to its end.
        """
        if upload.cleared:
            await self._release(upload)  # what was held for it while it was being cleared
            return upload
        state = upload.state if upload.state.final else UploadState.EXPIRED
        taken = _renewed(upload, _CLEARING_SECONDS, state)
        if not await self._catalog.update_upload(taken):
            return None  # a part came, somebody ended it, or another sweeper has taken it
        await self._clear(upload.id)
        await self._release(taken)
        await self._catalog.update_upload(replace(_renewed(taken, KEPT_SECONDS, state), lifetime=0))
        return None

    async def _release(self, ended: Upload) -> None:
        """End the partial uploads that one has joined, as it has ended."""
        for piece in ended.joins:
            await self._end_piece(piece, ended)

    async def _end_piece(self, piece_id: str, ended: Upload) -> None:
        while (piece := await self._catalog.get_upload(piece_id)) and not piece.state.final:
            if piece.joined_by != ended.id:
                return
            if await self._catalog.update_upload(_renewed(piece, 0, ended.state)):
                return

    async def _clear(self, upload: str) -> None:
        """Remove the parts of an ended upload, the bytes first."""
        while parts := await self._catalog.list_parts(upload, 0, _PARTS):
            await self._blobs.delete([part.key for part in parts])
            await self._catalog.drop_parts(upload, parts[-1].number)


def _renewed(upload: Upload, seconds: float, state: UploadState) -> Upload:
    """Return the next version of an upload, whose time comes in so many seconds."""
    return replace(upload, state=state, expires_at=now() + seconds, version=upload.version + 1)
