"""format=auto at delivery: what is chosen now, and what is made for later, once."""

import asyncio

import pytest

from filmroll.catalog.memory import MemoryCatalog
from filmroll.instructions import AUTO_FORMATS, parse
from filmroll.model import Image, ImageState, JobState, Lane, Variant, VariantState, new_id, now
from filmroll.queues.memory import MemoryQueue
from filmroll.usecases.avif import AVIF_PIXELS
from filmroll.usecases.formats import Choice, Formats
from filmroll.usecases.outbox import Outbox

BOTH, AVIF, WEBP, BASIC = AUTO_FORMATS
AUTO = parse("output:format=auto")


class Shop:
    """What decides, on stores in memory, and how it is seen what it has asked for."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        self.catalog, self.queue = catalog, MemoryQueue(max_attempts=2)
        self.outbox = Outbox(catalog, self.queue)
        self.formats = Formats(catalog=catalog, outbox=self.outbox)

    async def asked(self) -> list[str]:
        """Return the texts of all jobs that were sent to the bulk lane."""
        await self.outbox.drain()
        sent = await self.queue.receive(Lane.BULK, 10, 60, 0)
        jobs = [await self.catalog.get_job(delivery.job) for delivery in sent]
        return [text for job in jobs if job is not None for text in job.instructions]


@pytest.fixture
def shop() -> Shop:
    return Shop(MemoryCatalog())


async def image(shop: Shop, width: int, height: int, form: str = "jpeg", frames: int = 1) -> Image:
    record = Image(
        id=new_id(),
        state=ImageState.READY,
        sha256="0" * 64,
        bytes=1,
        format=form,
        width=width,
        height=height,
        frames=frames,
        created_at=now(),
    )
    return await shop.catalog.add_image(record, None)


@pytest.mark.parametrize("shown", AUTO_FORMATS)
async def test_other_formats_are_left_alone(shop: Shop, shown: str) -> None:
    instructions = parse("resize:width=9/output:format=avif")
    large = await image(shop, 5_000, 5_000)
    assert await shop.formats.choose(large, instructions, shown) == Choice(
        instructions, settled=True
    )


@pytest.mark.parametrize("shown", AUTO_FORMATS)
async def test_small_ones_are_settled_at_once(shop: Shop, shown: str) -> None:
    large = await image(shop, 8_000, 6_000)
    small = parse("resize:width=1000/output:format=auto")
    choice = await shop.formats.choose(large, small, shown)
    assert choice == Choice(parse(f"resize:width=1000/output:format={shown}"), settled=True)
    assert await shop.asked() == []


@pytest.mark.parametrize(("shown", "meanwhile"), [(BOTH, WEBP), (AVIF, BASIC)])
async def test_large_ones_are_made_behind_the_back(shop: Shop, shown: str, meanwhile: str) -> None:
    large = await image(shop, 2_000, AVIF_PIXELS // 2_000 + 1)
    for _ in range(3):
        choice = await shop.formats.choose(large, AUTO, shown)
        assert choice == Choice(parse(f"output:format={meanwhile}"), settled=False)
    assert await shop.asked() == [f"output:format={shown}"]


@pytest.mark.parametrize(("shown", "instead"), [(BOTH, WEBP), (AVIF, BASIC)])
async def test_what_no_engine_has_time_for_is_not_tried(
    shop: Shop, shown: str, instead: str
) -> None:
    huge = await image(shop, 8_000, 6_000)
    choice = await shop.formats.choose(huge, AUTO, shown)
    assert choice == Choice(parse(f"output:format={instead}"), settled=True)
    assert await shop.asked() == []


@pytest.mark.parametrize("shown", [WEBP, BASIC])
async def test_where_no_avif_is_shown_none_is_made(shop: Shop, shown: str) -> None:
    large = await image(shop, 5_000, 5_000)
    assert (await shop.formats.choose(large, AUTO, shown)).settled
    assert await shop.asked() == []


async def test_one_job_however_many_processes_ask_at_once(shop: Shop) -> None:
    large = await image(shop, 3_000, 2_000)
    shops = [shop, Shop(shop.catalog), Shop(shop.catalog)]
    await asyncio.gather(*(one.formats.choose(large, AUTO, BOTH) for one in shops for _ in "123"))
    await shop.outbox.drain()
    jobs = await shop.catalog.due_jobs(now() + 10_000, 100)
    assert [(job.lane, job.instructions) for job in jobs] == [
        (Lane.BULK, (f"output:format={BOTH}",))
    ]


async def test_what_is_kept_is_served_from_then_on(shop: Shop) -> None:
    large = await image(shop, 3_000, 2_000)
    best = parse(f"output:format={BOTH}")
    kept = Variant(
        image=large.id,
        recipe=best.recipe(),
        instructions=best.canonical(),
        state=VariantState.READY,
        created_at=now(),
    )
    await shop.catalog.put_variants(large.id, [kept])
    assert await shop.formats.choose(large, AUTO, BOTH) == Choice(best, settled=True)
    assert await shop.asked() == []


async def test_one_that_failed_is_not_tried_over_and_over(shop: Shop) -> None:
    large = await image(shop, 3_000, 2_000)
    await shop.formats.choose(large, AUTO, BOTH)
    await shop.outbox.drain()
    (job,) = await shop.catalog.due_jobs(now() + 10_000, 9)
    cancelled = await shop.catalog.cancel_job(job.id, now())
    assert cancelled is not None
    assert cancelled.state is JobState.CANCELLED
    another = Shop(shop.catalog)
    assert not (await another.formats.choose(large, AUTO, BOTH)).settled
    assert await another.asked() == []


@pytest.mark.parametrize(("form", "frames"), [("gif", 2), ("webp", 30)])
async def test_animations_are_never_avif(shop: Shop, form: str, frames: int) -> None:
    moving = await image(shop, 3_000, 2_000, form, frames)
    for shown, wanted in ((BOTH, WEBP), (AVIF, BASIC), (WEBP, WEBP), (BASIC, BASIC)):
        choice = await shop.formats.choose(moving, AUTO, shown)
        assert choice == Choice(parse(f"output:format={wanted}"), settled=True)


@pytest.mark.parametrize(
    ("more", "settled"),
    [
        ("", True),
        (",quality=auto", False),
        (",max_bytes=90000", False),
        (",effort=7", False),
        (",effort=9", True),  # so slow that it is not even tried
        (",effort=1", True),
        (",lossless=true", True),
    ],
)
async def test_what_makes_avif_slower_counts(shop: Shop, more: str, *, settled: bool) -> None:
    medium = await image(shop, 1_000, 800)
    choice = await shop.formats.choose(medium, parse(f"output:format=auto{more}"), BOTH)
    assert choice.settled is settled
