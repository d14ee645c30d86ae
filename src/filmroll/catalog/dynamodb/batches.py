"""Batches: begun, listed, closed, and found by those who look for what they need."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from filmroll.catalog import batch_rules
from filmroll.catalog import cursor as cursors
from filmroll.catalog.dynamodb.deliveries import keep_deliveries
from filmroll.catalog.dynamodb.ledger import LISTING, Last, head_item, head_key, name_partition
from filmroll.catalog.dynamodb.ledgers import CLOSED, OPEN, UNTOLD, marker_of
from filmroll.catalog.dynamodb.lines import Lines
from filmroll.catalog.dynamodb.merging import found
from filmroll.catalog.dynamodb.schema import DUE, GROUP, NEWEST, moment
from filmroll.catalog.dynamodb.table import ABSENT, Item, number, text, together
from filmroll.model import (
    Action,
    Batch,
    BatchState,
    Job,
    WebhookDelivery,
    now,
)
from filmroll.ports import BatchFilter, BatchPage

_STALLED_SECONDS = 15.0
_LOOKED_AT = 500  # lines of a stalled batch, in one go: the first ones, as they are done in order


class Batches(Lines):
    """The part of the catalog that knows batches."""

    async def add_batch(self, batch: Batch, job: Job | None = None) -> Batch:
        stored = await self.get_batch(batch.id)
        if stored is not None:
            return stored
        if job is not None:  # a job without its batch does nothing; a batch without its job waits
            await self._change(
                job.id,
                lambda it: None if it.job and not it.job.state.final else replace(it, job=job),
            )
        item = head_item(batch)
        if marker := marker_of(batch):
            item |= {"dk": text(marker[0]), "ds": number(marker[1])}
        if await self._table.put(item, ABSENT):
            return batch
        return await self.get_batch(batch.id) or batch

    async def get_batch(self, batch: str) -> Batch | None:
        last = await self._ledgers.last(batch)
        return None if last is None else last.batch

    async def list_batches(self, where: BatchFilter, limit: int, cursor: str | None) -> BatchPage:
        before = cursors.position(cursor, where)
        index, partition = NEWEST, LISTING
        if where.name is not None:
            index, partition = GROUP, name_partition(where.name)
        items = self._table.find(
            index,
            partition,
            under=None if before is None else text(moment(*before)),
            backwards=True,
            limit=limit + 2,
        )

        async def chosen(items: list[Item]) -> list[Batch]:
            batches = await together([self.get_batch(item["pk"]["S"]) for item in items])
            return [
                batch
                for batch in batches
                if batch is not None
                and where.state in {None, batch.state}
                and (batch.created_at, batch.id) != before
            ]

        listed = await found(items, chosen, limit + 1)
        shown, following = cursors.page(listed, limit, where)
        return BatchPage(items=shown, next_cursor=following)

    async def close_batch(
        self, batch: str, state: BatchState, now: float, expected: int | None = None
    ) -> Batch | None:
        def closed(stored: Batch) -> Batch | None:
            after = batch_rules.closed(stored, state, now, expected)
            return None if after is stored else after

        last, _ = await self._ledgers.change_batch(batch, closed)
        if last is not None and last.batch.state is not BatchState.OPEN:
            await self._catch_up(last)  # whoever closed it, or told of it, may have died
        return None if last is None else last.batch

    async def waiting_batches(self, limit: int) -> Sequence[Batch]:
        return await self._marked(
            CLOSED, limit, lambda one: one.state is not BatchState.OPEN and one.counts.open > 0
        )

    async def due_batches(self, before: float, limit: int) -> Sequence[Batch]:
        return await self._marked(
            OPEN,
            limit,
            lambda one: one.state is BatchState.OPEN and one.expires_at <= before,
            before,
        )

    async def untold_batches(self, limit: int) -> Sequence[Batch]:
        return await self._marked(UNTOLD, limit, lambda one: one.state.final and not one.told)

    async def tell_batch(self, batch: Batch, deliveries: Sequence[WebhookDelivery]) -> bool:
        last, told = await self._ledgers.change_batch(
            batch.id, lambda stored: batch_rules.told(stored, batch), deliveries
        )
        if told and last is not None:
            await self._announce(last)
        return told

    async def settle(self) -> int:
        """Take ends into their ledgers that a process did not live to write, and the like."""
        settled = 0
        for partition in (OPEN, CLOSED):
            async for item in self._table.find(DUE, partition):
                settled += await self._settle_batch(partition, item["pk"]["S"])
        late = self._table.find(DUE, "outgoing", under=number(now() - _STALLED_SECONDS), limit=100)
        async for item in late:
            record = await self._read(item["pk"]["S"])
            await self._deliver(record.id, record.outgoing)
            settled += bool(record.outgoing)
        return settled

    async def _marked(
        self,
        partition: str,
        limit: int,
        needs: Callable[[Batch], bool],
        before: float | None = None,
    ) -> list[Batch]:
        """Return batches that need something; put right where the others are to be found."""
        under = None if before is None else number(before)
        found: list[Batch] = []
        async for item in self._table.find(DUE, partition, under=under):
            last = await self._ledgers.last(item["pk"]["S"])
            if last is None:
                continue
            if needs(last.batch):
                found.append(last.batch)
                if len(found) == limit:
                    break
            else:
                await self._put_right(partition, last)
        return found

    async def _put_right(self, partition: str, last: Last) -> None:
        """Write again where a batch is found, if it is not there any more."""
        marker = marker_of(last.batch)
        if marker is None or marker[0] != partition:
            await self._announce(last)

    async def _announce(self, last: Last) -> None:
        """Deliver what the last entry of a batch tells of; only then is it not looked for."""
        await keep_deliveries(self._table, last.outgoing)
        await self._ledgers.mark(last.batch, last.number)

    async def _catch_up(self, last: Last) -> None:
        """Announce the last entry of a batch unless that was done: deliveries are forgotten."""
        if last.outgoing:
            head = await self._table.get(*head_key(last.batch.id))
            if head is None or int(head["marked"]["N"]) >= last.number:
                return
        await self._announce(last)

    async def _settle_batch(self, partition: str, batch: str) -> int:
        """Look at the jobs of a batch in which nothing has happened for a while."""
        last = await self._ledgers.last(batch)
        if last is None or last.at > now() - _STALLED_SECONDS:
            return 0
        await self._put_right(partition, last)
        own = (await self._read(batch)).job if last.batch.action is not Action.UPLOAD else None
        if own is not None and own.state.final:
            await self._ledgers.note_end(own)
        async with self._ledgers.reading(batch) as ledger:
            waiting = list(islice(ledger.in_order(batch_rules.AT_WORK), _LOOKED_AT))
        records = await self._read_all([batch_rules.awaited_job(line) for line in waiting])
        ended = [record.job for record in records if record.job and record.job.state.final]
        for job in ended:
            await self._ledgers.note_end(job)
        await self._ledgers.settle(batch)
        return len(ended)
