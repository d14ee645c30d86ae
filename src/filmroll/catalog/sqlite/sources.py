"""Sources that are fetched on their first use."""

# ruff: noqa: D102 - ports.Catalog says what each method promises

import apsw

from filmroll.catalog import rules
from filmroll.catalog.sqlite.tables import SOURCES, Part
from filmroll.model import KeptSource


class Sources(Part):
    """The part of the catalog that knows sources."""

    async def get_source(self, source: str) -> KeptSource | None:
        return self._db.read(SOURCES.get, source)

    async def put_source(self, source: KeptSource) -> bool:
        return await self._db.write(_put, source)


def _put(connection: apsw.Connection, source: KeptSource) -> bool:
    follows = rules.follows(SOURCES.get(connection, source.id), source)
    if follows:
        SOURCES.put(connection, source)
    return follows
