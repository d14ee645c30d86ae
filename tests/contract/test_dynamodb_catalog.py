"""What only DynamoDB can show: an index that is behind, and steps that are not one."""

import asyncio
import socket
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from filmroll import aws
from filmroll.catalog.dynamodb import DynamoCatalog
from filmroll.catalog.dynamodb.table import Table
from filmroll.errors import StoreUnavailable
from filmroll.model import BatchState, DeliveryState, Event, ImageState, JobState, LineState, bands
from filmroll.place import Place
from filmroll.ports import Entry, ImageFilter, Similar
from tests.contract.conftest import CATALOGS
from tests.contract.ledger import (
    again,
    batch,
    end_job,
    line_at,
    making,
    processing,
    queued,
    refers,
    stored,
)
from tests.contract.records import image, info, job, variant
from tests.contract.test_catalog_webhooks import delivery, endpoint


@pytest.fixture
async def dynamodb(request, tmp_path):
    async with CATALOGS["dynamodb"](request, tmp_path) as store:
        yield store


@pytest.fixture
async def rival(dynamodb):
    """The same table, as another process sees it."""
    table = dynamodb._table
    other = DynamoCatalog(table._client, table._name)
    yield other
    await other.close()


@pytest.fixture
def outrun(rival, monkeypatch):
    """Let something happen before the rival's next write of an item."""

    def arranged(happens):
        put = rival._table.put

        async def late(*item, **values):
            monkeypatch.setattr(rival._table, "put", put)
            await happens()
            return await put(*item, **values)

        monkeypatch.setattr(rival._table, "put", late)

    return arranged


@pytest.fixture
def overtaken(dynamodb, monkeypatch):
    """Let something happen after an index has answered, before anybody acts upon it."""

    def arranged(happens):
        asked = dynamodb._table.find

        async def late(*where, **limits):
            answer = [item async for item in asked(*where, **limits)]
            monkeypatch.setattr(dynamodb._table, "find", asked)
            await happens()
            for item in answer:
                yield item

        monkeypatch.setattr(dynamodb._table, "find", late)

    return arranged


async def test_a_job_that_begins_anew_is_not_forgotten(dynamodb, overtaken):
    ledger = (await dynamodb.add_batch(batch())).id
    entry = queued(ledger, "a")
    await dynamodb.put_lines(ledger, [entry])
    await end_job(dynamodb, entry.job.id, JobState.FAILED)
    failure = await line_at(dynamodb, ledger)

    async def retried():
        assert await dynamodb.retry_lines(ledger, [again(failure)])

    overtaken(retried)
    await dynamodb.expire_jobs(1000.0)
    assert (await dynamodb.get_job(entry.job.id)).state is JobState.QUEUED


async def test_a_delivery_that_is_sent_again_is_not_forgotten(dynamodb, overtaken):
    hook = await dynamodb.add_endpoint(endpoint())
    sent = delivery(hook)
    await dynamodb.add_image(image(), None, [sent])
    [attempt] = await dynamodb.claim_deliveries(hook.id, 9, 200.0, 60.0)
    ended = replace(attempt, state=DeliveryState.FAILED, finished_at=210.0)
    assert await dynamodb.finish_delivery(ended)

    async def replayed():
        assert await dynamodb.replay_delivery(sent.id, 300.0)

    overtaken(replayed)
    await dynamodb.expire_deliveries(1000.0)
    assert (await dynamodb.get_delivery(sent.id)).state is DeliveryState.PENDING


async def test_an_offer_that_comes_second_begins_nothing_anew(dynamodb, rival, outrun):
    twin = await dynamodb.add_image(image(), None)
    ledger = (await dynamodb.add_batch(batch())).id
    for entry in (processing(ledger, "a"), refers(ledger, "b", twin, LineState.PROCESSING)):

        async def first(entry=entry):
            await dynamodb.put_lines(ledger, [entry])
            assert await end_job(dynamodb, entry.job.id)

        outrun(first)
        [standing] = await rival.put_lines(ledger, [entry])
        assert not standing.taken
        assert (await rival.get_job(entry.job.id)).state is JobState.SUCCEEDED
    own = await rival.get_image(processing(ledger, "a").image.id)
    assert (own.state, own.version) == (ImageState.READY, 2)


async def test_an_offer_that_comes_second_disturbs_no_attempt(dynamodb, rival, outrun):
    ledger = (await dynamodb.add_batch(batch())).id
    entry = processing(ledger, "a")
    attempts = []

    async def first():
        await dynamodb.put_lines(ledger, [entry])
        attempts.append(await dynamodb.claim_job(entry.job.id, 200.0, 60.0))

    outrun(first)
    await rival.put_lines(ledger, [entry])
    ended = replace(attempts[0], state=JobState.SUCCEEDED, finished_at=210.0)
    assert await dynamodb.finish_job(ended, None, ())


