"""A power cut at any moment: nothing that was acknowledged is lost, and nothing is torn."""

import hashlib
from pathlib import Path

import apsw

from filmroll.blobs.disk import DiskBlobs
from filmroll.catalog.sqlite import SqliteCatalog
from filmroll.model import ImageState, Lane, original_key
from filmroll.queues.sqlite import SqliteQueue
from tests.faults.power_cut import Disk, Replay, record

OBJECTS = "blobs/o/"


class Ledger:
    """What was acknowledged so far."""

    def __init__(self) -> None:
        self.blobs: dict[str, str] = {}  # key → digest
        self.images: dict[str, ImageState] = {}
        self.messages: set[str] = set()

    def note(self, line: str) -> None:
        what, key, *digest = line.split()
        match what:
            case "blob":
                self.blobs[key] = digest[0]
            case "image":
                self.images[key] = ImageState.STORED
            case "buried":  # its bytes may go from now on
                self.images[key] = ImageState.DELETED
                del self.blobs[original_key(key)]
            case "message":
                self.messages.add(key)


def recorded(tmp_path: Path, *sabotage: str) -> tuple[Path, Path]:
    """Run the writer; return its recording and the folder that it wrote to."""
    trace, folder = tmp_path / "trace", tmp_path / "disk"
    folder.mkdir()
    record(trace, "tests.faults.power_cut_writer", str(folder), *sabotage)
    return trace, folder


def lost(disk: Disk, ledger: Ledger) -> list[str]:
    """Return the keys of acknowledged objects that a power cut now would take."""
    left = disk.left()
    return [
        key
        for key, digest in ledger.blobs.items()
        if hashlib.sha256(left.get(f"blobs/{key}", b"")).hexdigest() != digest
    ]


def hasty(replay: Replay) -> list[str]:
    """Return the objects that got their name before their content was durable."""
    return [path for path in replay.hasty if f"/{OBJECTS}" in path]


def test_a_power_cut_takes_no_acknowledged_object(tmp_path):
    trace, folder = recorded(tmp_path)
    disk, ledger = Disk(folder), Ledger()
    replay, lines = Replay(disk), 0
    for line in replay.play(trace):
        ledger.note(line)
        lines += 1
        assert lost(disk, ledger) == []
        if line.startswith("deleted"):
            assert f"blobs/{line.split()[1]}" not in disk.left()
    assert hasty(replay) == []
    assert lines == 3 * (1 + 4 * 14) + 2 * 4 * 4
    assert len(ledger.blobs) == 1 + 4 * 14 - 4 * 4


async def test_the_stores_open_after_a_power_cut_and_miss_nothing(tmp_path):
    trace, folder = recorded(tmp_path)
    disk, ledger = Disk(folder), Ledger()
    for number, line in enumerate(Replay(disk).play(trace)):
        ledger.note(line)
        if number % 20 == 0:
            await assert_whole(restored(disk.left(), tmp_path / f"cut{number}"), ledger)
    await assert_whole(restored(disk.left(), tmp_path / "end"), ledger)


def test_a_store_that_syncs_no_folder_is_found_out(tmp_path):
    trace, folder = recorded(tmp_path, "no-folder-sync")
    disk, ledger, missed = Disk(folder), Ledger(), 0
    for line in Replay(disk).play(trace):
        ledger.note(line)
        missed += bool(lost(disk, ledger))
    assert missed > 0


def test_a_store_that_syncs_no_file_is_found_out(tmp_path):
    trace, folder = recorded(tmp_path, "no-file-sync")
    replay = Replay(Disk(folder))
    assert list(replay.play(trace))
    assert len(hasty(replay)) > 10


def restored(files: dict[str, bytes], folder: Path) -> Path:
    """Build on the real disk what the power cut left."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


async def assert_whole(folder: Path, ledger: Ledger) -> None:
    """Open the stores; everything acknowledged has to be there."""
    blobs = DiskBlobs(folder / "blobs")
    for key, digest in ledger.blobs.items():
        assert hashlib.sha256(await blobs.read(key)).hexdigest() == digest
    await blobs.close()

    catalog = SqliteCatalog(folder / "catalog.db")
    for id_, state in ledger.images.items():
        image = await catalog.get_image(id_)
        assert image is not None
        # A burial that was not acknowledged may have happened, and its bytes be on their way out.
        assert image.state in {state, ImageState.DELETED}
        assert (await catalog.get_job(id_)) is not None
        if image.state is not ImageState.DELETED:
            assert original_key(id_) in ledger.blobs
    await catalog.close()

    queue = SqliteQueue(folder / "queue.db")
    assert {each.job for each in await queue.receive(Lane.BULK, 1000, 60, 0)} >= ledger.messages
    await queue.close()
    for name in ("catalog.db", "queue.db"):
        assert apsw.Connection(str(folder / name)).pragma("integrity_check") == "ok"
