"""Sending: what is due goes out, signed after Standard Webhooks; what fails goes again later."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from standardwebhooks import Webhook

from filmroll.errors import FilmrollError, InternalError
from filmroll.model import DeliveryState, Endpoint, EndpointState, WebhookDelivery, now
from filmroll.ports import Catalog, Poster, Reply
from filmroll.usecases.webhooks.shaping import body_of, headers_of

# How long to wait after the first attempt, the second, and so on; after the last it has failed.
RETRY_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
# Within the lease a post waits for others to the same host, a few at a time; each may take 20 s.
LEASE_SECONDS = 180.0
# Posts at once. There is no limit on all together: whoever hangs would take places in it from the
# others. The number of endpoints is limited, and those that hang get one post each.
PER_ENDPOINT = 4
# What is still under way then is sent again by the next process.
DRAIN_SECONDS = 5.0

_SUCCESS = range(200, 300)
_REDIRECT = range(300, 400)
_GONE = 410
_BUSY = {429, 503}  # whose Retry-After is heard
_DETAIL = 500  # characters
GONE_DETAIL = "The endpoint is disabled: it answered with status 410, so nobody is there any more."

log = logging.getLogger(__name__)


class Sender:
    """Posts deliveries: to each endpoint by itself, so that one that hangs holds up no other."""

    def __init__(self, catalog: Catalog, poster: Poster) -> None:
        self._catalog = catalog
        self._poster = poster
        self._couriers: dict[str, asyncio.Task[None]] = {}
        self._ending = False

    async def send_due(self) -> None:
        """Begin to send what is due, and return."""
        for endpoint in await self._catalog.list_endpoints():
            if endpoint.id not in self._couriers:
                courier = asyncio.create_task(self._serve(endpoint.id))
                self._couriers[endpoint.id] = courier
                courier.add_done_callback(partial(self._ended, endpoint.id))

    async def drain(self) -> None:
        """Begin nothing more; wait for the posts under way, but not for those that hang."""
        self._ending = True
        couriers = list(self._couriers.values())
        if couriers:
            _, late = await asyncio.wait(couriers, timeout=DRAIN_SECONDS)
            for courier in late:
                courier.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, endpoint: str, courier: asyncio.Task[None]) -> None:
        del self._couriers[endpoint]
        if not courier.cancelled() and (fault := courier.exception()):
            log.warning("webhooks wait for another attempt: %s", fault)

    async def _serve(self, endpoint: str) -> None:
        """Send to one endpoint until nothing is due: a single post until it has answered one."""
        share = 1
        while not self._ending and (sent := await self._send_group(endpoint, share)):
            share = PER_ENDPOINT if all(sent) else 1

    async def _send_group(self, endpoint_id: str, share: int) -> Sequence[bool]:
        """Send a few deliveries that are due; return of each whether it was answered.

        A fault is raised once all of them are at an end.
        """
        endpoint = await self._catalog.get_endpoint(endpoint_id)  # as it stands by now
        if endpoint is None:
            return ()
        due = await self._catalog.claim_deliveries(endpoint_id, share, now(), LEASE_SECONDS)
        posts = (self._send(endpoint, delivery) for delivery in due)
        answered: list[bool] = []
        for sent in await asyncio.gather(*posts, return_exceptions=True):
            if isinstance(sent, BaseException):
                raise sent
            answered.append(sent)
        return answered

    async def _send(self, endpoint: Endpoint, delivery: WebhookDelivery) -> bool:
        if endpoint.state is EndpointState.DISABLED:  # left over when it was
            failed = replace(delivery, detail=endpoint.detail)
            await self._catalog.finish_delivery(_given_up(failed))
            return True
        answer = await self._post(endpoint, delivery)
        await self._catalog.finish_delivery(outcome(delivery, answer))
        if isinstance(answer, Reply) and answer.status == _GONE:
            await self._catalog.disable_endpoint(endpoint.id, GONE_DETAIL, now())
        return isinstance(answer, Reply)

    async def _post(self, endpoint: Endpoint, delivery: WebhookDelivery) -> Reply | FilmrollError:
        body = body_of(endpoint, delivery)
        headers = signed(endpoint, delivery, body)
        try:
            return await self._poster.post(endpoint.url, headers, body.encode())
        except FilmrollError as fault:
            return fault
        except Exception:
            log.exception("a webhook could not be posted: %s", delivery.id)
            return InternalError("It could not be posted; the log of the service says why.")


def signed(endpoint: Endpoint, delivery: WebhookDelivery, body: str) -> Mapping[str, str]:
    """Return the headers of a post that begins now; names in small letters."""
    at = datetime.now(UTC)
    return {
        "content-type": "application/json",
        **headers_of(endpoint, delivery),
        "webhook-id": delivery.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(endpoint.secret).sign(delivery.id, at, body),
    }


def outcome(delivery: WebhookDelivery, answer: Reply | FilmrollError) -> WebhookDelivery:
    """Return what an answer, or that there is none, makes of a delivery."""
    if isinstance(answer, FilmrollError):
        return _rested(replace(delivery, status=None, detail=answer.detail), 0)
    answered = replace(delivery, status=answer.status, detail=None)
    if answer.status in _SUCCESS:
        return replace(answered, state=DeliveryState.DELIVERED, finished_at=now())
    failed = replace(answered, detail=_reason(answer))
    if answer.status == _GONE:
        return _given_up(failed)
    asked = answer.retry_after if answer.status in _BUSY else None
    return _rested(failed, asked or 0)


def _reason(answer: Reply) -> str:
    if answer.status in _REDIRECT:
        return "It answered with a redirect, and those are not followed."
    return answer.detail[:_DETAIL] or f"It answered with status {answer.status}."


def _rested(delivery: WebhookDelivery, at_least: int) -> WebhookDelivery:
    """Return a delivery that waits for its next attempt, if there is to be one."""
    if delivery.attempts > len(RETRY_SECONDS):
        return _given_up(delivery)
    return replace(delivery, due_at=now() + max(RETRY_SECONDS[delivery.attempts - 1], at_least))


def _given_up(delivery: WebhookDelivery) -> WebhookDelivery:
    return replace(delivery, state=DeliveryState.FAILED, finished_at=now())
