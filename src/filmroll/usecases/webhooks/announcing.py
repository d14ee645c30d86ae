"""Who is told of what: deliveries to be kept in the very step that they tell of."""

import time
from collections.abc import Sequence
from dataclasses import replace

from filmroll.model import (
    Endpoint,
    EndpointState,
    Image,
    Job,
    JobState,
    Outcome,
    WebhookDelivery,
    new_id,
    now,
)
from filmroll.ports import Catalog
from filmroll.usecases.avif import is_avif_job
from filmroll.usecases.webhooks.events import (
    Happening,
    batch_ended,
    image_deleted,
    image_ended,
    job_failed,
    preset_changed,
)

# How long a process believes to know the endpoints: an upload must not pay for a look at them.
BELIEVED_SECONDS = 1.0
_BATCHES = 100


class Announcer:
    """Addresses what has happened to the endpoints that want to hear of it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._endpoints: Sequence[Endpoint] = ()
        self._believed_until = 0.0

    def forget(self) -> None:
        """Look at the endpoints anew: this process has just changed them."""
        self._believed_until = 0.0

    async def image(self, image: Image) -> Sequence[WebhookDelivery]:
        """Return what is to be told of an image: nothing while its variants are to come."""
        if not await self._active():
            return ()
        happened = image_ended(image)
        return await self._addressed(happened) if happened else ()

    async def job(self, job: Job, outcome: Outcome | None) -> Sequence[WebhookDelivery]:
        """Return what is to be told of a job's end, and of its image if it decides its state."""
        if not await self._active():
            return ()
        asked_for = not is_avif_job(job)
        failed = [job_failed(job)] if job.state is JobState.FAILED and asked_for else []
        image = await self._catalog.get_image(job.image) if outcome else None
        if image is not None and outcome is not None:
            image = replace(image, state=outcome.state, problem=outcome.problem)
        ended = image_ended(image) if image else None
        happened = [*failed, ended] if ended else failed
        return [one for each in happened for one in await self._addressed(each)]

    async def deletion(self, image: str) -> Sequence[WebhookDelivery]:
        """Return what is to be told of an image that is about to be deleted."""
        return await self._addressed(image_deleted(image))

    async def preset(self, name: str, instructions: str | None) -> Sequence[WebhookDelivery]:
        """Return what is to be told of a preset that is about to change; None: to be removed."""
        return await self._addressed(preset_changed(name, instructions))

    async def tell_ended(self) -> None:
        """Write down what is to be told of batches that have ended, each of them once."""
        for batch in await self._catalog.untold_batches(_BATCHES):
            await self._catalog.tell_batch(batch, await self._addressed(batch_ended(batch)))

    async def _addressed(self, happened: Happening) -> Sequence[WebhookDelivery]:
        endpoints = await self._listeners(happened)
        at = now()
        return [
            WebhookDelivery(
                id=new_id(),
                endpoint=endpoint.id,
                event=happened.event,
                body=happened.body(at),
                created_at=at,
                due_at=at + happened.delay,
            )
            for endpoint in endpoints
        ]

    async def _listeners(self, happened: Happening) -> Sequence[Endpoint]:
        """Return who wants to hear; of what happens in a batch, only the one that it names."""
        wanting = [
            endpoint
            for endpoint in await self._active()
            if endpoint.wants(happened.event, item=happened.item)
        ]
        if not wanting or happened.batch is None:
            return wanting
        batch = await self._catalog.get_batch(happened.batch)
        named = batch.webhook if batch else None
        return [endpoint for endpoint in wanting if named in {None, endpoint.id}]

    async def _active(self) -> Sequence[Endpoint]:
        if time.monotonic() >= self._believed_until:
            found = await self._catalog.list_endpoints()
            self._endpoints = [one for one in found if one.state is EndpointState.ACTIVE]
            self._believed_until = time.monotonic() + BELIEVED_SECONDS
        return self._endpoints
