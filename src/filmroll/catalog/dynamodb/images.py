"""Images: added, found, changed, buried."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace

from filmroll.catalog import cursor as cursors
from filmroll.catalog import rules
from filmroll.catalog.dynamodb.infos import Infos
from filmroll.catalog.dynamodb.jobs import Jobs
from filmroll.catalog.dynamodb.merging import first, found, merged
from filmroll.catalog.dynamodb.record import (
    Record,
    newest_partition,
    write,
)
from filmroll.catalog.dynamodb.schema import (
    DUE,
    GROUP,
    NEWEST,
    SHARDS,
    TWINS,
    moment,
)
from filmroll.catalog.dynamodb.table import ABSENT, Item, number, text, together
from filmroll.catalog.dynamodb.variants import VARIANT
from filmroll.model import Image, Job, WebhookDelivery, now
from filmroll.ports import ImageFilter, ImagePage


class Images(Jobs, Infos):
    """The part of the catalog that knows images."""

    async def add_image(
        self, image: Image, job: Job | None, deliveries: Sequence[WebhookDelivery] = ()
    ) -> Image:
        own = job if job is not None and job.id == image.id else None
        works = frozenset() if job is own or job is None else frozenset([job.id])
        new = Record(id=image.id, revision=1, image=image, job=own, works=works)
        new = replace(new, outgoing=tuple(deliveries))
        await self._tag(image, image.tags)
        if not await self._table.put(write(new), ABSENT):
            stored = await self._add_beside(new)
            if stored is not None:
                await self._untag(image, set(image.tags) - set(stored.tags))
                return stored
        if job is not None and own is None:
            await self.add_job(job)
        await self._deliver(image.id, deliveries)
        return image

    async def get_image(self, image: str) -> Image | None:
        return (await self._read(image)).image

    async def update_image(self, image: Image) -> bool:
        stored = (await self._read(image.id)).image
        if stored is None or rules.updated(stored, image) is None:
            return False
        await self._tag(image, set(image.tags) - set(stored.tags))

        def updated(record: Record) -> Record | None:
            found = rules.updated(record.image, image)
            return None if found is None else replace(record, image=found)

        _, after = await self._change(image.id, updated)
        if after is not None:
            await self._untag(image, set(stored.tags) - set(image.tags))
        return after is not None

    async def list_images(self, where: ImageFilter, limit: int, cursor: str | None) -> ImagePage:
        before = cursors.position(cursor, where)

        async def chosen(places: list[tuple[str, str]]) -> list[Image]:
            records = await self._read_all([id_ for _, id_ in places])
            return [it.image for it in records if it.image and rules.matches(it.image, where)]

        shown = await found(self._candidates(where, before, limit + 1), chosen, limit + 1)
        items, following = cursors.page(shown, limit, where)
        return ImagePage(items=items, next_cursor=following)

    async def find_images(self, sha256s: Sequence[str]) -> Mapping[str, Image]:
        unique = list(dict.fromkeys(sha256s))
        found = await together([self._twin(sha256) for sha256 in unique])
        return {image.sha256: image for image in found if image is not None}

    async def which_live(self, images: Collection[str]) -> Collection[str]:
        return {it.id for it in await self._read_all(list(images)) if rules.live(it.image)}

    async def bury_image(
        self, image: str, purge_at: float, deliveries: Sequence[WebhookDelivery] = ()
    ) -> bool:
        at = now()

        def buried(record: Record) -> Record | None:
            tombstone = rules.buried(record.image)
            if tombstone is None:
                return None
            job = record.job
            if job is not None and job.image == image:
                job = rules.cancelled(job, at)
            after = replace(record, image=tombstone, job=job, purge_at=purge_at)
            tags = record.image.tags if record.image else ()
            return replace(after, outgoing=(*record.outgoing, *deliveries), tags=tags)

        before, after = await self._change(image, buried)
        if after is None or before.image is None:
            return False
        if after.job is not None and after.job is not before.job:
            await self._ledgers.note_end(after.job)
        await together([self.cancel_job(work, at) for work in before.works])
        await self._deliver(image, deliveries)
        return True

    async def drop_variants(self, image: str) -> Sequence[str]:
        record = await self._read(image)
        if rules.live(record.image):
            return ()
        if record.image is not None:
            await self._drop_info(record.image)
            await self._untag(record.image, record.tags)
        # Those that whoever buried it did not live to cancel.
        await together([self.cancel_job(work, now()) for work in record.works])
        items = [item async for item in self._table.query(image, VARIANT, f"{VARIANT}~")]
        await self._table.delete_all([(image, item["sk"]["S"]) for item in items])

        def emptied(record: Record) -> Record | None:
            if not record.variants and not record.tags:
                return None
            return replace(record, variants={}, tags=())

        await self._change(image, emptied)
        return [*{*record.variants, *(item["sk"]["S"].removeprefix(VARIANT) for item in items)}]

    async def due_purges(self, before: float, limit: int) -> Sequence[str]:
        return await self._due_ids("purge", before, limit)

    async def purged(self, image: str, before: float, again_at: float) -> None:
        def noted(record: Record) -> Record | None:
            if record.purge_at is None or record.purge_at > before:
                return None
            return replace(
                record, purge_at=None if record.purged else again_at, purged=True, works=frozenset()
            )

        await self._change(image, noted)

    async def _add_beside(self, new: Record) -> Image | None:
        """Add an image where its id is known already; return the one that is there, if so."""

        def added(record: Record) -> Record | None:
            if record.image is not None:
                return None
            return replace(new, job=record.job or new.job, upload=record.upload, last=record.last)

        before, _ = await self._change(new.id, added)
        return before.image

    async def _twin(self, sha256: str) -> Image | None:
        """Return an image of these bytes that is not deleted."""
        async for item in self._table.find(TWINS, sha256, limit=5):
            found = (await self._read(item["pk"]["S"])).image
            if found is not None and rules.live(found):
                return found
        return None

    async def _candidates(
        self, where: ImageFilter, before: cursors.Position | None, limit: int
    ) -> AsyncIterator[tuple[str, str]]:
        """Yield places and ids of images, newest first, that the filter may find."""
        after = where.created_after
        over = None if after is None else text(moment(after, "~"))
        under = None if before is None else text(moment(*before))
        if over and under and over["S"] > under["S"]:
            return
        first, last = over["S"] if over else " ", under["S"] if under else "~"
        if where.similar is not None:
            streams = [self._looking_like(where.similar, first, last, limit)]
        elif where.tag is not None:
            found = self._table.query(_tag_key(where.tag), first, last, backwards=True, limit=limit)
            streams = [_places(found, "sk")]
        else:
            which = [(NEWEST, newest_partition(number)) for number in range(SHARDS)]
            if where.sha256 is not None:
                which = [(TWINS, where.sha256)]
            elif where.batch is not None:
                which = [(GROUP, f"batch#{where.batch}")]
            streams = [
                _places(
                    self._table.find(
                        index, partition, over=over, under=under, backwards=True, limit=limit
                    ),
                    "ls",
                )
                for index, partition in which
            ]
        async for place, id_ in merged(streams):
            if under is None or place != under["S"]:
                yield place, id_

    async def _tag(self, image: Image, tags: Collection[str]) -> None:
        place = moment(image.created_at, image.id)
        items = [{"pk": text(_tag_key(tag)), "sk": text(place)} for tag in tags]
        await together([self._table.put(item) for item in items])

    async def _untag(self, image: Image, tags: Collection[str]) -> None:
        place = moment(image.created_at, image.id)
        await self._table.delete_all([(_tag_key(tag), place) for tag in tags])

    async def _due_ids(self, partition: str, before: float, limit: int) -> list[str]:
        found = self._table.find(DUE, partition, under=number(before), limit=limit)
        return [item["pk"]["S"] for item in await first(found, limit)]


async def _places(items: AsyncIterator[Item], name: str) -> AsyncIterator[tuple[str, str]]:
    async for item in items:
        place = item[name]["S"]
        yield place, place.partition("#")[2]


def _tag_key(tag: str) -> str:
    return f"tag#{tag}"
