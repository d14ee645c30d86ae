"""Images and their variants."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from math import inf
from typing import Any

import apsw

from filmroll.catalog import cursor as cursors
from filmroll.catalog import rules
from filmroll.catalog.sqlite.infos import drop_info, get_info, looking_like, put_info
from filmroll.catalog.sqlite.lines import end_line
from filmroll.catalog.sqlite.tables import IMAGES, JOBS, OPEN, VARIANTS, Part
from filmroll.catalog.sqlite.webhooks import write_deliveries
from filmroll.model import Image, Info, Job, Variant, WebhookDelivery, now
from filmroll.ports import ImageFilter, ImagePage, Similar
from filmroll.sqlite import rows


class Images(Part):
    """The part of the catalog that knows images."""

    async def add_image(
        self, image: Image, job: Job | None, deliveries: Sequence[WebhookDelivery] = ()
    ) -> Image:
        return await self._db.write(_add, image, job, deliveries)

    async def get_image(self, image: str) -> Image | None:
        return self._db.read(IMAGES.get, image)

    async def update_image(self, image: Image) -> bool:
        return await self._db.write(_update, image)

    async def list_images(self, where: ImageFilter, limit: int, cursor: str | None) -> ImagePage:
        before = cursors.position(cursor, where)
        if where.similar is None:
            found = self._db.read(_select, where, limit + 1, before)
        else:  # many may share a band with it, and none be like it
            found = await self._db.search(_select, where, limit + 1, before)
        items, following = cursors.page(found, limit, where)
        return ImagePage(items=items, next_cursor=following)

    async def find_images(self, sha256s: Sequence[str]) -> Mapping[str, Image]:
        return self._db.read(_find, sha256s)

    async def which_live(self, images: Collection[str]) -> Collection[str]:
        return self._db.read(_which_live, images)

    async def bury_image(
        self, image: str, purge_at: float, deliveries: Sequence[WebhookDelivery] = ()
    ) -> bool:
        return await self._db.write(_bury, image, purge_at, deliveries)

    async def drop_variants(self, image: str) -> Sequence[str]:
        return await self._db.write(_drop_variants, image)

    async def due_purges(self, before: float, limit: int) -> Sequence[str]:
        query = "SELECT id FROM images WHERE purge_at <= ? ORDER BY purge_at LIMIT ?"
        return [row[0] for row in self._db.read(rows, query, before, limit)]

    async def purged(self, image: str, before: float, again_at: float) -> None:
        statement = """
            UPDATE images SET purge_at = iif(purged, NULL, ?), purged = 1
            WHERE id = ? AND purge_at <= ?
        """
        await self._db.write(rows, statement, again_at, image, before)

    async def get_variant(self, image: str, recipe: str) -> Variant | None:
        return self._db.read(VARIANTS.get, image, recipe)

    async def list_variants(self, image: str) -> Sequence[Variant]:
        which = "WHERE image = ? ORDER BY created_at, recipe"
        return self._db.read(VARIANTS.select, which, image)

    async def put_variants(self, image: str, variants: Sequence[Variant]) -> bool:
        return await self._db.write(_put_variants, image, variants)

    async def get_info(self, image: str) -> Info | None:
        return self._db.read(get_info, image)

    async def put_info(self, image: str, info: Info) -> bool:
        return await self._db.write(_put_info, image, info)


def insert_image(connection: apsw.Connection, image: Image) -> bool:
    """Write a new image; False, and no change, if its id is taken."""
    if not IMAGES.add(connection, image):
        return False
    _tag(connection, image)
    return True


def replace_image(connection: apsw.Connection, stored: Image, image: Image) -> None:
    """Write an image's next version."""
    IMAGES.put(connection, image)
    if stored.tags != image.tags:
        _untag(connection, stored)
        _tag(connection, image)


def _add(
    connection: apsw.Connection,
    image: Image,
    job: Job | None,
    deliveries: Sequence[WebhookDelivery],
) -> Image:
    if not insert_image(connection, image):
        stored = IMAGES.get(connection, image.id)
        assert stored is not None, "it collided with this very id"
        return stored
    if job is not None:
        JOBS.add(connection, job)
    write_deliveries(connection, deliveries)
    return image


def _update(connection: apsw.Connection, image: Image) -> bool:
    stored = IMAGES.get(connection, image.id)
    updated = rules.updated(stored, image)
    if stored is None or updated is None:
        return False
    replace_image(connection, stored, updated)
    return True


