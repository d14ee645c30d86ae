"""The table as the parts of the catalog use it: single items, conditions on them, queries."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from filmroll.aws import code_of, permit, time_of, translated
from filmroll.catalog.dynamodb.schema import RECORD, keys_of
from filmroll.errors import StoreUnavailable

Item = Mapping[str, Any]  # attributes as the client takes and gives them: {"pk": {"S": "…"}}
Key = tuple[str, str]  # pk, sk
Result = TypeVar("Result")

ABSENT = "attribute_not_exists(pk)"
_AT_ONCE = 24  # requests of one call
_GOT_AT_ONCE, _WRITTEN_AT_ONCE = 100, 25  # by BatchGetItem and BatchWriteItem
_MOST_PK_BYTES, _MOST_SK_BYTES = 2048, 1024  # also those of an index
_CONTESTS = 60  # lost one after the other: somebody writes without a pause
_PAUSE = 0.01  # s, between two of them, growing


def text(value: str) -> dict[str, str]:
    """Return a string as an attribute."""
    return {"S": value}


def number(value: float) -> dict[str, str]:
    """Return a number as an attribute, to the last digit."""
    return {"N": repr(value)}


class Contested(Exception):
    """Another writer was first: read anew, decide anew."""


class Table:
    """One table of a client; every error but a condition's is StoreUnavailable."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name
        self._permits = asyncio.Semaphore(4 * _AT_ONCE)

    async def get(self, pk: str, sk: str = RECORD) -> Item | None:
        """Return an item as it is now."""
        if not _possible(pk, sk):
            return None
        answer = await self._call("get_item", Key=_key((pk, sk)), ConsistentRead=True)
        found: Item | None = answer.get("Item")
        return found

    async def time(self) -> float:
        """Return what time it is at the table, in whole seconds since the epoch."""
        return time_of(await self._call("get_item", Key=_key(("time", RECORD))))

    async def get_all(self, keys: Sequence[Key]) -> Mapping[Key, Item]:
        """Return those of the items that exist, as they are now."""
        unique = [key for key in dict.fromkeys(keys) if _possible(*key)]
        chunks = [unique[i : i + _GOT_AT_ONCE] for i in range(0, len(unique), _GOT_AT_ONCE)]
        found = await asyncio.gather(*(self._get_chunk(chunk) for chunk in chunks))
        return {key_of(item): item for items in found for item in items}

    async def put(self, item: Item, condition: str = "", **values: Any) -> bool:
        """Write an item whole; False, and no change, unless the condition holds."""
        return await self._conditional("put_item", condition, values, Item=item) is not None

    async def update(
        self,
        key: Key,
        change: str,
        condition: str,
        values: Mapping[str, Any],
        names: Mapping[str, str] | None = None,
    ) -> Item | None:
        """Change attributes of an item, or make it; return it then. None: the condition fails.

        ``values`` and ``names`` are what stands behind ``:`` and ``#`` in the texts.
        """
        request: dict[str, Any] = {"Key": _key(key), "UpdateExpression": change}
        if names:
            request["ExpressionAttributeNames"] = {f"#{name}": it for name, it in names.items()}
        answer = await self._conditional(
            "update_item", condition, values, ReturnValues="ALL_NEW", **request
        )
        return None if answer is None else answer["Attributes"]

    async def delete(self, key: Key, condition: str = "", **values: Any) -> bool:
        """Remove an item; False, and no change, unless the condition holds."""
        return await self._conditional("delete_item", condition, values, Key=_key(key)) is not None

    async def delete_all(self, keys: Sequence[Key]) -> None:
        """Remove items, whether they are there or not."""
        chunks = [keys[i : i + _WRITTEN_AT_ONCE] for i in range(0, len(keys), _WRITTEN_AT_ONCE)]
        await asyncio.gather(*(self._delete_chunk(chunk) for chunk in chunks))

    async def query(
        self,
        pk: str,
        first: str = " ",
        last: str = "~",
        *,
        backwards: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[Item]:
        """Yield the items under a ``pk`` from one ``sk`` to another, both included, as they are.

        ``limit`` is how many are asked for at a time: nothing is read that nobody looks at.
        """
        if not _possible(pk):
            return
        values = {":pk": text(pk), ":first": text(first), ":last": text(last)}
        async for item in self._pages(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=values,
            ScanIndexForward=not backwards,
            ConsistentRead=True,
            limit=limit,
        ):
            yield item

    async def find(
        self,
        index: str,
        partition: str,
        *,
        over: dict[str, str] | None = None,
        under: dict[str, str] | None = None,
        backwards: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[Item]:
        """Yield what an index has under a partition: keys only, and perhaps a moment late.

        The order is that of the index's second key, between ``over`` and ``under``, both included.
        """
        if not _possible(partition):
            return
        first, second = keys_of(index)
        condition, values = f"{first} = :partition", {":partition": text(partition)}
        if over is not None and under is not None:
            condition += f" AND {second} BETWEEN :over AND :under"
            values |= {":over": over, ":under": under}
        elif over is not None or under is not None:
            condition += f" AND {second} {'<=' if over is None else '>='} :end"
            values[":end"] = over or under or {}
        async for item in self._pages(
            IndexName=index,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ScanIndexForward=not backwards,
            limit=limit,
        ):
            yield item

    async def _get_chunk(self, keys: Sequence[Key]) -> list[Item]:
        wanted = {"Keys": [_key(key) for key in keys], "ConsistentRead": True}
        answers = await self._until_done("batch_get_item", wanted, "UnprocessedKeys")
        return [item for each in answers for item in each["Responses"].get(self._name, [])]

    async def _delete_chunk(self, keys: Sequence[Key]) -> None:
        wanted = [{"DeleteRequest": {"Key": _key(key)}} for key in dict.fromkeys(keys)]
        await self._until_done("batch_write_item", wanted, "UnprocessedItems")

    async def _until_done(self, operation: str, wanted: Any, left_over: str) -> list[Any]:
        """Ask for several items, and again for what is left over; return all answers."""
        answers: list[Any] = []
        left = {self._name: wanted}
        for tried in range(_CONTESTS):
            await asyncio.sleep(_PAUSE * tried)
            answers.append(await self._call(operation, RequestItems=left))
            left = answers[-1].get(left_over) or {}
            if not left:
                return answers
        raise StoreUnavailable("The catalog's table takes no more at the moment. Try again.")

    async def _pages(self, limit: int | None, **query: Any) -> AsyncIterator[Item]:
        if limit is not None:
            query["Limit"] = max(limit, 1)
        while True:
            answer = await self._call("query", **query)
            for item in answer["Items"]:
                yield item
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _conditional(
        self, operation: str, condition: str, values: Mapping[str, Any], **request: Any
    ) -> Any:
        """Return the answer, or None if the condition does not hold."""
        if condition:
            request["ConditionExpression"] = condition
        if values:
            request["ExpressionAttributeValues"] = {f":{name}": it for name, it in values.items()}
        return await self._call(operation, **request)

    async def _call(self, operation: str, **request: Any) -> Any:
        if "RequestItems" not in request:  # which name their table themselves
            request["TableName"] = self._name
        with translated("catalog"):
            try:
                async with permit(self._permits):
                    return await getattr(self._client, operation)(**request)
            except ClientError as refused:
                code = code_of(refused)
                if code == "ConditionalCheckFailedException":
                    return None
                if code == "ResourceNotFoundException":
                    raise StoreUnavailable(
                        f"The catalog's table {self._name} is not there: `filmroll init` makes it."
                    ) from refused
                raise


def key_of(item: Item) -> Key:
    """Return the key of an item."""
    return item["pk"]["S"], item["sk"]["S"]


async def together(work: Iterable[Awaitable[Result]]) -> list[Result]:
    """Wait for several pieces of work, not too many of them at once."""
    permits = asyncio.Semaphore(_AT_ONCE)

    async def one(piece: Awaitable[Result]) -> Result:
        async with permits:
            return await piece

    return await asyncio.gather(*map(one, work))


async def contest(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Try until no other writer is in between; ``attempt`` raises Contested if one was."""
    for lost in range(_CONTESTS):
        try:
            return await attempt()
        except Contested:
            await asyncio.sleep(random.uniform(0, _PAUSE * min(lost + 1, 10)))  # noqa: S311 - no secret
    raise StoreUnavailable("Too many write the same record of the catalog at once. Try again.")


def _possible(pk: str, sk: str = RECORD) -> bool:
    """Whether something may lie under a key; DynamoDB refuses to look under any other."""
    return 0 < len(pk.encode()) <= _MOST_PK_BYTES and 0 < len(sk.encode()) <= _MOST_SK_BYTES


def _key(key: Key) -> dict[str, Any]:
    return {"pk": text(key[0]), "sk": text(key[1])}
