"""Uploads as tus has them: each goes on at its offset, and may be joined of others."""

from dataclasses import replace

from filmroll.errors import Conflict, InvalidRequest, TooLarge, UploadGone, UploadSettled
from filmroll.model import Transfer, Upload, UploadState, derived_id
from filmroll.ports import Catalog
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.uploads.completion import Completions
from filmroll.usecases.uploads.reading import whole
from filmroll.usecases.uploads.sessions import Intent, Sessions
from filmroll.usecases.uploads.sizes import MAX_PARTS, require_size


class Tus:
    """The uploads that come by tus."""

    def __init__(
        self, *, catalog: Catalog, sessions: Sessions, completions: Completions, outbox: Outbox
    ) -> None:
        self._catalog = catalog
        self._sessions = sessions
        self._completions = completions
        self._outbox = outbox

    async def begin(self, intent: Intent) -> Upload:
        """Begin an upload; to join the same ones twice is to join them once.

        Raises what Sessions.create raises, and what stands against those that it joins.
        """
        if not intent.joins:
            return await self._sessions.create(intent)
        joined = derived_id("joined", *intent.joins, intent.said)
        if await self._catalog.get_upload(joined) is None:
            for piece in intent.joins:
                await self._piece(piece, joined)
            await self._sessions.create(intent, joined)
        return await self.finish(await self.get(joined))

    async def get(self, upload_id: str) -> Upload:
        """Return an upload; raise NotFound, also if it was terminated, or UploadGone."""
        upload = await self._sessions.get(upload_id, Transfer.TUS)
        if upload.state is UploadState.FAILED:
            why = upload.problem.detail if upload.problem else ""
            raise UploadGone(f"The upload has come to nothing. {why}")
        return upload

    async def look(self, upload_id: str) -> Upload:
        """Return an upload, after completing what a crash has kept from being completed."""
        found = await self.get(upload_id)
        upload = await self.finish(found)
        if upload is not found:
            self._outbox.enqueue(upload.id)
        return upload

    async def announce(self, upload: Upload, size: int) -> Upload:
        """Note how many bytes an upload will have, for good; raise InvalidRequest, TooLarge."""
        while upload.bytes is None:
            require_size(upload.purpose, size)
            if size < upload.received:
                raise InvalidRequest("More bytes are here already.", pointer="/upload-length")
            told = replace(upload, bytes=size, version=upload.version + 1)
            if await self._catalog.update_upload(told):
                return told
            upload = await self.get(upload.id)
        if upload.bytes != size:
            raise InvalidRequest("Another length was announced.", pointer="/upload-length")
        return upload

    async def finish(self, upload: Upload) -> Upload:
        """Complete an upload whose bytes are all here; return it as it is then.

        Its job waits to be run. A partial one lets the one that joins it be completed. Raises
        UploadGone or TooLarge for what cannot be completed, and has ended therefore.
        """
        while upload.state is UploadState.OPEN and await self._is_whole(upload):
            if upload.partial:
                if upload.joined_by is not None:
                    await self.look(upload.joined_by)
                break
            if fixed := await self._fix(upload):
                return fixed
            upload = await self.get(upload.id)
        return upload

    async def end(self, upload_id: str) -> None:
        """Give an upload up; raise UploadSettled if it is too late for that."""
        upload = await self.get(upload_id)
        if upload.state is UploadState.COMPLETED:
            raise UploadSettled("The upload is completed; delete what it has become.")
        if upload.partial and upload.state is UploadState.COMPLETING:
            raise UploadSettled("The upload is being joined with others.")
        await self._sessions.abort(upload_id, Transfer.TUS)

    async def _is_whole(self, upload: Upload) -> bool:
        if not upload.joins:
            return upload.bytes == upload.received
        held = [await self._hold(piece, upload.id) for piece in upload.joins]
        return all(piece.state is UploadState.COMPLETING for piece in held)

    async def _fix(self, upload: Upload) -> Upload | None:
        """Fix an upload as it is; None if it has changed meanwhile."""
        parts = [part async for part in whole(self._catalog, upload, MAX_PARTS)]
        try:
            return await self._completions.fix(upload, parts, upload.sha256)
        except (Conflict, TooLarge) as fault:
            await self._sessions.abort(upload.id, Transfer.TUS)
            if isinstance(fault, TooLarge):
                raise
            raise UploadGone(fault.detail) from fault  # a Conflict may pass; this one does not

    async def _hold(self, piece_id: str, joined_by: str) -> Upload:
        """Tie a partial upload to the one that joins it; a whole one takes no more from then on."""
        while True:
            piece = await self._piece(piece_id, joined_by)
            held = replace(piece, joined_by=joined_by)
            if piece.state is UploadState.OPEN and piece.bytes == piece.received:
                held = replace(held, state=UploadState.COMPLETING, expires_at=None)
            if held == piece:
                return piece
            held = replace(held, version=piece.version + 1)
            if await self._catalog.update_upload(held):
                return held

    async def _piece(self, piece_id: str, joined_by: str) -> Upload:
        """Return a partial upload; raise what keeps it from being joined by that upload."""
        piece = await self.get(piece_id)
        if not piece.partial:
            raise InvalidRequest("Only partial uploads can be joined.", pointer="/upload-concat")
        if piece.joined_by not in {None, joined_by}:
            raise UploadSettled("The upload has been joined with others.")
        return piece
