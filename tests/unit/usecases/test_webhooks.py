"""Who is told, when the next attempt is due, and how many posts there are at once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from filmroll.catalog.memory import MemoryCatalog
from filmroll.errors import FetchUnavailable, FilmrollError, StoreUnavailable
from filmroll.model import (
    DeliveryState,
    Endpoint,
    Event,
    ImageState,
    WebhookDelivery,
    new_id,
    now,
)
from filmroll.ports import DeliveryFilter, Reply
from filmroll.usecases.webhooks import announcing
from filmroll.usecases.webhooks.announcing import Announcer
from filmroll.usecases.webhooks.endpoints import MAX_ENDPOINTS, Endpoints
from filmroll.usecases.webhooks.sending import PER_ENDPOINT, RETRY_SECONDS, Sender, outcome
from tests.contract.records import image

LAST = len(RETRY_SECONDS) + 1


class Posts:
    """Receivers in this process: by URL they answer, raise, or hang until they may go on."""

    def __init__(self) -> None:
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.raising: dict[str, Exception] = {}
        self.hanging: dict[str, asyncio.Event] = {}

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        assert headers["webhook-signature"]
        assert body
        for counted in (url, "all"):
            self.under_way[counted] += 1
            self.most[counted] = max(self.most[counted], self.under_way[counted])
        try:
            await asyncio.sleep(0)
            if url in self.hanging:
                await self.hanging[url].wait()
            if url in self.raising:
                raise self.raising[url]
        finally:
            self.under_way[url] -= 1
            self.under_way["all"] -= 1
        self.done[url] += 1
        return Reply(status=200, detail="", retry_after=None)


@pytest.fixture
def catalog():
    return MemoryCatalog()


@pytest.fixture
def posts():
    return Posts()


@pytest.fixture
def sender(catalog, posts):
    return Sender(catalog, posts)


async def listening(catalog, name: str, **fields) -> Endpoint:
    """Add an endpoint; its URL is its name."""
    secret = "whsec_" + "c2VjcmV0" * 4
    endpoint = Endpoint(id=new_id(), url=name, secret=secret, created_at=now(), **fields)
    return await catalog.add_endpoint(endpoint)


def delivery(to: Endpoint, **fields) -> WebhookDelivery:
    whole = {"id": new_id(), "event": Event.IMAGE_READY, "body": "{}", "created_at": 1.0}
    return WebhookDelivery(endpoint=to.id, **(whole | {"due_at": 1.0} | fields))


async def due(catalog, to: Endpoint, many: int) -> None:
    await catalog.add_image(image(), None, [delivery(to) for _ in range(many)])


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not happens():  # noqa: ASYNC110 -- they are numbers
            await asyncio.sleep(0)


async def log(catalog, of: Endpoint):
    return (await catalog.list_deliveries(DeliveryFilter(endpoint=of.id), 1000, None)).items


@asynccontextmanager
async def all_sent(sender, catalog):
    """Begin to send; at the end of the block wait until all is at an end."""
    await sender.send_due()
    yield
    async with asyncio.timeout(10):
        while pending(catalog):  # noqa: ASYNC110 -- they are records
            await asyncio.sleep(0.01)


def pending(catalog) -> bool:
    return any(one.state is DeliveryState.PENDING for one in catalog._deliveries.values())


def answered(status: int, retry_after: int | None = None) -> Reply:
    return Reply(status=status, detail="why", retry_after=retry_after)


@pytest.mark.parametrize("answer", [answered(500), answered(302), FetchUnavailable("away")])
def test_the_schedule(answer: Reply | FilmrollError) -> None:
    to = Endpoint(id="e", url="u", secret="s", created_at=1.0)
    for attempts, seconds in enumerate(RETRY_SECONDS, 1):
        rested = outcome(delivery(to, attempts=attempts), answer)
        assert rested.state is DeliveryState.PENDING
        assert rested.due_at == pytest.approx(now() + seconds, abs=2)
    ended = outcome(delivery(to, attempts=LAST), answer)
    assert (ended.state, bool(ended.detail)) == (DeliveryState.FAILED, True)
    assert ended.finished_at == pytest.approx(now(), abs=2)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (answered(429, 3600), 3600),
        (answered(503, 3600), 3600),
        (answered(503, 1), RETRY_SECONDS[0]),
        (answered(500, 3600), RETRY_SECONDS[0]),
        (answered(429), RETRY_SECONDS[0]),
    ],
)
def test_a_longer_rest_that_is_asked_for(answer: Reply, seconds: int) -> None:
    to = Endpoint(id="e", url="u", secret="s", created_at=1.0)
    rested = outcome(delivery(to, attempts=1), answer)
    assert rested.due_at == pytest.approx(now() + seconds, abs=2)


async def test_as_many_at_once_as_may_be(catalog, posts, sender):
    endpoint = await listening(catalog, "answers")
    await due(catalog, endpoint, 3 * PER_ENDPOINT)
    async with all_sent(sender, catalog):
        pass
    assert posts.most["answers"] == PER_ENDPOINT
    assert posts.done["answers"] == 3 * PER_ENDPOINT


async def test_however_many_hang_they_hold_up_no_other(catalog, posts, sender):
    many = [await listening(catalog, f"hangs {number}") for number in range(MAX_ENDPOINTS - 1)]
    for endpoint in many:
        posts.hanging[endpoint.url] = asyncio.Event()
        await due(catalog, endpoint, 3)
    well = await listening(catalog, "well")
    await due(catalog, well, 100)
    async with all_sent(sender, catalog):
        await until(lambda: posts.done["well"] == 100)
        assert posts.under_way["all"] == len(many), "one that does not answer has a single post"
        for hanging in posts.hanging.values():
            hanging.set()


async def test_one_that_does_not_answer_any_more_gets_a_single_post(catalog, posts, sender):
    endpoint = await listening(catalog, "fails")
    await due(catalog, endpoint, 1 + 3 * PER_ENDPOINT)
    await sender.send_due()
    await until(lambda: posts.done["fails"] == 1 + PER_ENDPOINT)
    posts.raising["fails"] = FetchUnavailable("away")
    await until(lambda: posts.under_way["fails"] == 1)
    posts.most.clear()
    await until(lambda: not sender._couriers)
    assert posts.most["fails"] == 1
    assert {one.attempts for one in await log(catalog, endpoint)} == {1}


async def test_a_fault_of_the_store_leaves_no_post_alone(catalog, sender, monkeypatch):
    endpoint = await listening(catalog, "answers")
    await due(catalog, endpoint, 1 + PER_ENDPOINT)
    finish, calls, may_end = catalog.finish_delivery, [], asyncio.Event()

    async def finish_delivery(ended: WebhookDelivery) -> bool:
        calls.append(ended.id)
        if len(calls) == 2:
            raise StoreUnavailable("away")
        if len(calls) > 2:
            await may_end.wait()
        return await finish(ended)

    monkeypatch.setattr(catalog, "finish_delivery", finish_delivery)
    await sender.send_due()
    await until(lambda: len(calls) == 1 + PER_ENDPOINT)
    await asyncio.sleep(0.01)
    assert sender._couriers, "the other three are not at an end"
    may_end.set()
    await until(lambda: not sender._couriers)
    states = Counter(one.state for one in await log(catalog, endpoint))
    assert states == {DeliveryState.DELIVERED: PER_ENDPOINT, DeliveryState.PENDING: 1}


async def test_a_fault_of_ours_counts_as_an_attempt(catalog, posts, sender):
    endpoint = await listening(catalog, "raises")
    posts.raising["raises"] = RuntimeError("a defect")
    await due(catalog, endpoint, 1)
    await sender.send_due()
    await asyncio.sleep(0.05)
    [rests] = await log(catalog, endpoint)
    assert (rests.attempts, rests.status) == (1, None)
    assert rests.due_at > now()
    assert "defect" not in rests.detail


async def test_what_a_disabled_endpoint_has_left_fails_unsent(catalog, posts, sender):
    endpoint = await listening(catalog, "gone")
    await catalog.disable_endpoint(endpoint.id, "It is gone.", now())
    left = delivery(endpoint)
    catalog._deliveries[left.id] = left  # as if the process had died while it was disabled
    async with all_sent(sender, catalog):
        pass
    [failed] = await log(catalog, endpoint)
    assert (failed.state, failed.detail) == (DeliveryState.FAILED, "It is gone.")
    assert not posts.done


async def test_draining_begins_nothing_more(catalog, posts, sender):
    endpoint = await listening(catalog, "hangs")
    posts.hanging["hangs"] = asyncio.Event()
    await due(catalog, endpoint, 100)
    await sender.send_due()
    await asyncio.sleep(0.05)
    draining = asyncio.create_task(sender.drain())
    await asyncio.sleep(0.05)
    posts.hanging["hangs"].set()
    await draining
    assert posts.done["hangs"] == 1


async def test_a_process_learns_soon_of_an_endpoint_made_by_another(catalog, monkeypatch):
    monkeypatch.setattr(announcing, "BELIEVED_SECONDS", 0.05)
    here, there = Announcer(catalog), Announcer(catalog)
    ready = image(state=ImageState.READY)
    assert await there.image(ready) == ()
    url = "https://example.com"
    await Endpoints(catalog, here).create(url=url, events=None, secret=None, name=None)
    assert len(await here.image(ready)) == 1
    await asyncio.sleep(0.06)
    assert len(await there.image(ready)) == 1


async def test_an_image_is_told_of_once_its_variants_are_decided(catalog):
    announcer = Announcer(catalog)
    await listening(catalog, "all")
    told = {state: await announcer.image(image(state=state)) for state in ImageState}
    assert {state: [one.event for one in sent] for state, sent in told.items() if sent} == {
        ImageState.READY: [Event.IMAGE_READY],
        ImageState.FAILED: [Event.IMAGE_FAILED],
    }
