"""What only SQS does: batches, queues that must be created, dead letters in queues of their own."""

import asyncio
import json
import time
from collections import Counter

import pytest

from deploy.local.aws import MiniStack
from filmroll.aws import client
from filmroll.errors import StoreUnavailable
from filmroll.model import Lane, new_id
from filmroll.ports import Depth
from filmroll.queues.sqs import create_queues, dead_letters, define_queues, open_sqs
from filmroll.queues.sqs.calls import Calls
from tests.contract.conftest import MAX_ATTEMPTS, new_queues

LANE = Lane.BULK
DAY = 86_400


@pytest.fixture
async def place(ministack):
    return await new_queues(ministack.endpoint)


@pytest.fixture
async def api(place):
    """A client of the test's own, behind the adapter's back."""
    async with client(place) as sqs:
        yield sqs


@pytest.fixture
async def queue(place):
    async with open_sqs(place) as store:
        yield store


async def bury(api, place, jobs, lane=LANE):
    await Calls(api).send(f"{place.name}-{lane}-dead", jobs)


def listen(queue, event, hook):
    """Have a hook called with what each call of the adapter's is about to ask."""
    queue._calls._client.meta.events.register(
        f"before-parameter-build.sqs.{event}", lambda params, **_: hook(params)
    )


async def test_a_thousand_jobs_take_a_hundred_calls(queue):
    sizes = []
    listen(queue, "*", lambda params: sizes.append(len(params.get("Entries", ()))))
    sent = [new_id() for _ in range(1000)]
    await queue.send(LANE, sent)
    assert sorted(sizes) == [0] + [10] * 100  # and one that asks where the queue is
    taken = await queue.receive(LANE, 1000, 60, 0)
    assert Counter(each.job for each in taken) == Counter(sent)
    sizes.clear()
    await queue.ack(taken)
    assert sizes == [10] * 100
    assert await queue.depth(LANE) == Depth(waiting=0, leased=0, dead=0)


async def test_a_job_that_was_sent_twice_comes_twice(queue):
    await queue.send(LANE, ["a", "a"])
    await queue.send(LANE, ["a"])
    first, *others = await queue.receive(LANE, 10, 60, 0)
    assert [each.job for each in (first, *others)] == ["a"] * 3
    await queue.ack([first])
    assert [await queue.extend(each, 60) for each in others] == [True, True]


async def test_what_is_refused_alone_is_sent_again(queue):
    asked = []

    def spoil(params):
        asked.append([each["MessageBody"] for each in params["Entries"]])
        if len(asked) == 1:  # SQS takes no such character
            params["Entries"][3]["MessageBody"] = "\0"

    listen(queue, "SendMessageBatch", spoil)
    sent = [str(number) for number in range(10)]
    await queue.send(LANE, sent)
    assert asked == [sent, ["3"]]
    assert Counter(each.job for each in await queue.receive(LANE, 10, 60, 0)) == Counter(sent)


async def test_what_is_always_refused_is_an_error(queue):
    with pytest.raises(StoreUnavailable, match="refuses"):
        await queue.send(LANE, ["good", "\0"])


async def test_what_is_not_removed_by_the_servers_fault_is_removed_again(queue):
    answers = []

    def fail(parsed, **_):
        answers.append(len(parsed["Successful"]))
        if len(answers) == 1:
            (end,) = parsed["Successful"][2:]
            parsed["Failed"] = [end | {"Code": "InternalError", "SenderFault": False}]

    await queue.send(LANE, ["a", "b", "c"])
    taken = await queue.receive(LANE, 3, 60, 0)
    queue._calls._client.meta.events.register("after-call.sqs.DeleteMessageBatch", fail)
    await queue.ack(taken)
    assert answers == [3, 0]  # one was asked for again, and found to be gone


async def test_a_receipt_that_sqs_refuses_is_lost(queue, api, place):
    await queue.send(LANE, ["a", "b", "c"])
    one, two, three = await queue.receive(LANE, 3, 60, 0)
    url = (await api.get_queue_url(QueueName=f"{place.name}-{LANE}"))["QueueUrl"]
    await api.purge_queue(QueueUrl=url)
    assert not await queue.extend(one, 60)
    await queue.release(two, 0)
    await queue.ack([three])
    assert await queue.depth(LANE) == Depth(waiting=0, leased=0, dead=0)


