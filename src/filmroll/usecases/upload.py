"""Taking an image in: refuse early, keep durably."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from filmroll.errors import Conflict, Deleted, EmptyBody
from filmroll.instructions import Instructions
from filmroll.model import Header, Image, ImageState, new_id, now, original_key
from filmroll.ports import BlobStore, Catalog, Probe
from filmroll.usecases.avif import useful
from filmroll.usecases.images import Annotations
from filmroll.usecases.outbox import upload_job
from filmroll.usecases.resolve import Resolver, require_possible
from filmroll.usecases.spool import Body
from filmroll.usecases.webhooks.announcing import Announcer

# The walk of a larger file may take long enough to be felt by others on the event loop.
_PROBED_AT_ONCE_BYTES = 256 << 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
    """What is said and asked with an upload, checked before its body is read."""

    annotations: Annotations
    variants: tuple[Instructions, ...]


class Uploads:
    """Checks and keeps uploads."""

    def __init__(
        self, *, blobs: BlobStore, catalog: Catalog, probe: Probe, announcer: Announcer
    ) -> None:
        self._blobs = blobs
        self._catalog = catalog
        self._probe = probe
        self._announcer = announcer
        self._resolver = Resolver(catalog)

    async def declare(self, annotations: Annotations, variants: Sequence[Any]) -> Declaration:
        """Check what comes with an upload; raise InvalidRequest with a pointer."""
        return Declaration(
            annotations=annotations.check(),
            variants=await self._resolver.resolve_all(variants) if variants else (),
        )

    async def store(
        self,
        body: Body,
        declaration: Declaration,
        image_id: str | None = None,
        *,
        revive: bool = True,
    ) -> Image:
        """Keep a whole body as an image, with the job for its variants; durable on return.

        Under an ``image_id`` that exists already, the same bytes give the image that is there; one
        that was deleted comes again under a new id, or Deleted is raised unless ``revive``. An id
        that may come with other bytes at the same time has to follow from the bytes.

        Raises what the probe refuses with, and InvalidInstructions if the variants cannot be made
        of a picture of this size; nothing is kept then.
        """
        header = await read_header(self._probe, body)
        require_possible(declaration.variants, header)
        declaration = replace(declaration, variants=useful(declaration.variants, header))
        image = image_of(image_id or new_id(), body, header, declaration)
        if image_id and (kept := await self._catalog.get_image(image_id)):
            if kept.state is not ImageState.DELETED:
                return _same(kept, image)
            if not revive:
                raise Deleted("This image was deleted.")
            image = replace(image, id=new_id())
        await self._blobs.put(original_key(image.id), body.body, image.sha256)
        told = await self._announcer.image(image)
        job = upload_job(image) if image.declared else None
        return _same(await self._catalog.add_image(image, job, told), image)


async def read_header(probe: Probe, body: Body) -> Header:
    """Return what a body says of itself; raise EmptyBody, or what the probe refuses with."""
    if body.bytes == 0:
        raise EmptyBody("The body is empty. Send the bytes of an image.")
    if body.bytes <= _PROBED_AT_ONCE_BYTES:
        return probe(body.file(), body.bytes)
    return await asyncio.to_thread(probe, body.file(), body.bytes)


def image_of(
    image_id: str,
    body: Body,
    header: Header,
    declaration: Declaration,
    *,
    batch: str | None = None,
    ref: str | None = None,
) -> Image:
    """Return the record of an image that is about to be kept."""
    said = declaration.annotations
    return Image(
        id=image_id,
        state=ImageState.STORED if declaration.variants else ImageState.READY,
        sha256=body.sha256,
        bytes=body.bytes,
        format=header.format,
        width=header.width,
        height=header.height,
        frames=header.frames,
        created_at=now(),
        name=said.name,
        tags=said.tags or (),
        metadata=said.metadata or {},
        declared=tuple(one.canonical() for one in declaration.variants),
        batch=batch,
        ref=ref,
    )


def _same(kept: Image, sent: Image) -> Image:
    """Return the kept record if it is of the bytes that were sent."""
    if kept.sha256 != sent.sha256:
        raise Conflict("Another image was stored under this id.")
    return kept
