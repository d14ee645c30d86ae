"""Handing out originals and variants; a variant is made on first use and kept."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from filmroll.instructions import Instructions
from filmroll.model import Image, VariantState, original_key, variant_key
from filmroll.ports import BlobStore, Catalog, Fresh, Processor
from filmroll.usecases.images import Images, lost
from filmroll.usecases.resolve import Resolver


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """What can be said about a picture before its bytes are opened."""

    image: str
    key: str  # in the blob store
    etag: str  # without quotes; of a variant, what it shows: ``sha256`` tells its bytes
    format: str
    bytes: int
    sha256: str  # hex
    created_at: float
    lasting: bool  # whether the URL can never mean other bytes
    instructions: Instructions | None  # that made it; None for an original
    spent: Mapping[str, float] = field(default_factory=dict)  # s by step, if it was made just now


class Downloads:
    """Finds originals and variants."""

    def __init__(
        self, *, blobs: BlobStore, catalog: Catalog, processor: Processor, images: Images
    ) -> None:
        self._blobs = blobs
        self._catalog = catalog
        self._processor = processor
        self._images = images
        self._resolver = Resolver(catalog)

    async def instructions(self, text: str) -> Instructions:
        """Read the part of the URL behind the id."""
        return await self._resolver.read(text)

    async def original(self, image: str) -> Asset:
        """Describe an original; raise NotFound or Deleted."""
        found = await self._images.get(image)
        return Asset(
            image=image,
            key=original_key(image),
            etag=found.sha256,
            format=found.format,
            bytes=found.bytes,
            sha256=found.sha256,
            created_at=found.created_at,
            lasting=True,
            instructions=None,
        )

    async def variant(self, image: Image, instructions: Instructions, *, lasting: bool) -> Asset:
        """Describe a variant, made now if it is not kept; raise what stands against it."""
        recipe = instructions.recipe()
        variant = await self._catalog.get_variant(image.id, recipe)
        if variant is not None and variant.state is VariantState.READY:
            return _asset(Fresh(variant=variant), instructions, lasting=lasting)
        await self._resolver.require_means(instructions)
        fresh = await self._processor.make_variant(image.id, instructions)
        return _asset(fresh, instructions, lasting=lasting)

    async def open(self, asset: Asset) -> tuple[Asset, BinaryIO]:
        """Open the bytes; raise Deleted if the image went away meanwhile.

        The asset that is returned describes them, also if they had to be made again.
        """
        file = await self._blobs.open(asset.key)
        if file is not None and file.seek(0, os.SEEK_END) != asset.bytes:
            file.close()
            file = None
        if file is None:
            asset = await self._made_again(asset)
            file = await self._blobs.open(asset.key)
        if file is None:
            raise lost()
        return asset, file

    async def read(self, asset: Asset) -> tuple[Asset, bytes]:
        """Return the bytes of a small asset, as ``open`` does."""
        data = await self._blobs.read(asset.key)
        if data is None or hashlib.sha256(data).hexdigest() != asset.sha256:
            asset = await self._made_again(asset)
            data = await self._blobs.read(asset.key)
        if data is None:
            raise lost()
        return asset, data

    async def _made_again(self, asset: Asset) -> Asset:
        """Replace the bytes of a variant that a power cut took; an original's cannot be."""
        await self._images.get(asset.image)  # or it is deleted, and that is why
        if asset.instructions is None:
            raise lost()
        made = await self._processor.make_variant(asset.image, asset.instructions, again=True)
        return _asset(made, asset.instructions, lasting=asset.lasting)


def variant_etag(image: str, recipe: str) -> str:
    """Return a variant's tag, known before it is made: the same recipe always looks the same.

    Its bytes depend a little on what is made from the same decode. They are kept, so they only
    change where they were lost, or where two processes made them at once.
    """
    return f"{image}.{recipe}"


def _asset(fresh: Fresh, instructions: Instructions, *, lasting: bool) -> Asset:
    variant = fresh.variant
    return Asset(
        image=variant.image,
        key=variant_key(variant.image, variant.recipe),
        etag=variant_etag(variant.image, variant.recipe),
        format=variant.format,
        bytes=variant.bytes,
        sha256=variant.sha256,
        created_at=variant.created_at,
        lasting=lasting,
        instructions=instructions,
        spent=fresh.spent,
    )
