"""What becomes of uploads in time: open ones expire, parts of ended ones go, then the record."""

import asyncio
from dataclasses import replace

from filmroll.model import Upload, UploadState, now
from filmroll.ports import BlobStore, Catalog

KEPT_SECONDS = 7 * 86_400.0  # how long one can see how an upload ended
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

    async def _advance(self, upload: Upload) -> str | None:
        """Expire an open upload, clear an ended one; return the id of one to be forgotten."""
        fresh = upload.state is UploadState.OPEN
        if fresh:
            expired = replace(upload, state=UploadState.EXPIRED, version=upload.version + 1)
            if not await self._catalog.update_upload(expired):
                return None  # a part came, or somebody ended it
            upload = expired
        cleared = await self._clear(upload.id)
        for piece in upload.joins:
            cleared |= await self._release(piece, upload)
        if not fresh and not cleared:
            return upload.id
        kept = replace(upload, expires_at=now() + KEPT_SECONDS, version=upload.version + 1)
        await self._catalog.update_upload(kept)
        return None

    async def _release(self, piece_id: str, ended: Upload) -> bool:
        """End a partial upload as the one ended that joined it; False if there is nothing to do."""
        while piece := await self._catalog.get_upload(piece_id):
            if piece.joined_by != ended.id or piece.state.final:
                break
            over = replace(piece, state=ended.state, expires_at=now(), version=piece.version + 1)
            if await self._catalog.update_upload(over):
                return True
        return False

    async def _clear(self, upload: str) -> bool:
        """Remove the parts of an ended upload, the bytes first; False if there were none."""
        cleared = False
        while parts := await self._catalog.list_parts(upload, 0, _PARTS):
            await self._blobs.delete([part.key for part in parts])
            await self._catalog.drop_parts(upload, parts[-1].number)
            cleared = True
        return cleared
