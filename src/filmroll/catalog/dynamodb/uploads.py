"""Uploads in parts.

An upload's record holds its sums and its last part, in one item; the parts before have items of
their own. So whatever dies in between, the sums are those of the parts that are there.
"""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from filmroll.catalog import upload_rules as rules
from filmroll.catalog.dynamodb.merging import first
from filmroll.catalog.dynamodb.part import Part
from filmroll.catalog.dynamodb.record import Record, item_of, pack, unpack, write
from filmroll.catalog.dynamodb.schema import DUE
from filmroll.catalog.dynamodb.table import ABSENT, Key, contest, number, together
from filmroll.model import Job, Upload, UploadPart
from filmroll.ports import PartStanding

_PART = "part#"


class Uploads(Part):
    """The part of the catalog that knows uploads."""

    async def add_upload(self, upload: Upload) -> Upload:
        if await self._table.put(write(Record(id=upload.id, revision=1, upload=upload)), ABSENT):
            return upload

        def added(record: Record) -> Record | None:
            return None if record.upload is not None else replace(record, upload=upload)

        before, _ = await self._change(upload.id, added)
        return before.upload or upload

    async def get_upload(self, upload: str) -> Upload | None:
        return (await self._read(upload)).upload

    async def update_upload(self, upload: Upload, job: Job | None = None) -> bool:
        def updated(record: Record) -> Record | None:
            found = rules.updated(record.upload, upload)
            return None if found is None else replace(record, upload=found, job=record.job or job)

        _, after = await self._change(upload.id, updated)
        return after is not None

    async def put_part(self, part: UploadPart, offset: int | None = None) -> PartStanding:
        async def attempt() -> PartStanding:
            record = await self._read(part.upload)
            replaced = await self._part(record, part.number)
            if replaced is not None and replaced.key == part.key:  # its answer was lost
                return PartStanding(record.upload, taken=True)
            upload = rules.with_part(record.upload, part, replaced, offset)
            if upload is None:
                return PartStanding(record.upload, taken=False)
            if record.last is not None and record.last.number != part.number:
                await self._keep_part(record.last, record.revision)
            await self._write(record, replace(record, upload=upload, last=part))
            return PartStanding(upload, taken=True, replaced=replaced)

        async with self._turn(part.upload):
            return await contest(attempt)

    async def list_parts(self, upload: str, after: int, limit: int) -> Sequence[UploadPart]:
        record = await self._read(upload)
        query = self._table.query(upload, _part_key(after + 1), f"{_PART}~", limit=limit)
        found = {}
        for item in await first(query, limit):
            part = unpack(UploadPart, item["part"])
            found[part.number] = part
        if record.last is not None and record.last.number > after:
            found[record.last.number] = record.last
        return [found[number] for number in sorted(found)][:limit]

    async def due_uploads(self, before: float, limit: int) -> Sequence[Upload]:
        found = await first(
            self._table.find(DUE, "upload", under=number(before), limit=limit), limit
        )
        records = await self._read_all([item["pk"]["S"] for item in found])
        due = [
            record.upload
            for record in records
            if record.upload is not None
            and record.upload.expires_at is not None
            and record.upload.expires_at <= before
        ]
        return sorted(due, key=lambda upload: (upload.expires_at or 0.0, upload.id))

    async def drop_parts(self, upload: str, through: int) -> None:
        record = await self._read(upload)
        if not rules.ended(record.upload):
            return
        parts = self._table.query(upload, _part_key(0), _part_key(through))
        keys: list[Key] = [(upload, item["sk"]["S"]) async for item in parts]
        await self._table.delete_all(keys)

        def without(record: Record) -> Record | None:
            if record.last is None or record.last.number > through:
                return None
            return replace(record, last=None)

        await self._change(upload, without)

    async def forget_uploads(self, uploads: Sequence[Upload]) -> None:
        await together([self._change(one.id, partial(_forgotten, one)) for one in uploads])

    async def _part(self, record: Record, number_: int) -> UploadPart | None:
        if record.last is not None and record.last.number == number_:
            return record.last
        item = await self._table.get(record.id, _part_key(number_))
        return None if item is None else unpack(UploadPart, item["part"])

    async def _keep_part(self, part: UploadPart, revision: int) -> None:
        """Give a part an item of its own, unless a later revision's has come before."""
        key = (part.upload, _part_key(part.number))
        item = item_of(key, revision, {"part": pack(part)})
        await self._table.put(item, f"{ABSENT} OR rev < :rev", rev=number(revision))


def _forgotten(upload: Upload, record: Record) -> Record | None:
    return replace(record, upload=None) if rules.forgotten(record.upload, upload) else None


def _part_key(number_: int) -> str:
    return f"{_PART}{number_:06}"
