"""What ports.Catalog promises of sources, of every adapter."""

import asyncio
from dataclasses import replace

from filmroll.model import KeptSource

SOURCE = KeptSource(id="s", job="first")


async def test_a_source_is_what_was_written_last(catalog):
    assert await catalog.get_source("s") is None
    assert await catalog.put_source(SOURCE)
    assert await catalog.get_source("s") == SOURCE
    kept = replace(SOURCE, image="i", version=2)
    assert await catalog.put_source(kept)
    assert await catalog.get_source("s") == kept
    assert await catalog.get_source("other") is None


async def test_only_the_next_version_is_written(catalog):
    await catalog.put_source(SOURCE)
    for version in (1, 3):
        assert not await catalog.put_source(replace(SOURCE, job="late", version=version))
    assert not await catalog.put_source(replace(SOURCE, id="new", version=2))
    assert await catalog.get_source("s") == SOURCE
    assert await catalog.get_source("new") is None


async def test_one_of_many_is_first(catalog):
    for version in (1, 2):
        rivals = [replace(SOURCE, job=str(number), version=version) for number in range(32)]
        done = await asyncio.gather(*(catalog.put_source(rival) for rival in rivals))
        assert done.count(True) == 1
        assert await catalog.get_source("s") == rivals[done.index(True)]
