"""From settings to stores: what must hold before the first request."""

import os
from pathlib import Path

import pytest

from filmroll.settings import Settings
from filmroll.wiring import open_stores


async def test_a_new_data_folder_is_durable_up_to_one_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[Path] = set()
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.chdir(tmp_path)
    async with open_stores(Settings(data=Path("new/deep/data"))):
        pass
    assert synced >= {tmp_path, tmp_path / "new", tmp_path / "new/deep", tmp_path / "new/deep/data"}
