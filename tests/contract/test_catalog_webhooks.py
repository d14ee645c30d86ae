"""What ports.Catalog promises of webhooks, of every adapter."""

import asyncio
from dataclasses import replace

import pytest

from filmroll.errors import InvalidRequest
from filmroll.model import (
    Batch,
    BatchState,
    DeliveryState,
    Endpoint,
    EndpointState,
    Event,
    JobState,
    Line,
    LineState,
    Preset,
    WebhookDelivery,
    new_id,
)
from filmroll.ports import DeliveryFilter, Entry
from tests.contract.records import image, job

GONE = "It answered that it is gone."


def endpoint(**fields) -> Endpoint:
    whole = Endpoint(
        id=new_id(),
        url="https://example.com/hook",
        secret="whsec_c2VjcmV0",
        created_at=1_700_000_000.5,
        events=(Event.IMAGE_READY, Event.BATCH_COMPLETED),
        name="Übung",
        headers={"x-key": "geheim"},
        body='{"tags": ["{tag}"]}',
    )
    return replace(whole, **fields)


def delivery(to: Endpoint, **fields) -> WebhookDelivery:
    whole = WebhookDelivery(
        id=new_id(),
        endpoint=to.id,
        event=Event.IMAGE_READY,
        body='{"type":"image.ready"}',
        created_at=100.0,
        due_at=100.0,
    )
    return replace(whole, **fields)


def batch(**fields) -> Batch:
    whole = Batch(id=new_id(), state=BatchState.OPEN, created_at=50.0, expires_at=1000.0)
    return replace(whole, **fields)


@pytest.fixture
async def hook(catalog):
    return await catalog.add_endpoint(endpoint())


async def written(catalog, *deliveries):
    """Keep deliveries, as a new image's."""
    await catalog.add_image(image(), None, deliveries)
    return deliveries


async def listed(catalog, to, **where):
    return (await catalog.list_deliveries(DeliveryFilter(endpoint=to.id, **where), 100, None)).items


async def test_an_endpoint_comes_back_as_it_was(catalog, hook):
    assert await catalog.get_endpoint(hook.id) == hook
    assert await catalog.get_endpoint("none") is None
    to_all = await catalog.add_endpoint(endpoint(events=None, created_at=1.0))
    assert await catalog.list_endpoints() == [to_all, hook]


async def test_an_endpoint_is_added_once(catalog, hook):
    again = await catalog.add_endpoint(replace(hook, url="https://example.com/other"))
    assert again == hook
    assert await catalog.get_endpoint(hook.id) == hook


async def test_deliveries_come_with_a_new_image(catalog, hook):
    record, first = image(), delivery(hook)
    await catalog.add_image(record, None, [first])
    await catalog.add_image(record, None, [delivery(hook)])
    assert await listed(catalog, hook) == (first,)
    assert await catalog.get_delivery(first.id) == first
    assert await catalog.get_delivery("none") is None


async def test_deliveries_come_with_the_end_of_a_job(catalog, hook):
    record = await catalog.add_image(image(), None)
    queued = job(image=record.id)
    await catalog.add_job(queued)
    attempt = await catalog.claim_job(queued.id, 100.0, 30.0)
    ended = replace(attempt, state=JobState.FAILED, finished_at=110.0)
    told = delivery(hook, event=Event.JOB_FAILED)
    assert await catalog.finish_job(ended, None, (), [told])
    assert not await catalog.finish_job(ended, None, (), [delivery(hook)])
    assert await listed(catalog, hook) == (told,)


async def test_deliveries_come_with_a_line(catalog, hook):
    ledger = await catalog.add_batch(batch())
    line = Line(batch=ledger.id, ref="a", state=LineState.SUCCEEDED, at=1.0)
    told = delivery(hook)
    for deliveries in ([told], [delivery(hook)]):
        await catalog.put_lines(ledger.id, [Entry(line=line, deliveries=deliveries)])
    assert await listed(catalog, hook) == (told,)


async def test_a_deletion_is_told_with_its_tombstone_once(catalog, hook):
    record = await catalog.add_image(image(), None)
    told = delivery(hook, event=Event.IMAGE_DELETED)
    assert not await catalog.bury_image("none", 1.0, [delivery(hook)])
    assert await catalog.bury_image(record.id, 1.0, [told])
    assert not await catalog.bury_image(record.id, 1.0, [delivery(hook)])
    assert await listed(catalog, hook) == (told,)
    assert await catalog.due_purges(2.0, 10) == [record.id]


