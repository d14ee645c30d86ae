"""Information out of an original: looked at once however many ask, and kept."""

import asyncio
from functools import partial

from filmroll.errors import Deleted
from filmroll.model import Info, Lane, original_key
from filmroll.ports import BlobStore, Catalog
from filmroll.usecases.engines import Engines
from filmroll.usecases.images import raise_missing


class Describer:
    """Has the engine look at pictures, and keeps what it tells."""

    def __init__(self, *, blobs: BlobStore, catalog: Catalog, engines: Engines) -> None:
        self._blobs = blobs
        self._catalog = catalog
        self._engines = engines
        self._flying: dict[str, asyncio.Task[Info]] = {}

    def under_way(self, image: str) -> bool:
        """Whether this image is being looked at right now."""
        return image in self._flying

    async def describe(self, image: str, lane: Lane) -> Info:
        """Describe an image and keep that; raise what stands against it.

        Work goes on when the caller leaves: others may wait for it.
        """
        task = self._flying.get(image)
        if task is None:
            task = self._flying[image] = asyncio.create_task(self._describe(image, lane))
            task.add_done_callback(partial(self._landed, image))
        return await asyncio.shield(task)

    def _landed(self, image: str, task: "asyncio.Task[Info]") -> None:
        del self._flying[image]
        if not task.cancelled():
            task.exception()  # whoever waited has it; if all have left, nobody needs it

    async def _describe(self, image: str, lane: Lane) -> Info:
        source = await self._blobs.open(original_key(image))
        if source is None:
            await raise_missing(self._catalog, image)
        with source:
            async with self._engines.engine(lane, source) as engine:
                info = await engine.describe(source)
        if not await self._catalog.put_info(image, info):
            raise Deleted("This image was deleted, and what is known of it.")
        return info