async def test_a_retry_that_comes_second_begins_nothing_anew(dynamodb, rival, outrun):
    ledger = (await dynamodb.add_batch(batch())).id
    entry = processing(ledger, "a")
    await dynamodb.put_lines(ledger, [entry])
    await end_job(dynamodb, entry.job.id, JobState.FAILED)
    anew = again(await line_at(dynamodb, ledger))

    async def first():
        assert await dynamodb.retry_lines(ledger, [anew])
        assert await end_job(dynamodb, entry.job.id)

    outrun(first)
    assert await rival.retry_lines(ledger, [anew]) == []
    assert (await rival.get_job(entry.job.id)).state is JobState.SUCCEEDED
    assert (await rival.get_image(entry.image.id)).state is ImageState.READY


async def failed_for_both(dynamodb, rival):
    """Let two processes know of the end of one line's job, before either has written it."""
    ledger = (await dynamodb.add_batch(batch())).id
    entry = processing(ledger, "a")
    await dynamodb.put_lines(ledger, [entry])
    await end_job(dynamodb, entry.job.id, JobState.FAILED)
    await rival._ledgers.note_end(await rival.get_job(entry.job.id))
    return ledger, entry


async def test_a_failure_that_waits_for_its_ledger_fails_no_line_that_was_retried(dynamodb, rival):
    """The slower process writes it when the line has begun anew."""
    ledger, entry = await failed_for_both(dynamodb, rival)
    failure = await line_at(rival, ledger)
    assert failure.state is LineState.FAILED
    assert await rival.retry_lines(ledger, [again(failure)])
    assert (await line_at(dynamodb, ledger)).state is LineState.PROCESSING
    assert await end_job(rival, entry.job.id)
    assert (await line_at(rival, ledger)).state is LineState.SUCCEEDED


async def test_a_failure_that_waits_for_its_ledger_fails_no_line_with_other_bytes(dynamodb, rival):
    """The item was sent anew, as another image, before the slower process wrote the end."""
    ledger, entry = await failed_for_both(dynamodb, rival)
    assert (await line_at(rival, ledger)).state is LineState.FAILED
    other = image(batch=ledger, ref="a", sha256="99" * 32)
    anew = Entry(
        line=replace(entry.line, image=other.id, sha256=other.sha256),
        image=other,
        job=making(other),
    )
    [standing] = await rival.put_lines(ledger, [anew])
    assert standing.taken
    assert (await line_at(dynamodb, ledger)).state is LineState.PROCESSING
    assert await end_job(rival, other.id)
    assert (await line_at(rival, ledger)).state is LineState.SUCCEEDED


async def test_an_image_that_two_have_offered_keeps_its_tags(dynamodb, rival):
    """Whoever wrote it, but whose line was not taken, removes it no more."""
    ledger = (await dynamodb.add_batch(batch())).id
    entry = processing(ledger, "a")
    provide = rival._keep_all

    async def provided(*entries):
        await provide(*entries)
        rival._keep_all = provide
        await dynamodb.put_lines(ledger, [entry])

    rival._keep_all = provided
    [standing] = await rival.put_lines(ledger, [entry])
    assert not standing.taken
    page = await dynamodb.list_images(ImageFilter(tag="t"), 9, None)
    assert [one.id for one in page.items] == [entry.image.id]


# ------------------------------------------------------------- between the steps of one end


@pytest.fixture
async def attempt(dynamodb):
    """An attempt at a job that came after its image."""
    record = await dynamodb.add_image(image(), None)
    work = job(image=record.id)
    await dynamodb.add_job(work)
    return await dynamodb.claim_job(work.id, 200.0, 60.0)


@pytest.fixture
def then(dynamodb, monkeypatch):
    """Let something happen once what a job made is kept, before its end is written."""

    def arranged(happens):
        keep = dynamodb._keep_work

        async def kept(*work):
            done = await keep(*work)
            await happens()
            return done

        monkeypatch.setattr(dynamodb, "_keep_work", kept)

    return arranged


def succeeded(attempt):
    return replace(attempt, state=JobState.SUCCEEDED, finished_at=210.0)


