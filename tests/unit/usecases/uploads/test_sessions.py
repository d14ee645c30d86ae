"""Beginning uploads, also under an id that was used before."""

import pytest

from filmroll.errors import Conflict
from filmroll.model import OnDuplicate, derived_id
from filmroll.usecases.uploads.sessions import Intent


async def test_an_upload_is_found_again_though_its_batch_has_closed(house):
    batch = await house.batches.create(
        name=None,
        variants=(),
        on_duplicate=OnDuplicate.NEW,
        expected_count=None,
        webhook=None,
        expires_in=1000,
    )
    intent, upload_id = Intent(batch=batch.id, ref="a"), derived_id("test", "a")
    begun = await house.sessions.create(intent, upload_id)
    await house.batches.seal(batch.id, None)
    assert await house.sessions.create(intent, upload_id) == begun
    with pytest.raises(Conflict):
        await house.sessions.create(intent, derived_id("test", "b"))
