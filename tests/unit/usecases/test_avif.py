"""When an AVIF of format=auto is made: at once, later by a job of its own, or never."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from filmroll.errors import CorruptImage, ProcessingLimit
from filmroll.instructions import Instructions, parse
from filmroll.model import (
    Endpoint,
    Header,
    Image,
    ImageState,
    Job,
    JobState,
    Lane,
    LineState,
    Problem,
    VariantState,
    new_id,
    now,
    original_key,
)
from filmroll.ports import DeliveryFilter
from filmroll.usecases.avif import AVIF_PIXELS, When, avif_job, useful, when_made
from filmroll.usecases.batch.entries import Twins
from filmroll.usecases.batch.lines import Said
from filmroll.usecases.resolve import Resolver
from tests.contract.ledger import batch, line
from tests.unit.usecases.house import House

SMALL = Header(format="jpeg", width=1_000, height=1_000)
LARGE = Header(format="jpeg", width=3_000, height=2_000)
HUGE = Header(format="jpeg", width=7_000, height=7_000)
MOVING = Header(format="gif", width=9, height=9, frames=2)
AVIF, WEBP, BASIC = (parse(f"output:format=auto-{word}") for word in ("avif-webp", "webp", "basic"))
NAMED = parse("output:format=avif")


@pytest.fixture
def house() -> House:
    return House()


async def of_auto(house: House, *texts: str) -> Sequence[Instructions]:
    return await Resolver(house.catalog).resolve_all(texts or ["output:format=auto"])


async def kept(house: House, header: Header, wanted: Sequence[Instructions]) -> tuple[Image, Job]:
    """Keep an image of this size, with the job for its declared variants."""
    made, _ = await house.upload()
    image = replace(
        made,
        id=new_id(),
        width=header.width,
        height=header.height,
        state=ImageState.STORED,
        declared=tuple(one.canonical() for one in wanted),
    )
    at = now()
    job = Job(
        id=image.id, image=image.id, instructions=image.declared, created_at=at, due_at=at + 60
    )
    await house.blobs.put(original_key(image.id), b"bytes of an image", image.sha256)
    await house.catalog.add_image(image, job)
    return image, job


async def made(house: House, image: Image) -> dict[str, VariantState]:
    variants = await house.catalog.list_variants(image.id)
    return {one.instructions: one.state for one in variants}


@pytest.mark.parametrize(
    ("header", "when"),
    [
        (SMALL, When.NOW),
        (Header(format="png", width=AVIF_PIXELS // 1_000, height=1_000), When.NOW),
        (Header(format="png", width=AVIF_PIXELS // 1_000 + 1, height=1_000), When.LATER),
        (LARGE, When.LATER),
        (HUGE, When.NEVER),
        (MOVING, When.NEVER),
    ],
)
def test_when_it_is_made(header: Header, when: When) -> None:
    assert when_made(AVIF, header) is when
    assert {when_made(one, header) for one in (WEBP, BASIC, NAMED)} == {When.NOW}


@pytest.mark.parametrize(
    ("header", "left"),
    [(SMALL, [AVIF, WEBP, BASIC]), (LARGE, [AVIF, WEBP, BASIC]), (HUGE, [WEBP, BASIC])],
)
async def test_of_auto_no_more_is_declared_than_is_served(house, header, left) -> None:
    assert list(useful(await of_auto(house), header)) == left


@pytest.mark.parametrize("wanted", [[AVIF], [NAMED, WEBP], [AVIF, BASIC]])
def test_who_names_it_means_it(wanted) -> None:
    assert list(useful(wanted, HUGE)) == wanted


async def test_upload_and_delivery_have_a_large_one_made_once_in_the_bulk_lane(house) -> None:
    image, job = await kept(house, LARGE, await of_auto(house))
    ended = await house.processing.run_job(job.id)
    assert ended.state is JobState.SUCCEEDED
    assert await made(house, image) == {
        WEBP.canonical(): VariantState.READY,
        BASIC.canonical(): VariantState.READY,
    }
    assert (await house.catalog.get_image(image.id)).state is ImageState.READY
    (later,) = await house.catalog.due_jobs(now(), 10)
    assert (later.id, later.lane) == (avif_job(image.id, AVIF, 0.0).id, Lane.BULK)
    await house.processing.run_job(later.id)
    assert (await made(house, image))[AVIF.canonical()] is VariantState.READY
    assert house.engine.calls == 2


async def test_what_is_ready_is_not_left_for_later_once_more(house) -> None:
    image, job = await kept(house, LARGE, [AVIF, WEBP])
    await house.processing.make_variant(image.id, AVIF)
    await house.processing.run_job(job.id)
    assert await house.catalog.due_jobs(now(), 10) == []
    assert house.engine.calls == 2


async def test_a_huge_one_is_not_even_tried(house) -> None:
    """As a line that was begun anew would have it, whose texts know nothing of its image."""
    image, job = await kept(house, HUGE, [AVIF, WEBP, BASIC])
    await house.processing.run_job(job.id)
    assert set(await made(house, image)) == {WEBP.canonical(), BASIC.canonical()}
    assert await house.catalog.due_jobs(now(), 10) == []


async def test_a_line_does_not_wait_for_what_is_never_made_of_its_image(house) -> None:
    """Neither when it is all there is to make, nor when the image has nothing yet."""
    image, job = await kept(house, HUGE, [WEBP, BASIC])
    wanted = batch(variants=tuple(one.canonical() for one in (AVIF, WEBP, BASIC)))
    refers = line(wanted.id, "a.jpg")
    begun = await Twins(house.catalog).reference(wanted, refers, Said(), image)
    assert begun.job is not None
    assert begun.job.instructions == (WEBP.canonical(), BASIC.canonical())
    await house.processing.run_job(job.id)
    assert (await Twins(house.catalog).reference(wanted, refers, Said(), image)).job is None


async def test_nor_for_one_that_takes_long(house) -> None:
    image, job = await kept(house, LARGE, [WEBP, BASIC])
    await house.processing.run_job(job.id)
    wanted = batch(variants=tuple(one.canonical() for one in (AVIF, WEBP, BASIC)))
    for ref in "ab":
        refers = line(wanted.id, ref)
        begun = await Twins(house.catalog).reference(wanted, refers, Said(), image)
        assert (begun.job, begun.line.state) == (None, LineState.SUCCEEDED)
    (later,) = await house.catalog.due_jobs(now(), 10)
    assert later.id == avif_job(image.id, AVIF, 0.0).id


async def test_a_small_one_and_one_that_is_named_are_made_with_the_rest(house) -> None:
    for header, wanted in ((SMALL, [AVIF, WEBP, BASIC]), (HUGE, [AVIF]), (LARGE, [NAMED, WEBP])):
        image, job = await kept(house, header, wanted)
        await house.processing.run_job(job.id)
        assert set(await made(house, image)) == {one.canonical() for one in wanted}
    assert house.engine.calls == 3


async def listened(house: House) -> None:
    """Add an endpoint that wants to hear of everything."""
    endpoint = Endpoint(id="e", url="https://hooks.example", secret="", created_at=now())
    await house.catalog.add_endpoint(endpoint)


async def told(house: House) -> list[str]:
    """Return the events of which it is told."""
    page = await house.catalog.list_deliveries(DeliveryFilter(endpoint="e"), 10, None)
    return [one.event for one in page.items]


@pytest.mark.parametrize("answers", [[ProcessingLimit("slow")] * 3, [CorruptImage("broken")]])
@pytest.mark.parametrize("raised", [True, False])
async def test_of_a_failure_the_image_tells_and_no_webhook(house, answers, raised) -> None:
    await listened(house)
    image, job = await kept(house, LARGE, [AVIF, WEBP])
    await house.processing.run_job(job.id)
    (later,) = await house.catalog.due_jobs(now(), 10)
    before = len(await told(house))
    house.engine.script = [*answers] if raised else [Problem.of(one) for one in answers]
    ended = await house.processing.run_job(later.id)
    assert ended.state is JobState.FAILED
    assert (await made(house, image))[AVIF.canonical()] is VariantState.FAILED
    assert (await house.catalog.get_image(image.id)).state is ImageState.READY
    assert len(await told(house)) == before


async def test_of_a_job_that_was_asked_for_a_webhook_tells(house) -> None:
    await listened(house)
    _, job = await kept(house, LARGE, [AVIF])
    house.engine.script = [CorruptImage("broken")]
    await house.processing.run_job(job.id)
    assert "job.failed" in await told(house)
