"""Faults on the lines to the stores: nothing is lost, nothing doubled, nobody waits without end."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from filmroll.aws import client
from filmroll.place import Place
from tests.cluster.load import PATIENCE_SECONDS, THUMB, Load, all_there
from tests.e2e.service import IMPATIENT, Service
from tests.faults.wire import Harm, Request
from tests.samples import jpeg

SECONDS = 6
STEPS = {
    "a store that is busy": [Harm.BUSY, Harm.THROTTLED],
    "answers that are lost": [Harm.LOST],
    "connections that end": [Harm.RESET, Harm.CUT],
    "a slow store": [Harm.SLOW],
}


@pytest.mark.parametrize("what", STEPS)
def test_with_faults_on_the_wire(data, lines, what):
    chance, share = random.Random(what), 0.05 if what == "a slow store" else 0.15

    def harm(request: Request) -> Harm | None:
        if chance.random() > share:
            return None
        found = chance.choice(STEPS[what])
        return None if found is Harm.CUT and request.method != "GET" else found

    with Service(data, module=IMPATIENT, **lines.variables) as service, service.client() as http:
        lines.s3.harm = lines.aws.harm = harm
        with Load(service.url) as load:
            time.sleep(SECONDS)
        lines.s3.harm = lines.aws.harm = lambda _: None
        print(what, load.statuses(), len(load.kept), "kept")
        assert load.wrong == []
        assert len(load.kept) > 5
        assert set(load.statuses()) <= {200, 201, 202, 409, 503}
        assert max(seconds for _, seconds, _, _ in load.answers) < PATIENCE_SECONDS
        all_there(http, load.kept)


def test_a_queue_that_is_emptied_loses_no_job(data, lines):
    """The messages are gone; the records say that there is work, and the sweeper sends it again."""
    images = wait_for_a_worker(data, lines)
    asyncio.run(purge(lines.variables["FILMROLL_QUEUE"]))
    with Service(data, module=IMPATIENT, **lines.variables) as service, service.client() as http:
        until_ready(http, images)


def test_messages_out_of_order_and_twice_do_each_job_once(data, lines):
    images = wait_for_a_worker(data, lines)
    assert asyncio.run(muddle(lines.variables["FILMROLL_QUEUE"])) >= 2 * len(images)
    with Service(data, module=IMPATIENT, **lines.variables) as service, service.client() as http:
        until_ready(http, images)
        jobs = [http.get(job).json() for job in images.values()]
    assert {(job["state"], job["attempts"]) for job in jobs} == {("succeeded", 1)}


def wait_for_a_worker(data, lines) -> dict[str, str]:
    """Upload where nobody works yet; return the URL of the job of each image."""
    jobs = {}
    with Service(data, "upload-api", **lines.variables) as uploads, uploads.client() as http:
        for number in range(12):
            answer = http.post(
                "/v1/images",
                params={"variant": THUMB},
                content=jpeg(200, 100, seed=number),
                headers={"Prefer": "respond-async"},
            )
            jobs[answer.json()["id"]] = answer.headers["Location"]
        time.sleep(1)
    return jobs


def until_ready(http: httpx.Client, images: Iterable[str]) -> None:
    deadline = time.monotonic() + 120
    states = {"stored"}
    while states != {"ready"}:
        assert time.monotonic() < deadline, states
        time.sleep(1)
        states = {http.get(f"/v1/images/{image}").json()["state"] for image in images}


async def purge(url: str) -> None:
    async with lanes_of(url) as (sqs, lanes):
        for lane in lanes:
            await sqs.purge_queue(QueueUrl=lane)


async def muddle(url: str) -> int:
    """Send each message once more, and all of them the other way round; return how many wait."""
    sent = 0
    async with lanes_of(url) as (sqs, lanes):
        for lane in lanes:
            bodies = []
            while taken := (await sqs.receive_message(QueueUrl=lane, MaxNumberOfMessages=10)).get(
                "Messages"
            ):
                for message in taken:
                    bodies.append(message["Body"])
                    await sqs.delete_message(QueueUrl=lane, ReceiptHandle=message["ReceiptHandle"])
            for body in [*reversed(bodies), *bodies]:
                await sqs.send_message(QueueUrl=lane, MessageBody=body)
            sent += 2 * len(bodies)
    return sent


@asynccontextmanager
async def lanes_of(url: str) -> AsyncIterator[tuple[Any, list[str]]]:
    place = Place.of(url)
    async with client(place) as sqs:
        found = [
            await sqs.get_queue_url(QueueName=f"{place.name}-{lane}")
            for lane in ("interactive", "bulk", "io")
        ]
        yield sqs, [each["QueueUrl"] for each in found]
