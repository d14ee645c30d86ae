"""A house of its own for each test."""

import pytest

from tests.unit.usecases.uploads.house import UploadHouse


@pytest.fixture
def house(tmp_path):
    return UploadHouse(tmp_path / "spool")
