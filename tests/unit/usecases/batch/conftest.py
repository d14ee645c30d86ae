"""The use cases of batches, for each test its own."""

from pathlib import Path

import pytest

from tests.unit.usecases.batch.yard import Yard


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)