def _find(connection: apsw.Connection, sha256s: Sequence[str]) -> Mapping[str, Image]:
    which = "WHERE sha256 = ? AND state <> 'deleted' LIMIT 1"
    found = (IMAGES.select(connection, which, sha256) for sha256 in sha256s)
    return {image.sha256: image for images in found for image in images}


def _which_live(connection: apsw.Connection, images: Collection[str]) -> Collection[str]:
    query = "SELECT 1 FROM images WHERE id = ? AND state <> 'deleted'"
    return {image for image in images if rows(connection, query, image)}


def _bury(
    connection: apsw.Connection,
    image: str,
    purge_at: float,
    deliveries: Sequence[WebhookDelivery],
) -> bool:
    stored = IMAGES.get(connection, image)
    tombstone = rules.buried(stored)
    if stored is None or tombstone is None:
        return False
    replace_image(connection, stored, tombstone)
    rows(connection, "UPDATE images SET purge_at = ? WHERE id = ?", purge_at, image)
    for job in JOBS.select(connection, f"WHERE image = ? AND {OPEN}", image):
        cancelled = rules.cancelled(job, now())
        JOBS.put(connection, cancelled)
        end_line(connection, cancelled)
    write_deliveries(connection, deliveries)
    return True


def _drop_variants(connection: apsw.Connection, image: str) -> list[str]:
    stored = IMAGES.get(connection, image)
    if stored is None or rules.live(stored):
        return []
    drop_info(connection, stored)
    statement = "DELETE FROM variants WHERE image = ? RETURNING recipe"
    return [row[0] for row in rows(connection, statement, image)]


def _put_variants(connection: apsw.Connection, image: str, variants: Sequence[Variant]) -> bool:
    if not rules.live(IMAGES.get(connection, image)):
        return False
    for variant in variants:
        VARIANTS.put(connection, variant)
    return True


def _put_info(connection: apsw.Connection, image: str, info: Info) -> bool:
    stored = IMAGES.get(connection, image)
    if stored is None or not rules.live(stored):
        return False
    drop_info(connection, stored)
    put_info(connection, stored, info)
    return True


def _tag(connection: apsw.Connection, image: Image) -> None:
    if image.tags:
        tags = [(tag, image.created_at, image.id) for tag in image.tags]
        connection.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?, ?)", tags)


def _untag(connection: apsw.Connection, image: Image) -> None:
    tags = [(tag, image.created_at, image.id) for tag in image.tags]
    connection.executemany("DELETE FROM tags WHERE (tag, created_at, image) = (?, ?, ?)", tags)


def _select_alike(
    connection: apsw.Connection,
    where: ImageFilter,
    similar: Similar,
    limit: int,
    before: tuple[float, str] | None,
) -> list[Image]:
    after = -inf if where.created_after is None else where.created_after
    alike = looking_like(connection, similar, after, before or (inf, ""))
    images = (IMAGES.get(connection, image) for image in alike)
    matching = (image for image in images if image and rules.matches(image, where))
    return list(islice(matching, limit))


def _select(
    connection: apsw.Connection,
    where: ImageFilter,
    limit: int,
    before: tuple[float, str] | None,
) -> list[Image]:
    """Return the newest images under all conditions, from the index that fits them."""
    if where.similar is not None:
        return _select_alike(connection, where, where.similar, limit, before)
    place, source = "images.created_at, images.id", ""
    conditions: list[tuple[str, Sequence[Any]]] = [("images.state <> 'deleted'", ())]
    if where.tag is not None:
        place, source = "tags.created_at, tags.image", "JOIN tags ON tags.image = images.id"
        conditions.append(("tags.tag = ?", (where.tag,)))
    if where.batch is not None:
        conditions.append(("images.batch = ?", (where.batch,)))
    if where.sha256 is not None:
        conditions.append(("images.sha256 = ?", (where.sha256,)))
    if where.created_after is not None:
        conditions.append((f"{place.split(',')[0]} > ?", (where.created_after,)))
    if before is not None:
        conditions.append((f"({place}) < (?, ?)", before))
    order = place.replace(",", " DESC,") + " DESC"
    which = (
        f"{source} WHERE {' AND '.join(text for text, _ in conditions)} ORDER BY {order} LIMIT ?"
    )
    values = [value for _, values in conditions for value in values]
    return IMAGES.select(connection, which, *values, limit)
