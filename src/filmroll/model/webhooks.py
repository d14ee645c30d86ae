"""Who is told of what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Event(StrEnum):
    """What a webhook can tell of."""

    BATCH_COMPLETED = "batch.completed"  # it has ended, in whatever state
    IMAGE_READY = "image.ready"
    IMAGE_FAILED = "image.failed"
    JOB_FAILED = "job.failed"
    IMAGE_DELETED = "image.deleted"
    PRESET_CHANGED = "preset.changed"  # or removed


# What caches are purged for. There may be very many: told to those alone that name them.
PURGES = frozenset({Event.IMAGE_DELETED, Event.PRESET_CHANGED})


class EndpointState(StrEnum):
    """Whether an endpoint of webhooks is sent anything."""

    ACTIVE = "active"
    DISABLED = "disabled"  # its server said that it is gone


class DeliveryState(StrEnum):
    """Where an event stands on its way to one endpoint."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where events are posted to. Its secret is needed to sign them, so it is kept."""

    id: str
    url: str
    secret: str = field(repr=False)  # as Standard Webhooks write it: whsec_ and base64
    created_at: float
    events: tuple[Event, ...] | None = None  # None: all but PURGES and the items of batches
    name: str | None = None
    state: EndpointState = EndpointState.ACTIVE
    detail: str | None = None  # why it is disabled
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # beside our own
    body: str | None = None  # what is posted instead of the event

    def wants(self, event: Event, *, item: bool) -> bool:
        """Whether to tell it; an ``item`` of a batch, which may have very many, only if named."""
        if self.events is None:
            return not item and event not in PURGES
        return event in self.events


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookDelivery:
    """An event on its way to one endpoint.

    While it is pending, no attempt starts before ``due_at``: the next is to come then, or the
    lease of the one under way is over.
    """

    id: str
    endpoint: str
    event: Event
    body: str  # what is posted, the same at every attempt
    created_at: float
    due_at: float
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    status: int | None = None  # of the last answer
    detail: str | None = None  # why the last attempt failed
    finished_at: float | None = None
