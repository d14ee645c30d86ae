"""What a service has stored, looked at and altered behind its back, wherever that is."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import obstore
from obstore.store import LocalStore, S3Store

from filmroll.catalog.dynamodb import open_dynamodb
from filmroll.catalog.sqlite.tables import BATCHES, MIGRATIONS
from filmroll.place import Place
from filmroll.sqlite import Database
from tests.e2e.service import Cloud


class Stored:
    """The blobs that belong to a data folder."""

    def __init__(self, data: Path) -> None:
        variables = Cloud.variables(str(data))
        self._store: Any
        if variables:
            place = Place.of(variables["FILMROLL_BLOBS"])
            self._store = S3Store(
                place.name,
                prefix=place.path,
                region=variables["AWS_REGION"],
                endpoint=place.endpoint,
                client_options={"allow_http": True},
            )
        else:
            self._store = LocalStore(data / "blobs")

    def keys(self, root: str = "") -> list[str]:
        """Return the keys of what lies under a root: ``o``, ``v``, ``p``; or of everything."""
        pages = obstore.list(self._store, prefix=root or None)
        return [str(one["path"]) for page in pages for one in page]

    def names(self, root: str) -> set[str]:
        """Return the last segments of keys: of originals, their images' ids."""
        return {key.rpartition("/")[2] for key in self.keys(root)}

    def about(self, image: str) -> list[str]:
        """Return the keys of what is kept of an image."""
        return [key for key in self.keys() if image in key]

    def read(self, key: str) -> bytes:
        return bytes(obstore.get(self._store, key).bytes())

    def write(self, key: str, body: bytes) -> None:
        obstore.put(self._store, key, body, use_multipart=False)

    def remove(self, key: str) -> None:
        obstore.delete(self._store, key)


def expire_batch(data: Path, batch: str, at: float) -> None:
    """Let a batch be older than it is."""
    variables = Cloud.variables(str(data))
    if variables:
        asyncio.run(_expire_in_table(Place.of(variables["FILMROLL_CATALOG"]), batch, at))
        return
    with _catalog(data) as database:
        found = database.read(BATCHES.get, batch)
        assert found is not None
        asyncio.run(database.write(BATCHES.put, replace(found, expires_at=at)))


async def _expire_in_table(place: Place, batch: str, at: float) -> None:
    async with open_dynamodb(place) as catalog:
        ledgers = catalog._ledgers
        last, _ = await ledgers.change_batch(batch, lambda it: replace(it, expires_at=at))
        assert last is not None
        await ledgers.mark(last.batch, last.number)


@contextmanager
def _catalog(data: Path) -> Iterator[Database]:
    database = Database(data / "catalog.db", MIGRATIONS)
    try:
        yield database
    finally:
        asyncio.run(database.close())
