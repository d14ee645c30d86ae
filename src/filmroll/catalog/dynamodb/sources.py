"""Sources that are fetched on their first use."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

from filmroll.catalog import rules
from filmroll.catalog.dynamodb.part import Part
from filmroll.catalog.dynamodb.record import pack, unpack
from filmroll.catalog.dynamodb.schema import RECORD
from filmroll.catalog.dynamodb.table import Item, Key
from filmroll.model import KeptSource


class Sources(Part):
    """The part of the catalog that knows sources."""

    async def get_source(self, source: str) -> KeptSource | None:
        item = await self._table.get(*_key(source))
        return None if item is None else unpack(KeptSource, item["whole"])

    async def put_source(self, source: KeptSource) -> bool:
        def following(stored: KeptSource | None) -> KeptSource | None:
            return source if rules.follows(stored, source) else None

        return await self._change_item(_key(source.id), KeptSource, _content, following) is not None


def _key(source: str) -> Key:
    return f"source#{source}", RECORD


def _content(source: KeptSource) -> Item:
    return {"whole": pack(source)}