async def test_a_preset_is_told_of_when_it_is_kept_and_when_it_is_removed(catalog, hook):
    preset = Preset(name="thumb", instructions="resize:width=9", created_at=1.0, updated_at=1.0)
    put, gone = (
        delivery(hook, event=Event.PRESET_CHANGED, created_at=at, due_at=at) for at in (1.0, 2.0)
    )
    await catalog.put_preset(preset, [put])
    assert await listed(catalog, hook) == (put,)
    assert await catalog.delete_preset("thumb", [gone])
    assert not await catalog.delete_preset("thumb", [delivery(hook)])
    assert await listed(catalog, hook) == (gone, put)


async def test_what_is_not_active_gets_no_deliveries(catalog, hook):
    await catalog.disable_endpoint(hook.id, GONE, 100.0)
    unknown = endpoint()
    await written(catalog, delivery(hook), delivery(unknown))
    assert await listed(catalog, hook) == ()
    assert await listed(catalog, unknown) == ()


async def test_a_claim_starts_an_attempt(catalog, hook):
    (due,) = await written(catalog, delivery(hook))
    await written(catalog, delivery(hook, due_at=101.0))
    claimed = replace(due, attempts=1, due_at=130.0)
    assert await catalog.claim_deliveries(hook.id, 9, 100.0, 30.0) == [claimed]
    assert await catalog.get_delivery(due.id) == claimed
    assert not await catalog.claim_deliveries(hook.id, 9, 100.0, 30.0)
    assert not await catalog.claim_deliveries("none", 9, 100.0, 30.0)


async def test_the_most_overdue_are_claimed_first(catalog, hook):
    sent = await written(catalog, *(delivery(hook, due_at=90.0 - n) for n in range(5)))
    claimed = await catalog.claim_deliveries(hook.id, 2, 100.0, 30.0)
    assert [one.id for one in claimed] == [sent[4].id, sent[3].id]


async def test_each_is_claimed_by_one(catalog, hook):
    await written(catalog, *(delivery(hook) for _ in range(20)))
    claims = await asyncio.gather(
        *(catalog.claim_deliveries(hook.id, 4, 100.0, 30.0) for _ in range(10))
    )
    ids = [one.id for claim in claims for one in claim]
    assert len(ids) == len(set(ids)) == 20


async def test_a_lease_that_is_over_can_be_claimed(catalog, hook):
    await written(catalog, delivery(hook))
    (first,) = await catalog.claim_deliveries(hook.id, 1, 100.0, 30.0)
    assert not await catalog.claim_deliveries(hook.id, 1, 129.9, 30.0)
    (second,) = await catalog.claim_deliveries(hook.id, 1, 130.0, 30.0)
    assert second.attempts == 2
    ended = replace(first, state=DeliveryState.DELIVERED, status=200, finished_at=131.0)
    assert not await catalog.finish_delivery(ended)
    assert await catalog.get_delivery(first.id) == second


async def test_an_end_is_written_once(catalog, hook):
    await written(catalog, delivery(hook))
    (claimed,) = await catalog.claim_deliveries(hook.id, 1, 100.0, 30.0)
    ended = replace(claimed, state=DeliveryState.DELIVERED, status=204, finished_at=101.0)
    assert await catalog.finish_delivery(ended)
    assert not await catalog.finish_delivery(replace(ended, status=500))
    assert await catalog.get_delivery(ended.id) == ended
    assert not await catalog.claim_deliveries(hook.id, 1, 1000.0, 30.0)


async def test_one_that_failed_rests_until_it_is_due(catalog, hook):
    await written(catalog, delivery(hook))
    (claimed,) = await catalog.claim_deliveries(hook.id, 1, 100.0, 30.0)
    rests = replace(claimed, status=500, detail="Oh", due_at=105.0)
    assert await catalog.finish_delivery(rests)
    assert not await catalog.claim_deliveries(hook.id, 1, 104.9, 30.0)
    (again,) = await catalog.claim_deliveries(hook.id, 1, 105.0, 30.0)
    assert (again.attempts, again.status, again.detail) == (2, 500, "Oh")


async def test_a_replay_is_due_at_once(catalog, hook):
    (ended,) = await written(
        catalog, delivery(hook, state=DeliveryState.FAILED, attempts=10, finished_at=500.0)
    )
    replayed = replace(ended, state=DeliveryState.PENDING, due_at=600.0, finished_at=None)
    assert await catalog.replay_delivery(ended.id, 600.0) == replayed
    assert await catalog.replay_delivery("none", 600.0) is None
    (claimed,) = await catalog.claim_deliveries(hook.id, 1, 600.0, 30.0)
    assert claimed.attempts == 11


