"""The calls to SQS: queues by name, batches of any size, one kind of error."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from filmroll.aws import code_of, time_of, translated
from filmroll.errors import StoreUnavailable

BATCH = 10  # messages in one call; SQS takes and gives no more
_HANDS = 8  # calls at once for one caller
_PAUSES = (0.0, 0.2, 0.8)  # s, before each try of what was refused alone

_MISSING = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
# What is said of a receipt that is no longer good; the last also of a lease of over twelve hours.
_STALE = {
    "ReceiptHandleIsInvalid",
    "AWS.SimpleQueueService.MessageNotInflight",
    "MessageNotInflight",
    "InvalidParameterValue",
}


class Message(NamedTuple):
    """A message that was taken."""

    body: str
    receipt: str
    attempts: int
    sent_at: float  # to its lane: SQS does not change it when a message dies


class Calls:
    """What is asked of SQS. Seconds are whole there, and are rounded up."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._urls: dict[str, str] = {}

    async def send(self, name: str, bodies: Sequence[str]) -> None:
        """Add messages."""
        entries = [{"MessageBody": body} for body in bodies]
        await self._in_tens(self._client.send_message_batch, name, entries)

    async def receive(self, name: str, limit: int, lease: float, wait: float) -> list[Message]:
        """Take up to ten messages; wait for a first one."""
        url = await self._url(name)
        with _asking():
            answer = await self._client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(limit, BATCH),
                VisibilityTimeout=math.ceil(lease),
                WaitTimeSeconds=math.ceil(wait),
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        return [_message(each) for each in answer.get("Messages", ())]

    async def show_after(self, name: str, receipt: str, seconds: float) -> bool:
        """Say when a message is to be seen again; False if SQS refuses the receipt."""
        url = await self._url(name)
        with _asking():
            try:
                await self._client.change_message_visibility(
                    QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=math.ceil(seconds)
                )
            except ClientError as exc:
                if code_of(exc) in _STALE:
                    return False
                raise
        return True

    async def show(self, name: str, receipts: Sequence[str]) -> None:
        """Let messages be seen again at once."""
        entries = [{"ReceiptHandle": receipt, "VisibilityTimeout": 0} for receipt in receipts]
        await self._in_tens(self._client.change_message_visibility_batch, name, entries)

    async def remove(self, name: str, receipts: Sequence[str]) -> None:
        """Remove messages for good."""
        entries = [{"ReceiptHandle": receipt} for receipt in receipts]
        await self._in_tens(self._client.delete_message_batch, name, entries)

    async def count(self, name: str) -> tuple[int, int]:
        """Return about how many messages a queue has to give, and how many are hidden."""
        visible = "ApproximateNumberOfMessages"
        delayed, hidden = f"{visible}Delayed", f"{visible}NotVisible"
        url = await self._url(name)
        with _asking():
            answer = await self._client.get_queue_attributes(
                QueueUrl=url, AttributeNames=[visible, delayed, hidden]
            )
        counts = {key: int(value) for key, value in answer["Attributes"].items()}
        return counts[visible] + counts[delayed], counts[hidden]

    async def time(self, name: str) -> float:
        """Return what time it is at the queue, in whole seconds since the epoch."""
        with _asking():
            return time_of(await self._client.get_queue_url(QueueName=name))

    async def _url(self, name: str) -> str:
        if name not in self._urls:
            with _asking():
                self._urls[name] = (await self._client.get_queue_url(QueueName=name))["QueueUrl"]
        return self._urls[name]

    async def _in_tens(
        self,
        call: Callable[..., Awaitable[Any]],
        name: str,
        entries: Sequence[Mapping[str, Any]],
    ) -> None:
        """Make a batch call for each ten entries, several at once; raise the first error."""
        if not entries:
            return
        url = await self._url(name)
        tens = iter([entries[at : at + BATCH] for at in range(0, len(entries), BATCH)])

        async def work() -> None:
            for ten in tens:
                await _insist(call, url, ten)

        hands = min(_HANDS, math.ceil(len(entries) / BATCH))
        # All come to an end before an error is raised: nothing goes on behind the caller's back.
        ends = await asyncio.gather(*(work() for _ in range(hands)), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end


@contextmanager
def _asking() -> Iterator[None]:
    """Translate errors; tell a queue that is missing from an outage."""
    with translated("queue"):
        try:
            yield
        except ClientError as exc:
            if code_of(exc) in _MISSING:
                raise StoreUnavailable("The queues are not there; run `filmroll init`.") from exc
            raise


async def _insist(
    call: Callable[..., Awaitable[Any]], url: str, entries: Sequence[Mapping[str, Any]]
) -> None:
    """Make a batch call; what is refused alone is tried again, a few times."""
    left = {str(number): entry for number, entry in enumerate(entries)}
    for pause in _PAUSES:
        await asyncio.sleep(pause)
        batch = [{"Id": number, **entry} for number, entry in left.items()]
        with _asking():
            answer = await call(QueueUrl=url, Entries=batch)
        left = {
            refusal["Id"]: left[refusal["Id"]]
            for refusal in answer.get("Failed", ())
            if not _is_stale(refusal, left)
        }
        if not left:
            return
    raise StoreUnavailable("The queue refuses messages.")


def _is_stale(refusal: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether it is the receipt that is refused: nothing is left to do for that message."""
    return refusal["Code"] in _STALE and "ReceiptHandle" in entries[refusal["Id"]]


def _message(answer: Mapping[str, Any]) -> Message:
    attributes = answer["Attributes"]
    return Message(
        body=answer["Body"],
        receipt=answer["ReceiptHandle"],
        attempts=int(attributes["ApproximateReceiveCount"]),
        sent_at=int(attributes["SentTimestamp"]) / 1000,
    )
