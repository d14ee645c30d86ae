"""What the parts of the catalog share: reading a record, changing it, spreading what it tells."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from filmroll.catalog.dynamodb.deliveries import keep_deliveries
from filmroll.catalog.dynamodb.ledgers import Ledgers
from filmroll.catalog.dynamodb.merging import pages
from filmroll.catalog.dynamodb.record import Record, Whole, item_of, read, unpack, write
from filmroll.catalog.dynamodb.schema import DUE, RECORD
from filmroll.catalog.dynamodb.table import (
    ABSENT,
    Contested,
    Item,
    Key,
    Table,
    contest,
    key_of,
    number,
    text,
    together,
)
from filmroll.model import WebhookDelivery

_FORGOTTEN_AT_ONCE = 500

Change = tuple[Record, Record | None]  # before and after; None: nothing was to be changed


class Part:
    """Records are read, decided upon, and written if nobody else has written them meanwhile."""

    _table: Table
    _ledgers: Ledgers
    _turns: "WeakValueDictionary[str, asyncio.Lock]"

    async def _read(self, id_: str) -> Record:
        return read(await self._table.get(id_), id_)

    async def _read_all(self, ids: Sequence[str]) -> list[Record]:
        """Return the records of ids, in order; blank ones where there is none."""
        found = await self._table.get_all([(id_, RECORD) for id_ in ids])
        return [read(found.get((id_, RECORD)), id_) for id_ in ids]

    async def _change(self, id_: str, decide: Callable[[Record], Record | None]) -> Change:
        """Replace a record by what is decided of it; None leaves it, a blank one removes it."""

        async def attempt() -> Change:
            before = await self._read(id_)
            after = decide(before)
            if after is not None:
                await self._write(before, after)
            return before, after

        async with self._turn(id_):
            return await contest(attempt)

    async def _write(self, before: Record, after: Record) -> None:
        """Write a record's next revision; Contested if it is not that any more."""
        seen = {"rev": number(before.revision)}
        if after.blank:
            done = await self._table.delete((after.id, RECORD), "rev = :rev", **seen)
        elif before.revision:
            item = write(replace(after, revision=before.revision + 1))
            done = await self._table.put(item, "rev = :rev", **seen)
        else:
            done = await self._table.put(write(replace(after, revision=1)), ABSENT)
        if not done:
            raise Contested

    async def _change_item(
        self,
        key: Key,
        kind: type[Whole],
        content: Callable[[Whole], Item],
        decide: Callable[[Whole | None], Whole | None],
    ) -> Whole | None:
        """Replace what lies under a key by what is decided of it; return that, None if nothing is.

        ``content`` says what is in the item beside its key, with all of the record in ``whole``.
        """

        async def attempt() -> Whole | None:
            item = await self._table.get(*key)
            stored = None if item is None else unpack(kind, item["whole"])
            after = decide(stored)
            if after is None or after == stored:
                return after
            if item is None:
                done = await self._table.put(item_of(key, 1, content(after)), ABSENT)
            else:
                new = item_of(key, int(item["rev"]["N"]) + 1, content(after))
                done = await self._table.put(new, "rev = :rev", rev=item["rev"])
            if not done:
                raise Contested
            return after

        async with self._turn("/".join(key)):
            return await contest(attempt)

    async def _forget(self, partition: str, before: float) -> None:
        """Remove what has stood in a partition of what is due since before that time.

        The index may be behind: what has begun anew meanwhile stays.
        """
        still = "dk = :partition AND ds < :before"
        values = {"partition": text(partition), "before": number(before)}
        found = self._table.find(DUE, partition, under=number(before), limit=_FORGOTTEN_AT_ONCE)
        async for some in pages(found, _FORGOTTEN_AT_ONCE):
            await together([self._table.delete(key_of(item), still, **values) for item in some])

    def _turn(self, id_: str) -> asyncio.Lock:
        """Return the lock by which this process writes an id in turn, not in vain."""
        return self._turns.setdefault(id_, asyncio.Lock())

    async def _deliver(self, id_: str, deliveries: Sequence[WebhookDelivery]) -> None:
        """Give deliveries items of their own, once the record that tells of them is written."""
        if not deliveries:
            return
        await keep_deliveries(self._table, deliveries)
        kept = {one.id for one in deliveries}

        def emptied(record: Record) -> Record | None:
            left = tuple(one for one in record.outgoing if one.id not in kept)
            return None if left == record.outgoing else replace(record, outgoing=left)

        await self._change(id_, emptied)