async def test_a_disabled_endpoint_has_nothing_pending(catalog, hook):
    other = await catalog.add_endpoint(endpoint())
    done, pending, elsewhere = await written(
        catalog,
        delivery(hook, created_at=1.0, state=DeliveryState.DELIVERED, finished_at=2.0),
        delivery(hook),
        delivery(other),
    )
    await catalog.disable_endpoint(hook.id, GONE, 200.0)
    await catalog.disable_endpoint("none", GONE, 200.0)
    disabled = await catalog.get_endpoint(hook.id)
    assert disabled == replace(hook, state=EndpointState.DISABLED, detail=GONE)
    failed = replace(pending, state=DeliveryState.FAILED, detail=GONE, finished_at=200.0)
    assert await listed(catalog, hook) == (failed, done)
    assert await listed(catalog, other) == (elsewhere,)


async def test_a_deleted_endpoint_takes_its_deliveries_along(catalog, hook):
    other = await catalog.add_endpoint(endpoint())
    gone, stays = await written(catalog, delivery(hook), delivery(other))
    assert await catalog.delete_endpoint(hook.id)
    assert not await catalog.delete_endpoint(hook.id)
    assert await catalog.get_endpoint(hook.id) is None
    assert await catalog.get_delivery(gone.id) is None
    assert await catalog.get_delivery(stays.id) == stays


async def test_the_log_comes_in_pages_newest_first(catalog, hook):
    sent = await written(catalog, *(delivery(hook, created_at=float(n)) for n in range(5)))
    where = DeliveryFilter(endpoint=hook.id)
    found, cursor = [], None
    while True:
        page = await catalog.list_deliveries(where, 2, cursor)
        found += page.items
        if (cursor := page.next_cursor) is None:
            break
        with pytest.raises(InvalidRequest):
            await catalog.list_deliveries(DeliveryFilter(endpoint="other"), 2, cursor)
    assert found == list(reversed(sent))


async def test_the_log_by_state(catalog, hook):
    sent = await written(
        catalog, *(delivery(hook, state=state, finished_at=1.0) for state in DeliveryState)
    )
    for one in sent:
        assert await listed(catalog, hook, state=one.state) == (one,)


async def test_old_deliveries_are_forgotten(catalog, hook):
    old, recent, pending = await written(
        catalog,
        delivery(hook, state=DeliveryState.FAILED, finished_at=99.9, created_at=1.0),
        delivery(hook, state=DeliveryState.DELIVERED, finished_at=100.0, created_at=2.0),
        delivery(hook, created_at=3.0),
    )
    await catalog.expire_deliveries(100.0)
    assert await listed(catalog, hook) == (pending, recent)
    assert await catalog.get_delivery(old.id) is None


@pytest.mark.parametrize("state", [state for state in BatchState if state.final])
async def test_a_batch_that_has_ended_is_told_once(catalog, hook, state):
    await catalog.add_batch(batch())
    ended = await catalog.add_batch(batch(state=state, finished_at=90.0))
    assert await catalog.untold_batches(9) == [ended]
    told = delivery(hook, event=Event.BATCH_COMPLETED)
    assert await catalog.tell_batch(ended, [told])
    assert not await catalog.tell_batch(ended, [delivery(hook)])
    assert await listed(catalog, hook) == (told,)
    assert await catalog.untold_batches(9) == []
    assert await catalog.get_batch(ended.id) == replace(ended, told=True)


async def test_a_batch_that_ends_anew_is_told_anew(catalog):
    ledger = await catalog.add_batch(batch())
    record = await catalog.add_image(image(), None)
    line = Line(batch=ledger.id, ref="a", state=LineState.FAILED, at=1.0, image=record.id)
    await catalog.put_lines(ledger.id, [Entry(line=line)])
    ended = await catalog.close_batch(ledger.id, BatchState.SEALED, 90.0)
    assert ended.state is BatchState.COMPLETED_WITH_ERRORS
    assert await catalog.tell_batch(ended, ())
    again = replace(line, state=LineState.PROCESSING)
    begun = job(id=record.id, image=record.id, batch=ledger.id, ref="a")
    await catalog.retry_lines(ledger.id, [Entry(line=again, job=begun)])
    assert await catalog.untold_batches(9) == []
    attempt = await catalog.claim_job(begun.id, 100.0, 30.0)
    done = replace(attempt, state=JobState.SUCCEEDED, finished_at=110.0)
    assert await catalog.finish_job(done, None, ())
    assert not await catalog.tell_batch(ended, ())
    (anew,) = await catalog.untold_batches(9)
    assert (anew.id, anew.state) == (ledger.id, BatchState.COMPLETED)


async def test_untold_batches_up_to_a_limit(catalog):
    for _ in range(3):
        await catalog.add_batch(batch(state=BatchState.EXPIRED, finished_at=90.0))
    assert len(await catalog.untold_batches(2)) == 2
