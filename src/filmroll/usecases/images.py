"""What can be done with an image that is kept: look, list, annotate, derive, delete."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from filmroll.errors import (
    Deleted,
    InternalError,
    InvalidRequest,
    NotFound,
    VersionMismatch,
)
from filmroll.instructions import Instructions, writable
from filmroll.model import (
    Header,
    Image,
    ImageState,
    Variant,
    now,
    original_key,
    variant_key,
)
from filmroll.ports import BlobStore, Catalog, Epochs, ImageFilter, ImagePage
from filmroll.usecases.resolve import require_possible
from filmroll.usecases.webhooks.announcing import Announcer

MAX_NAME = 255  # characters
MAX_TAGS = 50
MAX_TAG = 100  # characters
MAX_METADATA_BYTES = 16_384  # as JSON
MAX_METADATA_DEPTH = 32
MAX_PAGE = 200
_EMPTY: Mapping[str, Any] = {"name": None, "tags": (), "metadata": {}}

# What a deletion leaves undone because its process dies, the housekeeper ends after so long.
PURGE_AFTER_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotations:
    """What a client says about an image."""

    name: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, Any] | None = None

    def check(self) -> "Annotations":
        """Return self; raise InvalidRequest with a pointer if something is out of bounds."""
        if self.name is not None:
            _require_text(self.name, MAX_NAME, "/name")
        for position, tag in enumerate(self.tags or ()):
            _require_text(tag, MAX_TAG, f"/tags/{position}")
        if len(self.tags or ()) > MAX_TAGS:
            raise InvalidRequest(
                f"At most {MAX_TAGS} tags.",
                pointer="/tags",
                limit=MAX_TAGS,
                actual=len(self.tags or ()),
            )
        if self.metadata:
            _check_metadata(self.metadata)
        return self


class Images:
    """The kept images."""

    def __init__(
        self, blobs: BlobStore, catalog: Catalog, epochs: Epochs, announcer: Announcer
    ) -> None:
        self._blobs = blobs
        self._catalog = catalog
        self._epochs = epochs
        self._announcer = announcer

    async def get(self, image: str) -> Image:
        """Return an image; raise NotFound, or Deleted for a tombstone."""
        return await living(self._catalog, image)

    async def header(self, image: str) -> Header | None:
        """Return what the header of an image told, even if it is deleted; None if it is unknown."""
        found = await self._catalog.get_image(image)
        return None if found is None else header_of(found)

    async def variants(self, image: str) -> Sequence[Variant]:
        """Return the kept variants of an image, oldest first."""
        return await self._catalog.list_variants(image)

    async def list(self, where: ImageFilter, limit: int, cursor: str | None) -> ImagePage:
        """Return a page, newest first."""
        return await self._catalog.list_images(where, min(limit, MAX_PAGE), cursor)

    async def annotate(
        self, image: str, changes: Mapping[str, Any], versions: Collection[int] | None
    ) -> Image:
        """Change ``name``, ``tags`` or ``metadata``; None empties a field.

        Raises VersionMismatch if the image has none of ``versions``; None stands for any.
        """
        Annotations(**changes).check()
        values: dict[str, Any] = {
            key: _EMPTY[key] if value is None else value for key, value in changes.items()
        }
        while True:
            found = await self.get(image)
            if versions is not None and found.version not in versions:
                raise VersionMismatch(
                    "The image changed since it was read. Read it again, then repeat the change.",
                    actual=found.version,
                )
            changed = replace(found, **values, version=found.version + 1)
            if await self._catalog.update_image(changed):
                return changed

    async def delete(self, image: str) -> None:
        """Delete an image, all its variants, and what is cached of them; twice is harmless.

        The tombstone comes first: whatever breaks off after it, the housekeeper ends.
        """
        told = await self._announcer.deletion(image)
        if not await self._catalog.bury_image(image, now() + PURGE_AFTER_SECONDS, told):
            await self._raise_unknown(image)
        self._epochs.bump(image)
        recipes = await self._catalog.drop_variants(image)
        keys = [variant_key(image, recipe) for recipe in recipes]
        await self._blobs.delete([*keys, original_key(image)])

    def require_possible(self, image: Image, wanted: Sequence[Instructions]) -> None:
        """Raise what stands against making these variants of this image."""
        require_possible(wanted, header_of(image))

    async def _raise_unknown(self, image: str) -> None:
        if await self._catalog.get_image(image) is None:
            raise NotFound("There is no image with this id.")


async def living(catalog: Catalog, image: str) -> Image:
    """Return an image; raise NotFound, or Deleted for a tombstone."""
    found = await catalog.get_image(image)
    if found is None:
        raise NotFound("There is no image with this id.")
    if found.state is ImageState.DELETED:
        raise Deleted("This image was deleted, and its variants with it.")
    return found


async def raise_missing(catalog: Catalog, image: str) -> NoReturn:
    """Raise why an original is not there: its image was deleted, or it is the server's fault."""
    await living(catalog, image)
    raise lost()


def lost() -> InternalError:
    """Return what is told of bytes that should be there."""
    return InternalError("The bytes of this image are missing or damaged on the server's disk.")


def header_of(image: Image) -> Header:
    """Return the part of a record that its header had told."""
    return Header(format=image.format, width=image.width, height=image.height, frames=image.frames)


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for what could not be read back, or is too much."""
    if _depth(metadata) > MAX_METADATA_DEPTH:
        raise InvalidRequest(
            f"metadata may be nested {MAX_METADATA_DEPTH} deep at most.",
            pointer="/metadata",
            limit=MAX_METADATA_DEPTH,
        )
    try:
        size = len(json.dumps(metadata, allow_nan=False, ensure_ascii=False).encode())
    except ValueError as fault:  # NaN, infinity, half of a surrogate pair
        detail = "metadata holds a number or a text that JSON in UTF-8 cannot hold."
        raise InvalidRequest(detail, pointer="/metadata") from fault
    if size > MAX_METADATA_BYTES:
        raise InvalidRequest(
            f"metadata may have at most {MAX_METADATA_BYTES} bytes as JSON.",
            pointer="/metadata",
            limit=MAX_METADATA_BYTES,
            actual=size,
        )


def _depth(value: Any) -> int:
    """Return how deep lists and objects are nested; by level, since deep ones end recursion."""
    depth, level = 0, [value]
    while level and depth <= MAX_METADATA_DEPTH:
        inner = [
            each.values() if isinstance(each, Mapping) else each
            for each in level
            if isinstance(each, Mapping | list)
        ]
        depth += bool(inner)
        level = [item for items in inner for item in items]
        if not inner:
            break
    return depth


def _require_text(text: str, longest: int, pointer: str) -> None:
    if not text or len(text) > longest or not writable(text):
        raise InvalidRequest(
            f"Give 1 to {longest} characters, none of them a control character.",
            pointer=pointer,
            limit=longest,
            actual=len(text),
        )