async def test_a_burial_before_the_end_of_a_job_is_written_calls_it_off(dynamodb, attempt, then):
    hook = await dynamodb.add_endpoint(endpoint())
    told = delivery(hook)

    async def buried():
        assert await dynamodb.bury_image(attempt.image, 0.0)

    then(buried)
    made = [variant(image=attempt.image)]
    assert not await dynamodb.finish_job(succeeded(attempt), None, made, [told])
    assert (await dynamodb.get_job(attempt.id)).state is JobState.CANCELLED
    assert await dynamodb.get_delivery(told.id) is None
    assert await dynamodb.drop_variants(attempt.image) == [made[0].recipe]
    assert await dynamodb.list_variants(attempt.image) == []


async def test_a_burial_ends_a_job_whose_end_broke_off(dynamodb, attempt, then):
    async def killed():
        raise StoreUnavailable("killed")

    then(killed)
    with pytest.raises(StoreUnavailable, match="killed"):
        await dynamodb.finish_job(succeeded(attempt), None, [variant(image=attempt.image)])
    await dynamodb.bury_image(attempt.image, 0.0)
    assert (await dynamodb.get_job(attempt.id)).state is JobState.CANCELLED
    assert await dynamodb.due_jobs(1e12, 9) == []


async def test_an_image_does_not_remember_jobs_that_have_ended(dynamodb, attempt):
    assert (await dynamodb._read(attempt.image)).works == {attempt.id}
    assert await dynamodb.finish_job(succeeded(attempt), None, ())
    assert (await dynamodb._read(attempt.image)).works == frozenset()


async def test_no_job_is_begun_for_an_image_that_is_buried_meanwhile(dynamodb, rival, outrun):
    twin = await dynamodb.add_image(image(), None)
    ledger = (await dynamodb.add_batch(batch())).id
    entry = refers(ledger, "a", twin, LineState.PROCESSING)

    async def buried():
        assert await dynamodb.bury_image(twin.id, 0.0)

    outrun(buried)
    [standing] = await rival.put_lines(ledger, [entry])
    assert not standing.taken
    assert await dynamodb.get_job(entry.job.id) is None


# ------------------------------------------------------------------------- a store that is silent


