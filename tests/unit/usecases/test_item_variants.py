"""The variants that items name for themselves."""

import pytest

from filmroll.catalog.memory import MemoryCatalog
from filmroll.errors import UnknownPreset, UnknownWatermark
from filmroll.queues.memory import MemoryQueue
from filmroll.usecases.batch.manifest import Manifest
from filmroll.usecases.outbox import Outbox
from filmroll.usecases.presets import Presets
from filmroll.usecases.webhooks.announcing import Announcer
from tests.unit.usecases.house import House


def manifest_of(catalog: MemoryCatalog) -> Manifest:
    return Manifest(catalog, Outbox(catalog, MemoryQueue()), max_bytes=1000)


async def texts(manifest: Manifest, raw: object) -> list[str]:
    return [one.canonical() for one in await manifest.variants_of([raw]) or ()]


async def test_a_preset_means_what_it_means_now() -> None:
    catalog = MemoryCatalog()
    manifest, presets = manifest_of(catalog), Presets(catalog, Announcer(catalog))
    await presets.put("thumb", "resize:width=10")
    assert await texts(manifest, "thumb") == ["resize:width=10"]
    await presets.put("thumb", "resize:width=20")
    assert await texts(manifest, "thumb") == ["resize:width=20"]
    await presets.delete("thumb")
    with pytest.raises(UnknownPreset):
        await manifest.variants_of(["thumb"])


async def test_a_watermark_that_was_deleted_is_missed() -> None:
    house = House()
    manifest = manifest_of(house.catalog)
    image, _ = await house.upload()
    marked = [{"op": "watermark", "image": image.id}]
    assert await texts(manifest, marked)
    await house.catalog.bury_image(image.id, purge_at=0)
    with pytest.raises(UnknownWatermark):
        await manifest.variants_of([marked])
