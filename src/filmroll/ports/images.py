"""The catalog's part about images."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from filmroll.model import Image, Info, Job, Variant, WebhookDelivery


@dataclass(frozen=True, kw_only=True, slots=True)
class Similar:
    """Pictures that look like one: their perceptual hashes differ in ``distance`` bits at most.

    Only those are found whose information is kept. ``distance`` is MAX_DISTANCE at most.
    """

    phash: str
    distance: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFilter:
    """Which images to list: all conditions hold at once."""

    tag: str | None = None
    batch: str | None = None
    sha256: str | None = None
    created_after: float | None = None
    similar: Similar | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagePage:
    """A page of a listing, newest first; ``next_cursor`` is None on the last one."""

    items: tuple[Image, ...]
    next_cursor: str | None


class ImagesCatalog(Protocol):
    """What is known about images and variants."""

    async def add_image(
        self, image: Image, job: Job | None, deliveries: Sequence[WebhookDelivery] = ()
    ) -> Image:
        """Add an image together with its job (the outbox), both or neither.

        If the id exists already nothing is changed; returns the record that is there either way.
        """

    async def get_image(self, image: str) -> Image | None:
        """Return an image, a tombstone (state ``deleted``) included."""

    async def update_image(self, image: Image) -> bool:
        """Replace a record whose stored version is ``image.version - 1``.

        False, and no change, if it has another version or is deleted.
        """

    async def list_images(self, where: ImageFilter, limit: int, cursor: str | None) -> ImagePage:
        """List images that are not deleted, newest first.

        Raises InvalidRequest (pointer ``/cursor``) for a cursor that is not of this listing.
        """

    async def find_images(self, sha256s: Sequence[str]) -> Mapping[str, Image]:
        """Return an image that is not deleted for each of the digests (hex) that has one."""

    async def which_live(self, images: Collection[str]) -> Collection[str]:
        """Return those of the ids under which there is an image that is not deleted."""

    async def bury_image(
        self, image: str, purge_at: float, deliveries: Sequence[WebhookDelivery] = ()
    ) -> bool:
        """Turn an image into a tombstone; from now on nothing can be added to it.

        ``deliveries`` tell of it, and are kept in the same step.

        Its jobs that are not final become ``cancelled``, and so do the lines that wait for them.
        ``purge_at`` is when the housekeeper ends what its deletion may have left undone. False if
        it is unknown or buried already.
        """

    async def drop_variants(self, image: str) -> Sequence[str]:
        """Remove the variant records of a buried image, and its information.

        Returns the recipes.
        """

    async def due_purges(self, before: float, limit: int) -> Sequence[str]:
        """Return ids of tombstones whose ``purge_at`` has come."""

    async def purged(self, image: str, before: float, again_at: float) -> None:
        """Note that all was removed that was left of a buried image due ``before`` then.

        The first time it becomes due once more, at ``again_at``: what was being made while it
        was buried may come late. The second time it is due no more. Of several who found it due
        at once one counts: for the others it is not due ``before`` then any more.
        """

    async def get_variant(self, image: str, recipe: str) -> Variant | None:
        """Return one variant."""

    async def list_variants(self, image: str) -> Sequence[Variant]:
        """Return all variants of an image, oldest first."""

    async def put_variants(self, image: str, variants: Sequence[Variant]) -> bool:
        """Add or replace variants. False, and nothing written, if the image is not (any more)."""

    async def get_info(self, image: str) -> Info | None:
        """Return the information that is kept of an image."""

    async def put_info(self, image: str, info: Info) -> bool:
        """Keep an image's information; from now on listings find it by its perceptual hash.

        What was kept before is replaced. False, and nothing written, if the image is not (any
        more).
        """
