"""The work of the job of a completed upload: an image, or the items of a batch."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from filmroll.errors import (
    BrokenArchive,
    DigestMismatch,
    FilmrollError,
    InvalidRequest,
    Kind,
    UnsupportedMedia,
)
from filmroll.instructions import parse_canonical
from filmroll.model import (
    Batch,
    BatchState,
    Job,
    Line,
    LineState,
    Purpose,
    Upload,
    UploadPart,
    UploadState,
    derived_id,
    now,
)
from filmroll.ports import BlobStore, Catalog
from filmroll.usecases.batch.archive import Archives
from filmroll.usecases.batch.entries import failed
from filmroll.usecases.batch.ingest import Arrival, Ingest
from filmroll.usecases.batch.lines import Said, Verdict, closed_problem, is_open, known, require_ref
from filmroll.usecases.images import Annotations
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.spool import Body, require_digests
from filmroll.usecases.upload import Declaration, Uploads
from filmroll.usecases.uploads.completion import own_batch
from filmroll.usecases.uploads.reading import digest, joined, stream, whole

_UNPACKED_AT_ONCE = 2  # archives: each keeps a processor busy
_PASSING = {Kind.UNAVAILABLE, Kind.FULL, Kind.INTERNAL}  # another attempt may do better


class Making:
    """Makes of uploads what they were sent for: one attempt each, harmless when it is repeated."""

    def __init__(
        self,
        *,
        blobs: BlobStore,
        catalog: Catalog,
        uploads: Uploads,
        ingest: Ingest,
        archives: Archives,
        outbox: Outbox,
        folder: Path,
    ) -> None:
        """``folder`` is where the parts of an image are joined."""
        self._blobs = blobs
        self._catalog = catalog
        self._uploads = uploads
        self._ingest = ingest
        self._archives = archives
        self._outbox = outbox
        self._folder = folder
        self._turns = asyncio.Semaphore(_UNPACKED_AT_ONCE)

    async def run(self, job: Job) -> Job:
        """Do what the upload is for; return the job, with the image it came to.

        Raises what stands against the image, or against the archive as a whole.
        """
        upload = await self._catalog.get_upload(job.id)
        if upload is None or upload.state is not UploadState.COMPLETING:
            return job
        if upload.purpose is Purpose.IMAGE:
            return replace(job, image=await self._image(upload))
        async with self._turns:
            await self._archive(upload)
        return job

    def _parts(self, upload: Upload) -> AsyncIterator[UploadPart]:
        return whole(self._catalog, upload, upload.parts)

    async def _image(self, upload: Upload) -> str:
        parts = self._parts(upload)
        async with joined(self._blobs, parts, upload.received, self._folder) as body:
            _require_digest(upload, bytes.fromhex(body.sha256))
            keep = self._keep if upload.batch is None else self._keep_item
            return await keep(upload, body)

    async def _keep(self, upload: Upload, body: Body) -> str:
        declaration = Declaration(
            annotations=Annotations(name=upload.name, tags=upload.tags, metadata=upload.metadata),
            variants=tuple(parse_canonical(text) for text in upload.variants or ()),
        )
        image = await self._uploads.store(body, declaration, derived_id("upload", upload.id))
        self._outbox.enqueue_variants(image)
        return image.id

    async def _keep_item(self, upload: Upload, body: Body) -> str:
        assert upload.batch, "or it is no item"
        assert upload.ref, "a batch knows its items by ref"
        arrival = Arrival(ref=upload.ref, body=body, said=_said(upload))
        return await self._ingest.take_one(upload.batch, arrival)

    async def _archive(self, upload: Upload) -> None:
        """Take the members into the batch; one of the upload's own is sealed in the end."""
        assert upload.batch, "it was given one when it was completed"
        own = upload.batch == own_batch(upload.id)
        if own and not is_open(await self._batch(upload.batch)):
            return  # an earlier attempt came to its end, and could not say so
        broken: FilmrollError | None = None
        try:
            if upload.sha256 is not None:
                _require_digest(upload, await digest(self._blobs, self._parts(upload)))
            await self._unpack(upload, upload.batch)
        except (BrokenArchive, UnsupportedMedia, DigestMismatch) as fault:
            broken = fault
            if own:  # its client has been given the batch, and looks at nothing else
                await self._note(upload, upload.batch, [(_title(upload), fault)])
        if own:
            await self._catalog.close_batch(upload.batch, BatchState.SEALED, now())
        if broken is not None:
            raise broken

    async def _unpack(self, upload: Upload, batch: str) -> None:
        content = stream(self._blobs, self._parts(upload))
        async with aclosing(content), aclosing(self._archives.take(batch, content)) as groups:
            async for verdicts in groups:
                await self._note(upload, batch, _unwritten(verdicts))

    async def _note(
        self, upload: Upload, batch_id: str, refused: Sequence[tuple[str, FilmrollError]]
    ) -> None:
        """Write down what came to no line of the ledger; nobody else is there to be told.

        Where a member's ref is another image's already, the line is that of the archive's member.
        Raises Conflict if the batch is closed.
        """
        if not refused:
            return
        batch = await self._batch(batch_id)
        if not is_open(batch):
            raise closed_problem(batch)
        blank = Line(batch=batch_id, ref="", state=LineState.FAILED, at=now())
        entries = [failed(replace(blank, ref=_ref(name)), fault) for name, fault in refused]
        standings = await self._catalog.put_lines(batch_id, entries)
        rest = [
            failed(replace(blank, ref=_ref(f"{_title(upload)}: {name}")), fault)
            for (name, fault), standing in zip(refused, standings, strict=True)
            if not standing.taken
        ]
        if rest:
            await self._catalog.put_lines(batch_id, rest)

    async def _batch(self, batch_id: str) -> Batch:
        return known(await self._catalog.get_batch(batch_id))


def _require_digest(upload: Upload, actual: bytes) -> None:
    if upload.sha256 is not None:
        require_digests(actual, [bytes.fromhex(upload.sha256)])


def _title(upload: Upload) -> str:
    """Return what to call an archive."""
    return upload.name or upload.id


def _ref(name: str) -> str:
    """Return the ref of a member, or what stands for a name that can be none."""
    try:
        return require_ref(name)
    except InvalidRequest:
        return derived_id("member", name)


def _said(upload: Upload) -> Said:
    """Return what was said of an item; nothing leaves it to the ledger."""
    texts = upload.variants
    return Said(
        name=upload.name,
        tags=upload.tags or None,
        metadata=upload.metadata or None,
        variants=None if texts is None else tuple(parse_canonical(text) for text in texts),
    )


def _unwritten(verdicts: Sequence[Verdict]) -> Sequence[tuple[str, FilmrollError]]:
    """Return the refusals that no line tells of; raise one that another attempt may not have."""
    refused = [
        (verdict.ref, verdict.problem)
        for verdict in verdicts
        if verdict.problem is not None and verdict.line is None
    ]
    for _, problem in refused:
        if problem.kind in _PASSING:
            raise problem
    return refused
