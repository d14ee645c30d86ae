"""The catalog in one table of DynamoDB, or of what speaks like it, split by subject.

Every write is of a single item, under a condition: so it also runs where there are no
transactions. See docs/adr/0012-dynamodb.md for how that keeps the promises of the port.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

from filmroll.aws import client
from filmroll.catalog.checks import round_trip
from filmroll.catalog.dynamodb.access import Access
from filmroll.catalog.dynamodb.batches import Batches
from filmroll.catalog.dynamodb.ledgers import Ledgers
from filmroll.catalog.dynamodb.schema import EXPIRY, definition
from filmroll.catalog.dynamodb.sources import Sources
from filmroll.catalog.dynamodb.table import Table
from filmroll.catalog.dynamodb.uploads import Uploads
from filmroll.catalog.dynamodb.webhooks import Webhooks
from filmroll.place import Place

__all__ = ["DynamoCatalog", "create_table", "definition", "open_dynamodb"]


class DynamoCatalog(Batches, Uploads, Sources, Webhooks, Access):
    """Everything that ``ports.Catalog`` promises, for any number of processes and machines."""

    def __init__(self, sdk: Any, table: str) -> None:
        """``sdk`` is an open client of DynamoDB; whoever opened it closes it."""
        self._table = Table(sdk, table)
        self._ledgers = Ledgers(self._table)
        self._turns = WeakValueDictionary()

    async def check(self) -> None:
        """Write and read back something small; raise what is wrong with the store."""
        await round_trip(self)

    async def time(self) -> float:
        """Return what time it is at the store, in whole seconds since the epoch."""
        return await self._table.time()

    async def close(self) -> None:
        """Finish what was begun."""
        await self._ledgers.close()


@asynccontextmanager
async def open_dynamodb(place: Place) -> AsyncIterator[DynamoCatalog]:
    """Open the catalog in a table that exists."""
    async with client(place) as sdk:
        catalog = DynamoCatalog(sdk, place.name)
        try:
            yield catalog
        finally:
            await catalog.close()


async def create_table(sdk: Any, name: str) -> bool:
    """Make the table with its indexes unless it is there; return whether it was made."""
    try:
        await sdk.create_table(**definition(name))
    except sdk.exceptions.ResourceInUseException:
        return False
    await sdk.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    await sdk.update_time_to_live(TableName=name, TimeToLiveSpecification=EXPIRY)
    return True