async def test_who_goes_away_while_waiting_takes_nothing_along(queue):
    waiting = asyncio.create_task(queue.receive(LANE, 1, 60, 20))
    await asyncio.sleep(0.2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await queue.send(LANE, ["a"])
    await queue.close()
    (taken,) = await queue.receive(LANE, 1, 60, 5)
    assert (taken.job, taken.attempts) == ("a", 2)  # who went away had it, and gave it back


async def test_what_waits_out_a_delay_is_leased_to_others(queue, place):
    await queue.send(LANE, ["a"])
    (taken,) = await queue.receive(LANE, 1, 60, 0)
    await queue.release(taken, 30)
    assert await queue.depth(LANE) == Depth(waiting=1, leased=0, dead=0)
    async with open_sqs(place) as other:
        assert await other.depth(LANE) == Depth(waiting=0, leased=1, dead=0)


async def test_dead_letters_of_all_lanes_are_read_and_left(queue, api, place):
    for lane in Lane:
        await bury(api, place, [f"{lane}{number}" for number in range(12)], lane)
    everything = {f"{lane}{number}" for lane in Lane for number in range(12)}
    for _ in range(2):
        assert set(await queue.dead(100)) == everything
        assert len(await queue.dead(15)) == 15
    assert [(await queue.depth(lane)).dead for lane in Lane] == [12] * len(Lane)


async def test_dead_letters_go_back_to_their_lanes(queue, api, place):
    await bury(api, place, [f"bulk{number}" for number in range(12)])
    await bury(api, place, ["io"], Lane.IO)
    assert await queue.redrive(5) == 5
    assert await queue.depth(LANE) == Depth(waiting=5, leased=0, dead=7)
    assert await queue.redrive(None) == 8
    assert await queue.redrive(None) == 0
    taken = await queue.receive(LANE, 100, 60, 0)
    assert {each.job for each in taken} == {f"bulk{number}" for number in range(12)}
    assert {each.attempts for each in taken} == {1}
    assert [each.job for each in await queue.receive(Lane.IO, 10, 60, 0)] == ["io"]
    assert await queue.dead(10) == []


async def test_a_dead_letter_is_kept_as_long_as_it_may_be_young(queue, api, place, monkeypatch):
    await bury(api, place, [str(number) for number in range(12)])
    sent = time.time()
    monkeypatch.setattr(dead_letters, "now", lambda: sent + 10 * DAY)
    await queue.expire_dead(sent + 4 * DAY - 60)
    assert len(await queue.dead(100)) == 12
    await queue.expire_dead(sent + 4 * DAY + 60)
    assert await queue.dead(100) == []


async def test_checks_do_not_get_in_each_others_way(queue, place):
    async with open_sqs(place) as other:
        await asyncio.gather(*(each.check() for each in (queue, other) * 5))


async def test_a_queue_that_is_missing_is_named_as_the_fault(place):
    async with client(place) as api:
        for queue in define_queues(place.name, MAX_ATTEMPTS):
            url = (await api.get_queue_url(QueueName=queue.name))["QueueUrl"]
            await api.delete_queue(QueueUrl=url)
    async with open_sqs(place) as store:
        for call in calls(store):
            with pytest.raises(StoreUnavailable, match="filmroll init"):
                await call
        async with client(place) as api:
            await create_queues(api, place.name, MAX_ATTEMPTS)
        await store.check()


async def test_queues_are_as_defined_also_when_created_again(api, place):
    await create_queues(api, place.name, MAX_ATTEMPTS)
    await create_queues(api, place.name, MAX_ATTEMPTS + 4)
    for queue in define_queues(place.name, MAX_ATTEMPTS + 4):
        url = (await api.get_queue_url(QueueName=queue.name))["QueueUrl"]
        answer = await api.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes = answer["Attributes"]
        assert queue.attributes.items() <= attributes.items()
        if queue.dead_letters is not None:
            policy = json.loads(attributes["RedrivePolicy"])
            assert policy["deadLetterTargetArn"].endswith(f":{queue.dead_letters}")
            assert policy["maxReceiveCount"] == queue.max_attempts


async def test_a_key_that_its_owner_gave_a_queue_stays(api, place):
    url = (await api.get_queue_url(QueueName=f"{place.name}-{LANE}"))["QueueUrl"]
    key = {"KmsMasterKeyId": "alias/own", "SqsManagedSseEnabled": "false"}
    await api.set_queue_attributes(QueueUrl=url, Attributes=key)
    await create_queues(api, place.name, MAX_ATTEMPTS + 4)
    answer = await api.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert key.items() <= answer["Attributes"].items()


async def test_a_server_that_is_gone_is_an_outage_and_soon_said(tmp_path):
    with MiniStack(tmp_path) as server:
        place = await new_queues(server.endpoint)
        async with open_sqs(place) as store:
            await store.send(LANE, ["a", "b", "c"])
            one, two, three = await store.receive(LANE, 3, 60, 0)
            server.stop()
            began = time.monotonic()
            more = (store.extend(one, 60), store.ack([two]), store.release(three, 0))
            ends = await asyncio.gather(*calls(store), *more, return_exceptions=True)
            assert {type(end) for end in ends} == {StoreUnavailable}
            assert time.monotonic() - began < 15
            server.start()
            await store.ack([one, two, three])
            assert await store.depth(LANE) == Depth(waiting=0, leased=0, dead=0)


def calls(store):
    """Everything that asks the server, of a queue with no message in hand."""
    return [
        store.send(LANE, [str(number) for number in range(200)]),
        store.receive(LANE, 1, 60, 0),
        store.depth(LANE),
        store.dead(1),
        store.expire_dead(0),
        store.redrive(None),
        store.check(),
    ]
