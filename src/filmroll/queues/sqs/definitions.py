"""Which queues there are to be, and their creation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from filmroll.aws import code_of, translated
from filmroll.model import Lane

LANE_RETENTION = 4 * 86_400  # s
_DEAD_RETENTION = 14 * 86_400  # as long as SQS can; it counts from when a message was sent
_CHECK_RETENTION = 300

_EXISTS = {"QueueAlreadyExists", "QueueNameExists"}


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueDefinition:
    """A queue as it is to be: attributes by SQS's names, and where its dead letters go."""

    name: str
    attributes: Mapping[str, str]
    dead_letters: str | None = None  # the name of the queue for them
    max_attempts: int = 0


def lane_name(prefix: str, lane: Lane) -> str:
    """Return the name of a lane's queue."""
    return f"{prefix}-{lane}"


def dead_name(prefix: str, lane: Lane) -> str:
    """Return the name of the queue for a lane's dead letters."""
    return f"{prefix}-{lane}-dead"


def check_name(prefix: str) -> str:
    """Return the name of the queue beside the lanes."""
    return f"{prefix}-check"


def define_queues(prefix: str, max_attempts: int) -> list[QueueDefinition]:
    """Return all queues under a prefix; those for dead letters come before their lanes."""
    dead = [
        QueueDefinition(name=dead_name(prefix, lane), attributes=_attributes(_DEAD_RETENTION))
        for lane in Lane
    ]
    lanes = [
        QueueDefinition(
            name=lane_name(prefix, lane),
            attributes=_attributes(LANE_RETENTION),
            dead_letters=dead_name(prefix, lane),
            max_attempts=max_attempts,
        )
        for lane in Lane
    ]
    check = QueueDefinition(name=check_name(prefix), attributes=_attributes(_CHECK_RETENTION))
    return [*dead, *lanes, check]


async def create_queues(client: Any, prefix: str, max_attempts: int) -> None:
    """Create what is missing of ``define_queues``, and set the attributes of what is there."""
    arns: dict[str, str] = {}
    with translated("queue"):
        for queue in define_queues(prefix, max_attempts):
            attributes = dict(queue.attributes)
            if queue.dead_letters is not None:
                policy = {
                    "deadLetterTargetArn": arns[queue.dead_letters],
                    "maxReceiveCount": queue.max_attempts,
                }
                attributes["RedrivePolicy"] = json.dumps(policy)
            arns[queue.name] = await _create(client, queue.name, attributes)


def _attributes(retention: int) -> dict[str, str]:
    return {
        "VisibilityTimeout": "60",
        "MessageRetentionPeriod": str(retention),
        "SqsManagedSseEnabled": "true",
    }


async def _create(client: Any, name: str, attributes: dict[str, str]) -> str:
    """Create a queue, or set the attributes of the one that is there; return its ARN."""
    try:
        url = (await client.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"]
    except ClientError as exc:
        if code_of(exc) not in _EXISTS:
            raise
        url = (await client.get_queue_url(QueueName=name))["QueueUrl"]
        # It may have been given a key of its owner's since: that is not ours to take away.
        del attributes["SqsManagedSseEnabled"]
        await client.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    answer = await client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])