async def test_nobody_waits_for_all_those_who_wait_before_him(monkeypatch):
    """Twenty times as many as may ask at once meet a table that takes requests, never answers."""
    monkeypatch.setattr(aws, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(aws, "_ATTEMPTS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects; no one reads
        port = silent.getsockname()[1]
        place = Place.of(f"dynamodb://t?region=eu-central-1&endpoint=http://127.0.0.1:{port}")
        async with aws.client(place, read_seconds=0.5) as client:
            table = Table(client, "t")
            table._permits = asyncio.Semaphore(2)
            began = time.monotonic()
            answers = await asyncio.gather(
                *(table.get(f"{n}") for n in range(40)), return_exceptions=True
            )
    assert {type(answer) for answer in answers} == {StoreUnavailable}
    assert sum("Too many wait" in str(answer) for answer in answers) == 38
    assert time.monotonic() - began < 5, "not twenty times what one takes"
    assert not table._permits.locked()


# ------------------------------------------------------------------- what a crash leaves behind


@pytest.fixture
def broken(monkeypatch):
    """Let the process end where it is about to call something."""

    def arranged(owner, name, when=lambda *_: True):
        call = getattr(owner, name)

        async def ended(*arguments, **values):
            if when(*arguments):
                raise StoreUnavailable("killed")
            return await call(*arguments, **values)

        monkeypatch.setattr(owner, name, ended)

    return arranged


async def placed(dynamodb, *partitions):
    """Return all that lies under these keys of indexes of our own."""
    return [item for one in partitions async for item in dynamodb._table.query(one)]


def looks(phash):
    return [f"looks#{band:05x}" for band in bands(phash)]


async def buried_whole(dynamodb, image_id):
    """Bury an image and have the housekeeper end what is left of it."""
    await dynamodb.bury_image(image_id, 0.0)
    await dynamodb.drop_variants(image_id)
    await dynamodb.purged(image_id, 1.0, 2.0)


@pytest.fixture
def half_told(dynamodb, broken, monkeypatch):
    """Let a process end when it has written that an end is told, but not the delivery."""

    async def sealed(ledger):
        hook = await dynamodb.add_endpoint(endpoint())
        ended = await dynamodb.close_batch(ledger, BatchState.SEALED, 90.0)
        told = delivery(hook, event=Event.BATCH_COMPLETED)
        broken(dynamodb, "_announce")
        with pytest.raises(StoreUnavailable, match="killed"):
            await dynamodb.tell_batch(ended, [told])
        monkeypatch.undo()
        return told

    return sealed


async def test_the_end_of_a_batch_is_told_though_who_told_it_died_and_it_is_sealed_again(
    dynamodb, half_told
):
    ledger = (await dynamodb.add_batch(batch())).id
    await dynamodb.put_lines(ledger, [stored(ledger, "a")])
    told = await half_told(ledger)
    await dynamodb.close_batch(ledger, BatchState.SEALED, 95.0)
    assert await dynamodb.get_delivery(told.id) == told
    assert await dynamodb.untold_batches(9) == []


async def test_what_was_told_and_is_forgotten_is_not_told_again(dynamodb):
    hook = await dynamodb.add_endpoint(endpoint())
    ledger = (await dynamodb.add_batch(batch())).id
    ended = await dynamodb.close_batch(ledger, BatchState.SEALED, 90.0)
    told = delivery(hook, event=Event.BATCH_COMPLETED)
    assert await dynamodb.tell_batch(ended, [told])
    [attempt] = await dynamodb.claim_deliveries(hook.id, 9, 200.0, 60.0)
    done = replace(attempt, state=DeliveryState.DELIVERED, finished_at=210.0)
    assert await dynamodb.finish_delivery(done)
    await dynamodb.expire_deliveries(1000.0)
    assert await dynamodb.get_delivery(told.id) is None
    assert await dynamodb.close_batch(ledger, BatchState.SEALED, 95.0)
    assert await dynamodb.get_delivery(told.id) is None


async def test_a_late_end_does_not_hide_what_is_still_to_be_told(dynamodb, rival, half_told):
    """The process that looks for untold batches holds an end that another one has written."""
    ledger = (await dynamodb.add_batch(batch())).id
    entry = processing(ledger, "a")
    await dynamodb.put_lines(ledger, [entry])
    assert await end_job(dynamodb, entry.job.id)
    await rival._ledgers.note_end(await rival.get_job(entry.job.id))
    told = await half_told(ledger)
    assert await rival.untold_batches(9) == []
    assert await rival.get_delivery(told.id) == told


async def test_no_look_outlives_its_image_when_its_description_breaks_off(
    dynamodb, broken, monkeypatch
):
    first, second = info(), info(phash="1234567812345678")
    record = await dynamodb.add_image(image(), None)
    await dynamodb.put_info(record.id, first)
    broken(dynamodb._table, "put", lambda item, *_: "info" in item)
    with pytest.raises(StoreUnavailable, match="killed"):
        await dynamodb.put_info(record.id, second)
    monkeypatch.undo()
    assert await placed(dynamodb, *looks(second.phash))
    await buried_whole(dynamodb, record.id)
    assert await placed(dynamodb, *looks(first.phash), *looks(second.phash)) == []
    assert await dynamodb._table.get(f"info#{record.id}") is None


async def test_no_look_outlives_an_image_whose_only_description_breaks_off(
    dynamodb, broken, monkeypatch
):
    record = await dynamodb.add_image(image(), None)
    broken(dynamodb._table, "put", lambda item, *_: "info" in item)
    with pytest.raises(StoreUnavailable, match="killed"):
        await dynamodb.put_info(record.id, info())
    monkeypatch.undo()
    assert await dynamodb.get_info(record.id) is None
    await buried_whole(dynamodb, record.id)
    assert await placed(dynamodb, *looks(info().phash)) == []


async def test_descriptions_at_once_leave_the_look_of_one(dynamodb, rival):
    record = await dynamodb.add_image(image(), None)
    hashes = [f"{number:016x}" for number in (0x1111, 0x22220000, 0x333300000000, 0x4444 << 48)]
    for _ in range(5):
        told = [info(phash=phash) for phash in hashes]
        stores = [dynamodb, rival, dynamodb, rival]
        await asyncio.gather(
            *(at.put_info(record.id, it) for at, it in zip(stores, told, strict=True))
        )
        kept = (await dynamodb.get_info(record.id)).phash
        for phash in hashes:
            like = ImageFilter(similar=Similar(phash=phash, distance=0))
            found = (await dynamodb.list_images(like, 9, None)).items
            assert len(found) == (phash == kept)
    await buried_whole(dynamodb, record.id)
    assert await placed(dynamodb, *(place for phash in hashes for place in looks(phash))) == []


async def test_no_tag_outlives_its_image_when_a_burial_breaks_off(dynamodb, broken, monkeypatch):
    record = await dynamodb.add_image(image(tags=("one", "two")), None)
    broken(dynamodb._table, "delete_all")
    with suppress(StoreUnavailable):
        await dynamodb.bury_image(record.id, 0.0)
    monkeypatch.undo()
    assert len(await placed(dynamodb, "tag#one", "tag#two")) == 2
    await dynamodb.drop_variants(record.id)
    await dynamodb.purged(record.id, 1.0, 2.0)
    assert await placed(dynamodb, "tag#one", "tag#two") == []
