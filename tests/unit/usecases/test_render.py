"""Several variants of one original at once."""

import pytest

from filmroll.errors import EngineCrashed
from filmroll.instructions import parse
from filmroll.model import Lane, variant_key
from filmroll.usecases.admission import Admission
from filmroll.usecases.engines import Engines
from filmroll.usecases.render import Renderer
from tests.unit.usecases.house import HEADER, House

WANTED = [parse(f"resize:width={width}") for width in (100, 400, 200)]
RECIPES = [one.recipe() for one in WANTED]


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def renderer(house: House) -> Renderer:
    """Of three engines, two of which may share the work on one original."""
    admission = Admission(dict.fromkeys(Lane, 3), 4, 1 << 30, lambda _file, _size: HEADER)
    engines = Engines(
        engines=dict.fromkeys(Lane, house.engine), admission=admission, liveness=house.liveness
    )
    return Renderer(blobs=house.blobs, catalog=house.catalog, engines=engines)


@pytest.mark.parametrize(("lane", "calls"), [(Lane.INTERACTIVE, 2), (Lane.BULK, 1)])
async def test_engines_share_what_somebody_waits_for(house, renderer, lane, calls):
    image, _ = await house.upload()
    await renderer.make(image.id, WANTED, lane, record=True)
    assert house.engine.calls == calls
    kept = await house.catalog.list_variants(image.id)
    assert [variant.recipe for variant in kept] == RECIPES


async def test_a_fault_of_one_part_leaves_nothing_of_the_others(house, renderer):
    image, _ = await house.upload()
    house.engine.script = [EngineCrashed("signal 11")]
    with pytest.raises(EngineCrashed):
        await renderer.make(image.id, WANTED, Lane.INTERACTIVE, record=False)
    assert house.engine.calls == 2
    assert not any(renderer.under_way(image.id, recipe) for recipe in RECIPES)
    assert [await house.blobs.open(variant_key(image.id, recipe)) for recipe in RECIPES] == [
        None
    ] * 3
