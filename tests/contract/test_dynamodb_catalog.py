"""What only DynamoDB can show: an index that is behind, and steps that are not one."""

from dataclasses import replace

import pytest

from filmroll.model import DeliveryState, JobState
from tests.contract.conftest import CATALOGS
from tests.contract.ledger import again, batch, end_job, line_at, queued
from tests.contract.records import image
from tests.contract.test_catalog_webhooks import delivery, endpoint


@pytest.fixture
async def dynamodb(request, tmp_path):
    async with CATALOGS["dynamodb"](request, tmp_path) as store:
        yield store


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
